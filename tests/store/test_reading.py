"""The programs of docs/reading.md, each run on a store and its exports."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from store.catalog.attachment import _extension
from store.lake import Lake
from store.safety.export import Range, export_files, export_readings
from tests.store.samples import clean_commit, raw_commit, raw_rows

PAGE = Path(__file__).parents[2] / "docs" / "reading.md"
PROGRAMS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
INSTALL = 'duck.execute("INSTALL ducklake; INSTALL sqlite")'
TAGS = [f"s/a/l/m/tag{number}" for number in range(3)]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a store, the files of its snapshot, and a table of its readings."""
    monkeypatch.chdir(tmp_path)
    with Lake.open(Path("lake"), writer="ingest") as lake:
        lake.commit_raw(raw_commit(0, 300, position=300))
    with Lake.open(Path("lake"), writer="judge") as lake:
        for first in (0, 150):
            lake.commit_clean(clean_commit(raw_rows(first, 150), quality=[0, 1, 2] * 50))
    export_files(Path("lake"), Path("out"))
    export_readings(Path("lake"), Path("readings.parquet"), Range(), is_csv=False)
    return tmp_path


def run(*words: str) -> dict[str, Any]:
    """Run the programs that have one of these words in them, as one."""
    paths = [_extension(name) for name in ("sqlite_scanner", "ducklake")]
    load = "; ".join(f"LOAD '{path}'" for path in paths)
    allow = 'duck = duckdb.connect(config={"allow_unsigned_extensions": True})'
    program = "\n".join(one for one in PROGRAMS if any(word in one for word in words))
    assert program
    program = program.replace(INSTALL, f'duck.execute("{load}")')
    names: dict[str, Any] = {}
    exec(program.replace("duck = duckdb.connect()", allow), names)  # noqa: S102 - of our own page
    return names


@pytest.mark.usefixtures("here")
@pytest.mark.filterwarnings("ignore:The inplace keyword")  # of DuckDB
def test_duckdb_and_pandas_read_the_store() -> None:
    names = run("ATTACH", "import pandas")
    assert [row[0] for row in names["hours"].fetchall()] == TAGS
    assert len(names["frame"]) == 200
    assert names["table"]["tag"].drop_duplicates().to_list() == TAGS


@pytest.mark.usefixtures("here")
@pytest.mark.filterwarnings("ignore:The inplace keyword")  # of DuckDB
def test_python_reads_the_store_and_cannot_change_it() -> None:
    names = run("gainline.connect")
    assert len(names["good"]) == 100
    # of the tag's readings all are UNCERTAIN
    assert len(names["line"]) == 100
    lake = names["lake"]
    lake.execute("CREATE TEMP TABLE own AS FROM tags")
    with pytest.raises(Exception, match="read-only"):
        lake.execute("DROP VIEW lake.main.readings")


def test_the_package_itself_loads_nothing_heavy(tmp_path: Path) -> None:
    program = (
        "import sys, gainline, gainline.cli;"
        "heavy = {'duckdb', 'pandas', 'pyarrow', 'torch', 'numpy', 'prompt_toolkit'};"
        "print(sorted(heavy & sys.modules.keys()));"
        "gainline.connect('nowhere')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, timeout=60, check=False
    )
    assert done.stdout == b"[]\n"
    assert b"ConfigError: there is no store in" in done.stderr


@pytest.mark.usefixtures("here")
def test_pyarrow_and_duckdb_read_the_files_of_a_snapshot() -> None:
    names = run("import pyarrow", "union_by_name", "import duckdb")
    assert names["good"].num_rows == 100
    assert "rule_version" in names["schema"].names
    assert names["rows"] == [(tag, 100) for tag in TAGS]


@pytest.mark.usefixtures("here")
@pytest.mark.skipif(find_spec("polars") is None, reason="polars is not installed")
def test_polars_reads_the_files_of_a_snapshot() -> None:
    assert run("import polars")["means"]["tag"].to_list() == TAGS[:1]


@pytest.mark.usefixtures("here")
@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")
def test_ray_reads_the_files_of_a_snapshot() -> None:
    assert run("import ray")["count"] == 100


def test_every_program_of_the_page_is_run() -> None:
    named = (
        "gainline.connect",
        "ATTACH",
        "import pandas",
        "import pyarrow",
        "union_by_name",
        "polars",
        "import ray",
    )
    assert all(any(word in program for word in named) for program in PROGRAMS)
    assert len(PROGRAMS) == len(named)
