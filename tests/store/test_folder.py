from pathlib import Path

import pytest

from contracts.errors import ConfigError
from contracts.tags import Kind, Place, Tag
from store.lake import Lake
from store.place.durable import PART
from store.place.folder import FORMAT_VERSION
from store.query import connect
from tests.store.samples import raw_commit


def test_a_store_of_a_newer_format_is_refused_and_left_alone(root: Path) -> None:
    with Lake.open(root, writer="ingest"):
        pass
    (root / "format_version").write_text(f"{FORMAT_VERSION + 1}\n", encoding="ascii")
    for attempt in (lambda: Lake.open(root, writer="ingest"), lambda: connect(root)):
        with pytest.raises(ConfigError, match=f"reads up to {FORMAT_VERSION}: install a newer"):
            attempt()


def test_a_format_that_is_no_number_is_refused(root: Path) -> None:
    root.mkdir()
    (root / "format_version").write_text("one\n", encoding="ascii")
    with pytest.raises(ConfigError, match="not a number"):
        Lake.open(root, writer="ingest")


def test_a_folder_with_other_things_is_refused_and_left_alone(root: Path) -> None:
    root.mkdir()
    (root / "holiday.jpg").touch()
    with pytest.raises(ConfigError, match="not empty and no store"):
        Lake.open(root, writer="ingest")
    assert [path.name for path in root.iterdir()] == ["holiday.jpg"]


def test_a_file_in_the_place_of_the_store_is_refused(root: Path) -> None:
    root.touch()
    with pytest.raises(ConfigError, match="cannot be a store"):
        Lake.open(root, writer="ingest")


@pytest.mark.parametrize("folder", ["journal", "locks", "reports"])
def test_a_store_that_is_not_made_yet_is_made(root: Path, folder: str) -> None:
    (root / folder).mkdir(parents=True)
    (root / f"format_version{PART}").touch()
    with Lake.open(root, writer="ingest") as lake:
        lake.commit_raw(raw_commit(0, 1, position=1))


@pytest.mark.parametrize("lost", ["state", "catalog.sqlite"])
def test_a_half_made_store_is_finished_at_the_next_opening(root: Path, lost: str) -> None:
    with Lake.open(root, writer="ingest"):
        pass
    path = root / lost
    if path.is_dir():
        path.rmdir()
    else:
        path.unlink()
    with Lake.open(root, writer="ingest") as lake:
        lake.commit_raw(raw_commit(0, 1, position=1))
        assert lake.raw_after(0, limit=5).table.num_rows == 1


def test_a_lake_with_the_views_of_an_older_program_gets_the_new_ones(root: Path) -> None:
    with Lake.open(root, writer="ingest") as lake:
        lake._connection.execute("DROP VIEW hour")
        lake._connection.execute("UPDATE house.view_version SET sha256 = 'older'")
    with Lake.open(root, writer="ingest") as lake:
        assert lake._connection.execute("SELECT count(*) FROM hour").fetchone() == (0,)


def test_a_lake_of_an_older_program_gets_the_columns_that_are_new(root: Path) -> None:
    tag = Tag("a/b", Place(site="a"), None, Kind.GAUGE)
    with Lake.open(root, writer="ingest") as lake:
        lake.commit_raw(raw_commit(0, 1, position=1), new_tags=[tag])
        lake._connection.execute("ALTER TABLE house.tag_entries DROP COLUMN edited")
        lake._connection.execute("ALTER TABLE house.tag_entries DROP COLUMN path")
        lake._connection.execute("UPDATE house.view_version SET sha256 = 'older'")
    edited = Tag("a/b", Place(site="a"), "K", Kind.GAUGE, edited=frozenset({"unit"}))
    with Lake.open(root, writer="ingest") as lake:
        assert lake.known_tags() == {"a/b": tag}
        lake.revise_tags(lambda _: [edited])
        assert lake.known_tags() == {"a/b": edited}
