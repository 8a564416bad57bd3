"""A store with its catalog in PostgreSQL and its data in a bucket does what one in a folder can."""

import os
import random
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts.batches import DeadLetter, LedgerEntry, RawBatch, RawCommit
from contracts.errors import ConfigError, ContractError, UnreachableError
from contracts.tags import Kind, Place, Tag
from store.lake import Lake
from store.place.folder import FORMAT_VERSION, Folder
from store.place.location import Location, settle
from store.query import connect, fetch
from store.safety.backup import back_up
from store.safety.export import Range, export_files, export_readings
from store.safety.scrub import scrub
from store.safety.vault import Vault
from store.sums.rolling import roll_up
from store.upkeep.compacting import compact
from store.upkeep.maintain import KEEP_SNAPSHOTS, MERGE_FROM, maintain
from store.upkeep.retaining import Retention, retain
from tests.store.happenings import Plant, expect_rebuilt
from tests.store.samples import START_US, clean_commit, raw_commit, raw_rows

REPOSITORY = Path(__file__).parents[2]
EARLY = datetime.fromtimestamp(START_US / 1e6, UTC)


@pytest.fixture
def root(tmp_path: Path, elsewhere: Location) -> Path:
    settle(tmp_path / "store", elsewhere)
    return tmp_path / "store"


def fill(root: Path, count: int = 3) -> None:
    with Lake.open(root, writer="ingest") as lake, Lake.open(root, writer="judge") as judge:
        for number in range(count):
            lake.commit_raw(raw_commit(number * 10, 10, position=number + 1))
            judge.commit_clean(clean_commit(raw_rows(number * 10, 10), memory=b"it remembers"))


def test_it_takes_readings_and_gives_them_back(root: Path) -> None:
    fill(root)
    assert fetch(root, "SELECT count(*) AS n FROM raw.readings")["n"].to_pylist() == [30]
    found = fetch(root, "SELECT seq FROM readings ORDER BY seq")["seq"].to_pylist()
    assert found == list(range(30))
    assert fetch(root, "FROM latest").num_rows == 3
    assert fetch(root, "FROM ledger").to_pylist()[0]["stored"] == 30
    with connect(root) as open_connection:
        assert open_connection.execute("SELECT count(*) FROM hour").fetchone() == (3,)
    assert [path.name for path in root.rglob("*") if path.suffix in (".parquet", ".sqlite")] == []
    assert Folder(root).version() == FORMAT_VERSION


def test_another_machine_goes_on_where_the_first_one_ended(
    root: Path, tmp_path: Path, elsewhere: Location
) -> None:
    fill(root)
    other = tmp_path / "other"
    settle(other, elsewhere)
    with Lake.open(root, writer="judge"):
        with pytest.raises(ConfigError, match="another process is the judge"):
            Lake.open(other, writer="judge")
        with Lake.open(other, writer="ingest") as lake:
            assert lake.ingest_progress().arrival == 30
            assert lake.judge_progress().memory == b"it remembers"
            lake.commit_raw(raw_commit(30, 10, position=4))
    assert fetch(root, "SELECT count(*) AS n FROM raw.readings")["n"].to_pylist() == [40]


def test_a_commit_that_another_has_made_already_is_refused(root: Path) -> None:
    with Lake.open(root, writer="ingest") as lake:
        lake.commit_raw(raw_commit(0, 10, position=1))
        lake._connection.execute("UPDATE house.ingest_progress SET commit_count = 7")
        with pytest.raises(ContractError, match="moved by another writer"):
            lake.commit_raw(raw_commit(10, 10, position=2))
    assert fetch(root, "SELECT count(*) AS n FROM raw.readings")["n"].to_pylist() == [10]


@pytest.mark.parametrize("seed", [5])
def test_the_views_are_what_a_full_rebuild_gives_whatever_happens(root: Path, seed: int) -> None:
    with Lake.open(root, writer="ingest") as lake, Lake.open(root, writer="judge") as judge:
        plant = Plant(root, lake, judge, random.Random(seed))  # noqa: S311 - it can be repeated
        plant.receive()
        for _ in range(10):
            plant.happen()
        expect_rebuilt(root)
        for act in (plant.roll, plant.judge_again, plant.forget, plant.compact, plant.maintain):
            act()
        expect_rebuilt(root)


def test_small_segments_become_one_and_what_nobody_needs_is_removed(root: Path) -> None:
    with Lake.open(root, writer="ingest") as lake:
        for number in range(MERGE_FROM):
            lake.commit_raw(raw_commit(number * 10, 10, position=number + 1))
    assert maintain(root, now=EARLY).merged_count == MERGE_FROM
    assert scrub(root).damages == []
    later = datetime.now(UTC) + KEEP_SNAPSHOTS + timedelta(minutes=10)
    assert maintain(root, now=later).removed_count >= MERGE_FROM
    assert scrub(root).damages == []
    found = fetch(root, "SELECT arrival FROM raw.readings ORDER BY arrival")["arrival"]
    assert found.to_pylist() == list(range(MERGE_FROM * 10))


