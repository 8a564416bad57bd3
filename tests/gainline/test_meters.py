"""What the verb of gainline.gains.meter_verbs answers."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from contracts.errors import DataError
from gainline.files.tables import write_table
from gainline.gains.meters import show_saving
from tests.bench.meter_coverage import FIRST, Plan, meter_of

PERIODS = (FIRST + dt.timedelta(days=365), FIRST + dt.timedelta(days=370))


def test_the_saving_of_a_meter_in_a_file_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = meter_of(Plan(0.5, is_proportional=False, days=365), 1)[0].table
    path = tmp_path / "meter.csv"
    write_table(table.rename_columns({"temperature": "temperature_c"}), path)
    show_saving(path, PERIODS, 0.9, as_json=True)
    answer = json.loads(capsys.readouterr().out)
    assert answer["share"]["low"] < 0.1 < answer["share"]["high"]
    assert answer["reporting_days"] == 360
    show_saving(path, PERIODS, 0.9, as_json=False)
    text = capsys.readouterr().out
    assert f"saved     {answer['share']['estimate']:.1%}" in text
    assert "for each degree below" in text


def test_a_meter_without_dates_or_temperature_is_named(tmp_path: Path) -> None:
    path = tmp_path / "meter.csv"
    path.write_text("date,usage,temperature\nsoon,1,1\n")
    with pytest.raises(DataError, match="the column 'date' holds no dates"):
        show_saving(path, PERIODS, 0.9, as_json=True)
    path.write_text("date,usage\n2022-01-01,1\n")
    with pytest.raises(DataError, match="lacks the column 'temperature'"):
        show_saving(path, PERIODS, 0.9, as_json=True)
