from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from gainline.cli import run
from store.lake import Lake

HEAVY = ("torch", "pandas", "duckdb", "pyarrow", "numba", "matplotlib")


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


Command = Callable[..., Done]


@pytest.fixture
def gainline(capfd: pytest.CaptureFixture[str]) -> Command:
    def command(*words: object) -> Done:
        code = run([str(word) for word in words])
        return Done(code, *capfd.readouterr())

    return command


@pytest.fixture
def store(tmp_path: Path) -> Path:
    Lake.open(tmp_path / "store", writer="ingest").close()
    return tmp_path / "store"


@pytest.mark.parametrize("words", [[], ["demo"], ["sql"], ["gain"], ["run"]])
def test_help_answers_without_loading_anything_heavy(words: list[str]) -> None:
    code = (
        "import sys; from gainline.cli import run; "
        f"code = run({[*words, '--help']!r}); "
        f"heavy = [name for name in {HEAVY!r} if name in sys.modules]; "
        "print(heavy, file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0
    assert done.stderr.strip() == "[]"


def test_the_founding_example_gives_1_08(gainline: Command) -> None:
    done = gainline("profit", "--alpha", 1.2, "--beta", 0.1, "--model", "cost_plus", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["profit_ratio"] == pytest.approx(1.08, abs=1e-12)


def test_at_a_fixed_price_the_same_gain_is_worth_more(gainline: Command, tmp_path: Path) -> None:
    config = tmp_path / "plant.toml"
    config.write_text(
        "[economics]\nprice_per_unit = 20\ngood_units_per_year = 234000\nunit_cost = 12.27\n"
        "fixed_cost_per_year = 700000\n"
    )
    words = ["profit", "--alpha", 1.2, "--beta", 0.1, "--model", "fixed_price", "--json"]
    done = gainline(*words, "--config", config)
    assert json.loads(done.stdout)["profit_ratio"] == pytest.approx(1.637, abs=5e-4)


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (["nonsense"], 2, "No such command"),
        (["profit", "--alpha", "much", "--beta", "0"], 2, "valid number"),
        (["profit", "--alpha", "1", "--beta", "0", "--model", "free"], 2, "cost_plus"),
        (["run", "--broker", "localhost"], 3, "not of the form mqtt://HOST:PORT"),
        (["sql", "SELECT 1", "--format", "xml"], 2, "table"),
        (["probe", "--topic", "a", "nowhere"], 1, "cannot be read"),
        (["sql", "SELECT 1", "--store", "nowhere"], 3, "there is no store"),
        (["sql", "SELECT 1", "--config", "nowhere.toml"], 3, "no such file"),
        (["gain", "nowhere.csv", "--upgrades", "nowhere.csv"], 1, "no such file"),
        (["clean", "nowhere.csv", "out.csv"], 1, "no such file"),
    ],
)
def test_a_mistake_is_one_line_and_an_exit_code(
    gainline: Command, words: list[str], code: int, line: str
) -> None:
    done = gainline(*words)
    assert done.returncode == code
    assert line in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_newer_store_is_refused(gainline: Command, store: Path) -> None:
    (store / "format_version").write_text("99\n")
    for words in (["sql", "SELECT 1"], ["ingest", "--broker", "mqtt://127.0.0.1:1"], ["judge"]):
        done = gainline(*words, "--store", store)
        assert done.returncode == 3
        assert "install a newer gainline" in done.stderr


def test_a_port_in_use_is_named_with_its_key(
    gainline: Command, store: Path, tmp_path: Path
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        config = tmp_path / "gainline.toml"
        config.write_text(f"[page]\nport = {taken.getsockname()[1]}\n")
        done = gainline("serve", "--store", store, "--config", config)
    assert done.returncode == 3
    assert "page.port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_broker_that_is_not_there_is_found_by_the_live_check(
    gainline: Command, tmp_path: Path
) -> None:
    config = tmp_path / "gainline.toml"
    config.write_text('[broker]\nurl = "mqtt://127.0.0.1:1"\n')
    assert gainline("check-config", "--config", config).returncode == 0
    done = gainline("check-config", "--config", config, "--live")
    assert done.returncode == 4
    assert "127.0.0.1:1" in done.stderr


@pytest.mark.parametrize("statement", ["DROP VIEW readings", "SELECT 1; SELECT 2", "SELEC 1"])
def test_sql_that_is_no_query_is_refused(gainline: Command, store: Path, statement: str) -> None:
    done = gainline("sql", statement, "--store", store)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1


def test_an_empty_store_answers_and_its_ledger_balances(gainline: Command, store: Path) -> None:
    done = gainline(
        "sql", "SELECT count(*) AS n FROM readings", "--store", store, "--format", "csv"
    )
    assert done.stdout == "n\n0\n"
    assert gainline("ledger", "--store", store, "--json").stdout.strip() == "[]"


def test_probe_prints_one_object_a_reading(gainline: Command, tmp_path: Path) -> None:
    payload = tmp_path / "payload"
    payload.write_text('{"ts": 1767225600000, "temperature": 21.5}')
    done = gainline("probe", "--topic", "s/a/l/m", payload)
    assert done.returncode == 0
    assert json.loads(done.stdout) == {
        "tag": "s/a/l/m/temperature",
        "metric": "temperature",
        "source_time": "2026-01-01T00:00:00.000000Z",
        "value": 21.5,
        "text": None,
        "quality": "GOOD",
        "reasons": [],
    }


def test_probe_says_why_a_payload_is_refused(gainline: Command, tmp_path: Path) -> None:
    payload = tmp_path / "payload"
    payload.write_text("[1, 2]")
    done = gainline("probe", "--topic", "s/a/l/m", payload)
    assert done.returncode == 1
    assert json.loads(done.stdout)["refused"] == "wrong_shape"


def test_clean_writes_the_same_rows_with_verdicts(gainline: Command, tmp_path: Path) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    lines = [f"a/t,2026-01-01 00:{minute:02d}:00,{20 + minute % 3}" for minute in range(60)]
    lines[30] = "a/t,2026-01-01 00:30:00,900"
    source.write_text("tag,source_time,value\n" + "\n".join(lines) + "\n")
    done = gainline("clean", source, target)
    assert done.returncode == 0, done.stderr
    written = target.read_text().splitlines()
    assert len(written) == 61
    assert written[31].startswith('"a/t",2026-01-01 00:30:00')
    assert '"spike"' in written[31]
    assert '"spike"' not in written[30] + written[32]


def test_a_defect_is_one_line_that_says_how_to_see_more(
    gainline: Command, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gainline.messages.accounts.LEDGER_SQL", None)
    done = gainline("ledger", "--store", store)
    assert done.returncode == 1
    assert "a defect of gainline" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    monkeypatch.setenv("GAINLINE_TRACEBACK", "1")
    with pytest.raises(AttributeError):
        gainline("ledger", "--store", store)