def test_old_readings_go_and_sums_stay(root: Path) -> None:
    fill(root)
    while roll_up(root):
        pass
    days = Retention({"raw": 30.0, "clean": 30.0})
    gone = {each.kind: each.rows for each in retain(root, days, now=EARLY + timedelta(days=60))}
    assert (gone["raw"], gone["clean"]) == (30, 30)
    assert fetch(root, "SELECT sum(count) AS n FROM hour")["n"].to_pylist() == [30]


def test_dead_letters_of_any_bytes_are_kept(root: Path) -> None:
    payload = bytes(range(256))
    letter = DeadLetter(0, "t", payload, "json: no", START_US, "gw")
    entry = LedgerEntry("gw", 1, 0, 0, 1)
    with Lake.open(root, writer="ingest") as lake:
        commit = RawCommit(RawBatch(raw_rows(0, 0)), (letter,), (entry,), 1, 0, b"seen")
        lake.commit_raw(commit)
    assert fetch(root, "FROM dead_letters")["payload"].to_pylist() == [payload]


def test_an_object_that_is_altered_is_found(root: Path) -> None:
    fill(root)
    name = "raw/readings/ingest-000000000002.parquet"
    file = Folder(root).data / name
    content = bytearray(b"".join(file.blocks()))
    content[len(content) // 2] ^= 1
    file.write(lambda sink: sink.write(content))
    (Folder(root).data / "clean/readings/judge-000000000001.parquet").remove()
    found = {damage.file: damage.fault for damage in scrub(root).damages}
    assert found == {
        f"data/{name}": "holds other bytes than were written",
        "data/clean/readings/judge-000000000001.parquet": "is missing",
    }


def test_it_is_exported_and_says_how_it_is_backed_up(root: Path, tmp_path: Path) -> None:
    fill(root)
    compact(root)
    exported = export_files(root, tmp_path / "out")
    assert exported.row_counts["clean.readings"] == 30
    export_readings(root, tmp_path / "all.parquet", Range(), is_csv=False)
    with (
        Vault.open(tmp_path / "vault") as vault,
        pytest.raises(ConfigError, match="back them up there"),
    ):
        back_up(root, vault)


# Commits once and dies as the second commit is to be listed: its segment is in the bucket.
CHILD = """
import os, sys
from pathlib import Path
from store.commits.commit import Committer
from store.lake import Lake
from tests.store.samples import raw_commit
with Lake.open(Path(sys.argv[1]), writer="ingest") as lake:
    lake.commit_raw(raw_commit(0, 10, position=1))
    add = Committer._add
    Committer._add = lambda *words: (add(*words), os._exit(9))
    lake.commit_raw(raw_commit(10, 10, position=2))
"""


def test_a_kill_in_the_middle_of_a_commit_loses_and_doubles_nothing(root: Path) -> None:
    died = subprocess.run(
        [sys.executable, "-c", CHILD, str(root)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        check=False,
        timeout=100,
    )
    assert died.returncode == 9
    with Lake.open(root, writer="ingest") as lake:
        assert lake.ingest_progress().arrival == 10
        lake.commit_raw(raw_commit(10, 10, position=2))
    found = fetch(root, "SELECT arrival FROM raw.readings ORDER BY arrival")["arrival"]
    assert found.to_pylist() == list(range(20))


def test_a_server_that_does_not_answer_or_let_us_in_is_named(
    tmp_path: Path, elsewhere: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(tmp_path / "silent", Location(catalog="postgres://gainline@127.0.0.1:9/plant"))
    with pytest.raises(UnreachableError, match=r"127.0.0.1:9 does not answer"):
        Lake.open(tmp_path / "silent", writer="ingest")
    settle(tmp_path / "closed", Location(catalog=elsewhere.catalog))
    monkeypatch.setenv("PGPASSWORD", "another")
    with pytest.raises(ConfigError, match="does not let us in") as refusal:
        Lake.open(tmp_path / "closed", writer="ingest")
    assert "another" not in str(refusal.value)


def test_a_store_stays_where_it_is(root: Path, tmp_path: Path, elsewhere: Location) -> None:
    settle(root, elsewhere)
    with pytest.raises(ConfigError, match=r"not where store\.catalog and store\.data say"):
        settle(root, Location(data="s3://plant/another"))
    Lake.open(tmp_path / "here", writer="ingest").close()
    with pytest.raises(ConfigError, match="has its catalog in its folder"):
        settle(tmp_path / "here", elsewhere)


def test_a_tag_is_renamed_and_its_unit_changes_there_as_well(root: Path) -> None:
    fill(root)
    with Lake.open(root, writer="tags") as tags:
        plain = Tag("s/a/l/m/tag1", Place(metric="tag1"), "degC", Kind.GAUGE)
        tags.revise_tags(lambda _: [plain])
        change = EARLY + timedelta(seconds=10)
        tags.revise_tags(lambda _: [replace(plain, unit="degF", unit_from=change)])
        tags.rename_tags({"s/a/l/m/tag0": "s/a/l/m/tag1"})
    found = fetch(root, "SELECT unit, count(*) AS n FROM readings GROUP BY ALL ORDER BY ALL")
    assert [tuple(row.values()) for row in found.to_pylist()] == [
        ("degC", 3),
        ("degF", 17),
        (None, 10),
    ]
    assert fetch(root, "SELECT DISTINCT tag FROM hour").num_rows == 2
