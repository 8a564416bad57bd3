"""Files take the way of messages: each row once, whoever is the ingest, whatever dies when."""

from __future__ import annotations

import gzip
import json
import shutil
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.errors import ConfigError, DataError, TransientError
from contracts.message import Origin
from gainline import flow
from gainline.cli import run
from gainline.config import wiring
from gainline.config.loading import Settings
from gainline.config.sections import StoreSection
from gainline.config.store_place import store_folder
from gainline.messages import imports
from gainline.messages.handover import desk_of
from gainline.messages.imports import import_files
from ingest.blocks import Received
from ingest.sources import Sources
from tests.end_to_end.pipeline import free_port, gainline, rows, service, wait_for

T0_US = 1_767_225_600_000_000
MINUTE_US = 60_000_000
DUPLICATES_SQL = """
SELECT tag, source_time, count(*) FROM raw.readings GROUP BY ALL HAVING count(*) > 1
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(store=StoreSection(folder=str(tmp_path / "store")))


def csv(folder: Path, count: int, *, first: int = 0, name: str = "r.csv") -> Path:
    file = folder / name
    lines = [f"s/a/l/m/t,{(T0_US + n * MINUTE_US) // 1000},{20 + n % 3}" for n in range(count)]
    file.write_text("\n".join(["tag,source_time,value", *lines[first:]]) + "\n")
    return file


def large(folder: Path, count: int) -> Path:
    file = folder / "large.parquet"
    numbers = np.arange(count)
    names = np.array([f"s/a/l/m{n}/t" for n in range(40)])
    table = pa.table(
        {
            "tag": names[numbers % 40],
            "source_time": pa.array(T0_US + numbers * 1000, pa.timestamp("us", "UTC")),
            "value": numbers / 7,
        }
    )
    pq.write_table(table, file)
    return file


def ask(settings: Settings, sql: str) -> list[dict[str, Any]]:
    return rows(store_folder(settings), sql)


def count_of(settings: Settings) -> int:
    found = ask(settings, "SELECT count(*) AS n FROM raw.readings")
    return int(found[0]["n"]) if found else 0


def test_a_file_is_stored_and_again_adds_nothing_and_grown_only_what_is_new(
    tmp_path: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert import_files(settings, [csv(tmp_path, 1200)])
    assert "1,200 readings stored, 0 duplicates, 0 dead letters; 0 of 1,200 rows" in said(capsys)
    assert import_files(settings, [csv(tmp_path, 1200)])
    assert "0 readings stored, 0 duplicates, 0 dead letters; 1,200 of 1,200" in said(capsys)
    assert import_files(settings, [csv(tmp_path, 1500)])
    assert "300 readings stored, 0 duplicates, 0 dead letters; 1,200 of 1,500" in said(capsys)
    assert import_files(settings, [csv(tmp_path, 1500), csv(tmp_path, 1501, name="copy.csv")])
    assert count_of(settings) == 1501
    assert ask(settings, DUPLICATES_SQL) == []
    (ledger,) = ask(settings, "FROM ledger")
    assert ledger["gateway"] == "import"
    assert ledger["received"] == ledger["stored"]


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def test_a_reading_is_as_it_was_in_the_file_and_received_now(
    tmp_path: Path, settings: Settings
) -> None:
    file = tmp_path / "r.jsonl"
    sent = [
        {"tag": "s/a/l/m/t", "source_time": "2026-01-01T00:00:00Z", "value": 21.5},
        {"tag": "s/a/l/m/state", "source_time": "2026-01-01T00:00:00Z", "text": "ON"},
        {"tag": "alone", "source_time": 1_767_225_600, "value": True},
    ]
    file.write_text("".join(json.dumps(one) + "\n" for one in sent))
    assert import_files(settings, [file])
    found = ask(settings, "SELECT tag, source_time, received_time, value, text FROM raw.readings")
    assert {(row["tag"], row["value"], row["text"]) for row in found} == {
        ("s/a/l/m/t", 21.5, None),
        ("s/a/l/m/state", None, "ON"),
        ("alone", 1.0, None),
    }
    assert {row["source_time"].timestamp() for row in found} == {1_767_225_600}
    assert all(abs(row["received_time"].timestamp() - time.time()) < 60 for row in found)


def test_messages_go_the_way_of_messages(
    tmp_path: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "m.jsonl.gz"
    counted = {"gateway": "g", "epoch": "e", "seq": 1, "ts": T0_US // 1000, "force": 2}
    sent: list[dict[str, Any]] = [
        {"topic": "s/a/l/m", "payload": counted},
        {"topic": "s/a/l/m", "payload": counted},
        {"topic": "s/a/l/m/t", "payload": "21.5", "received_time": "2026-01-01T00:00:00Z"},
        {"topic": "s/a/l/m/t", "payload": "21.5", "received_time": "2026-01-01T00:00:01Z"},
        {"topic": "s/a/l/m", "payload_base64": "/wA="},
        {"topic": "gainline/commit/g", "payload": {"epoch": "e", "seq": 0}},
    ]
    file.write_bytes(gzip.compress("".join(json.dumps(one) + "\n" for one in sent).encode()))
    assert not import_files(settings, [file])
    assert "3 messages with 3 readings stored, 1 duplicates, 1 dead letters" in said(capsys)
    assert import_files(settings, [file])
    assert ask(settings, "FROM ledger ORDER BY gateway") == [
        {"gateway": "", "received": 3, "stored": 2, "duplicate": 0, "dead_letter": 1},
        {"gateway": "g", "received": 2, "stored": 1, "duplicate": 1, "dead_letter": 0},
    ]
    found = ask(settings, "SELECT received_time FROM raw.readings WHERE tag = 's/a/l/m/t'")
    assert {row["received_time"].astimezone(UTC).year for row in found} == {2026}


@pytest.mark.parametrize("wrong", ["s/a/l/m/t,,1", "a+b,2026-01-01T00:00:00Z,1", ""])
def test_a_mistake_in_any_file_and_nothing_is_imported(
    tmp_path: Path, settings: Settings, wrong: str
) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text(f"tag,source_time,value\n{wrong}\n" if wrong else "tag,source_time,value\n")
    with pytest.raises(DataError, match="nothing was imported") as raised:
        import_files(settings, [csv(tmp_path, 10), bad])
    assert str(raised.value).startswith(str(bad))
    assert not store_folder(settings).exists()


def test_a_folder_that_is_no_store_is_named(tmp_path: Path, settings: Settings) -> None:
    folder = store_folder(settings)
    folder.mkdir()
    (folder / "letter").write_text("dear")
    with pytest.raises(ConfigError, match="not empty and no store"):
        import_files(settings, [csv(tmp_path, 10)])
    assert [path.name for path in folder.iterdir()] == ["letter"]


def test_the_command_line_takes_several_files_and_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    files = [csv(tmp_path, 10), csv(tmp_path, 20, first=10, name="more.csv")]
    done = gainline("ingest", "--from", *files, "--store", store)
    assert (done.returncode, done.stderr) == (0, "")
    assert "20 readings stored" in done.stdout
    assert run(["ingest", str(files[0]), "--store", str(store)]) == 2
    assert "--from" in capsys.readouterr().err
    assert run(["ingest", "--from", str(tmp_path / "no.csv"), "--store", str(store)]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_an_ingest_that_takes_nothing_is_waited_for_only_so_long(settings: Settings) -> None:
    message = Received("s/a/l/m/t", b"21.5", T0_US, retained=False, origin=Origin("file/x", 0))
    with wiring.open_lake(settings, writer="ingest"), desk_of(settings, still_s_max=0.3) as desk:
        desk.put("file/x", [message])
        with pytest.raises(TransientError, match="will be taken later"):
            desk.finish()
    with desk_of(settings) as desk:
        desk.finish()
    assert count_of(settings) == 1


def test_what_is_taken_twice_is_stored_once(tmp_path: Path, settings: Settings) -> None:
    inbox, kept = store_folder(settings) / "inbox", tmp_path / "kept"
    with wiring.open_lake(settings, writer="ingest"), desk_of(settings) as desk:
        file = large(tmp_path, 5000)
        for piece in imports.pieces_of(file, settings):
            imports.hand_over(desk, piece, file)
        shutil.copytree(inbox, kept)
    for _ in range(2):
        with desk_of(settings) as desk:
            desk.finish()
        assert count_of(settings) == 5000
        assert list(inbox.iterdir()) == []
        shutil.copytree(kept, inbox, dirs_exist_ok=True)
    assert ask(settings, DUPLICATES_SQL) == []


@pytest.mark.timeout(200)
def test_files_are_imported_while_ingest_runs(tmp_path: Path, settings: Settings) -> None:
    store, log = store_folder(settings), tmp_path / "log"
    words = ("ingest", "--broker", f"mqtt://127.0.0.1:{free_port()}", "--store", store)
    with service(*words, log=log) as process:
        wait_for(lambda: ask(settings, "SELECT 1 AS one"), what="the store is there")
        done = gainline("ingest", "--from", large(tmp_path, 100_000), "--store", store)
        assert (done.returncode, done.stderr) == (0, "")
        assert "100,000 readings stored" in done.stdout
        assert process.poll() is None
    assert count_of(settings) == 100_000
    assert list((store / "inbox").iterdir()) == []


@pytest.mark.timeout(200)
@pytest.mark.parametrize("services", [[], ["ingest"]], ids=["alone", "with ingest"])
def test_an_import_that_is_killed_is_finished_by_doing_it_again(
    tmp_path: Path, settings: Settings, services: list[str]
) -> None:
    store, log, count = store_folder(settings), tmp_path / "log", 200_000
    words = ("ingest", "--from", large(tmp_path, count), "--store", store)
    with ExitStack() as stack:
        for name in services:  # it dies too
            broker = f"mqtt://127.0.0.1:{free_port()}"
            running = (name, "--broker", broker, "--store", store)
            stack.enter_context(service(*running, log=log))
            wait_for(lambda: "unreachable" in log.read_text(), what="it has begun")
        importing = stack.enter_context(service(*words, log=log))
        wait_for(lambda: count_of(settings) or importing.poll() == 0, what="something is stored")
    done = gainline(*words)
    assert done.returncode == 0, done.stderr
    assert count_of(settings) == count
    assert ask(settings, DUPLICATES_SQL) == []
    (ledger,) = ask(settings, "FROM ledger")
    assert ledger["received"] == ledger["stored"]


def test_the_past_before_the_present_is_judged_right_and_after_it_is_late(
    tmp_path: Path, settings: Settings
) -> None:
    past, later = tmp_path / "past.csv", tmp_path / "later.csv"
    values = [900 if n == 50 else 20 + n % 3 for n in range(100)]
    lines = [f"s/a/l/m/t,{(T0_US + n * MINUTE_US) // 1000},{v}" for n, v in enumerate(values)]
    past.write_text("\n".join(["tag,source_time,value", *lines[20:80][::-1]]))  # in no order
    later.write_text("\n".join(["tag,source_time,value", *lines[:20]]))
    assert import_files(settings, [past])
    with wiring.open_lake(settings, writer="ingest") as lake:
        begin = lake.ingest_progress().position
        with wiring.open_journal(settings, first_position=begin) as journal:
            live = [
                Received(
                    "s/a/l/m/t",
                    json.dumps({"ts": (T0_US + n * MINUTE_US) // 1000, "value": v}).encode(),
                    T0_US + n * MINUTE_US,
                    retained=False,
                )
                for n, v in enumerate(values)
                if n >= 80
            ]
            journal.append(live)
            flow.Intake(Sources(journal), lake, wiring.how_to_read(settings)).store_new()
    judge_all(settings)
    assert import_files(settings, [later])
    judge_all(settings)
    found = ask(settings, "SELECT source_time, reasons FROM readings")
    reasons = {minute_of(row["source_time"]): row["reasons"] for row in found}
    assert len(found) == len(reasons) == 100
    assert {minute for minute, words in reasons.items() if words == ["late"]} == set(range(20))
    assert {minute: words for minute, words in reasons.items() if minute >= 20 and words} == {
        50: ["spike"]
    }


def judge_all(settings: Settings) -> None:
    with wiring.open_lake(settings, writer="judge") as lake:
        bench = flow.Bench(lake, wiring.rule_for(settings), wiring.judge_settings(settings))
        while bench.judge_new(T0_US):
            pass
        bench.finish()


def minute_of(moment: datetime) -> int:
    return round((moment.timestamp() * 1e6 - T0_US) / MINUTE_US)


def test_a_recording_is_imported_whole(settings: Settings, shared_data: Path) -> None:
    file = shared_data / "sensors" / "nab" / "data.parquet"
    table = pq.read_table(file, columns=["tag", "source_time", "value"])
    assert import_files(settings, [file])
    found = ask(settings, "SELECT count(*) AS n, count(value) AS v FROM raw.readings")
    assert found == [{"n": table.num_rows, "v": table.num_rows - table["value"].null_count}]
