import random
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from contracts.errors import ConfigError
from store.lake import Lake
from store.safety.scrub import Pace, scrub
from tests.store.samples import clean_commit, raw_commit, raw_rows

RAW = "data/raw/readings/ingest-000000000001.parquet"


@pytest.fixture
def store(root: Path) -> Path:
    """A store with five segments, at rest."""
    with Lake.open(root, writer="ingest") as lake:
        for number in range(4):
            lake.commit_raw(raw_commit(number * 300, 300, position=number * 300 + 300))
    with Lake.open(root, writer="judge") as lake:
        lake.commit_clean(clean_commit(raw_rows(0, 1200)))
    return root


def flip(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def test_a_sound_store_has_no_damage(store: Path) -> None:
    found = scrub(store)
    assert found.damages == []
    assert found.unhashed == []
    assert found.file_count == 5 + 2
    assert found.byte_count > sum(path.stat().st_size for path in store.glob("data/**/*.parquet"))


def test_a_hundred_flipped_bits_are_found_a_hundred_times(store: Path) -> None:
    with Lake.open(store, writer="ingest") as lake:
        for number in range(4, 12):
            lake.commit_raw(raw_commit(number * 300, 300, position=number * 300 + 300))
    files = [*store.glob("data/**/*.parquet"), *store.glob("state/*")]
    chance = random.Random(1)  # noqa: S311 - of tests
    for _ in range(10):
        flipped = {path: chance.randrange(path.stat().st_size * 8) for path in files}
        chosen = dict(chance.sample(sorted(flipped.items()), 10))
        for path, bit in chosen.items():
            flip(path, bit)
        damages = scrub(store).damages
        assert {store / damage.file for damage in damages} == chosen.keys()
        assert {damage.fault for damage in damages} == {"holds other bytes than were written"}
        for path, bit in chosen.items():
            flip(path, bit)
    assert scrub(store).damages == []


def test_a_damage_tells_what_is_lost(store: Path) -> None:
    flip(store / RAW, 1000)
    (damage,) = scrub(store).damages
    assert damage.file == RAW
    assert str(damage.lost) == (
        "300 rows of raw.readings, tags s/a/l/m/tag0 to s/a/l/m/tag2,"
        " 2026-01-05 00:00:00+00 to 2026-01-05 00:04:59+00"
    )


@pytest.mark.parametrize(
    ("content", "fault"), [(None, "is missing"), (b"", "has 0 bytes"), (b"PAR1", "has 4 bytes")]
)
def test_a_file_that_is_missing_empty_or_cut_is_found(
    store: Path, content: bytes | None, fault: str
) -> None:
    if content is None:
        (store / RAW).unlink()
    else:
        (store / RAW).write_bytes(content)
    (damage,) = scrub(store).damages
    assert damage.fault.startswith(fault)


def test_a_memory_that_is_missing_is_found(store: Path) -> None:
    (path,) = store.glob("state/judge*")
    path.unlink()
    (damage,) = scrub(store).damages
    assert (damage.file, damage.fault) == (f"state/{path.name}", "is missing")
    assert str(damage.lost) == "house.judge_progress"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("ducklake_data_file SET record_count = 301", "holds 300 rows"),
        ("ducklake_data_file SET file_size_bytes = 7", "bytes instead of 7"),
        ("ducklake_file_column_stats SET max_value = 's/a/l/m/tag1'", "holds tag s/a/l/m/tag0"),
        ("ducklake_file_column_stats SET min_value = '17'", "holds arrival 0 to 299"),
    ],
)
def test_a_catalog_that_contradicts_a_file_is_found(store: Path, change: str, fault: str) -> None:
    column = 2 if "tag1" in change else 1
    where = f" AND column_id = {column}" if "stats" in change else ""
    with closing(sqlite3.connect(store / "catalog.sqlite")) as catalog, catalog:
        (number,) = catalog.execute(
            "SELECT data_file_id FROM ducklake_data_file WHERE path LIKE '%000001.parquet'"
            " AND record_count = 300"
        ).fetchone()
        catalog.execute(f"UPDATE {change} WHERE data_file_id = {number}{where}")
    (damage,) = scrub(store).damages
    assert damage.file == RAW
    assert fault in damage.fault


def test_a_torn_catalog_is_found(store: Path) -> None:
    with closing(sqlite3.connect(store / "catalog.sqlite")) as catalog:
        (page,) = catalog.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'ducklake_file_column_stats'"
        ).fetchone()
        (size,) = catalog.execute("PRAGMA page_size").fetchone()
        catalog.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    flip(store / "catalog.sqlite", ((page - 1) * size + 3) * 8 + 5)  # the number of its cells
    damages = scrub(store).damages
    assert damages[0].file == "catalog.sqlite"


def test_what_is_merged_away_meanwhile_is_no_damage(store: Path) -> None:
    def merge_away(files: list) -> list:  # type: ignore[type-arg]
        with Lake.open(store, writer="ingest") as lake:
            lake._connection.execute(
                "CALL ducklake_set_option('lake', 'data_inlining_row_limit', 0)"
            )
            lake._connection.execute("DELETE FROM raw.readings")
        (store / RAW).unlink()
        return files

    assert scrub(store, choose=merge_away).damages == []


def test_reading_is_slowed_down() -> None:
    told = list[int]()
    pace = Pace(1e6, told.append)
    began_s = pace._began_s
    pace.read(20_000)
    assert told == [20_000]
    assert time.monotonic() - began_s >= 0.02


def test_a_scrub_of_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no store"):
        scrub(tmp_path)
