import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts.errors import ConfigError, DataError, TransientError
from store.lake import Lake
from store.place.folder import Folder
from store.place.locks import files_kept
from store.query import fetch
from store.safety.backup import Done, back_up
from store.safety.restore import MARKER, repair, restore
from store.safety.scrub import scrub
from store.safety.vault import Vault
from store.upkeep.maintain import KEEP_SNAPSHOTS, MERGE_FROM, maintain
from tests.store.samples import clean_commit, raw_commit, raw_rows

REPOSITORY = Path(__file__).parents[2]
# A writer that never pauses, until its standard input ends.
WRITER = """
import select, sys
from pathlib import Path
from store.lake import Lake
from store.place.locks import files_kept
from tests.store.samples import raw_commit
with Lake.open(Path(sys.argv[1]), writer="ingest") as lake:
    first = lake.ingest_progress().arrival
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        lake.commit_raw(raw_commit(first, 150, position=first + 150, memory=b"%d" % first))
        first += 150
"""


@pytest.fixture
def store(root: Path) -> Path:
    commit(root, 3)
    with Lake.open(root, writer="judge") as lake:
        lake.commit_clean(clean_commit(raw_rows(0, 450)))
    return root


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    return tmp_path / "backups"


def commit(root: Path, count: int) -> None:
    with Lake.open(root, writer="ingest") as lake:
        first = lake.ingest_progress().arrival
        for at in range(first, first + count * 150, 150):
            lake.commit_raw(raw_commit(at, 150, position=at + 150, memory=b"%d" % at))


def backed_up(store: Path, vault: Path) -> Done:
    with Vault.open(vault) as opened:
        return back_up(store, opened)


def arrivals(store: Path) -> list[int]:
    rows = fetch(store, "SELECT arrival FROM raw.readings ORDER BY arrival")
    return rows["arrival"].to_pylist()  # type: ignore[no-any-return]


def test_a_store_comes_back_as_it_was_and_goes_on(store: Path, vault: Path, tmp_path: Path) -> None:
    (store / "reports").mkdir()
    (store / "reports" / "week.html").write_text("gain")
    done = backed_up(store, vault)
    assert done.damages == []
    shutil.rmtree(store)
    copy = tmp_path / "copy"
    restored = restore(vault, copy)
    assert (restored.lacking, restored.backup) == ([], done.backup)
    assert scrub(copy).damages == []
    assert arrivals(copy) == list(range(450))
    assert fetch(copy, "SELECT count(*) AS n FROM readings")["n"].to_pylist() == [450]
    assert (copy / "reports" / "week.html").read_text() == "gain"
    assert not (copy / MARKER).exists()
    with Lake.open(copy, writer="ingest") as lake:
        assert lake.ingest_progress() == (450, 450, b"300")
        lake.commit_raw(raw_commit(450, 10, position=460))
    with Lake.open(copy, writer="judge") as lake:
        assert lake.judge_progress().memory == b"state"
    assert maintain(copy, now=datetime.now(UTC)).merged_count == 0
    assert arrivals(copy) == list(range(460))


def test_a_second_backup_copies_only_what_is_new_and_each_time_comes_back(
    store: Path, vault: Path, tmp_path: Path
) -> None:
    first = backed_up(store, vault)
    commit(store, 1)
    segments = {path.name: path.stat().st_mtime_ns for path in vault.glob("files/*/*")}
    second = backed_up(store, vault)
    there = {path.name: path.stat().st_mtime_ns for path in vault.glob("files/*/*")}
    assert segments.items() <= there.items()
    # a segment, the memory of ingest, the catalog
    assert len(there) == len(segments) + 3
    assert second.new_bytes < first.new_bytes + 20_000
    for number, at in enumerate((first.backup.made_at, None)):
        copy = tmp_path / f"copy{number}"
        restore(vault, copy, at=at)
        assert len(arrivals(copy)) == (450, 600)[number]
    with pytest.raises(ConfigError, match="name a later time"):
        restore(vault, tmp_path / "x", at=first.backup.made_at - timedelta(seconds=1))


def test_a_backup_beside_a_writer_and_maintenance_is_one_snapshot(
    store: Path, vault: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", WRITER, str(store)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=REPOSITORY, stdin=pipe, stdout=pipe) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        for _ in range(2):
            backed_up(store, vault)
            maintain(store, now=datetime.now(UTC) + KEEP_SNAPSHOTS)
        writer.communicate(b"end\n", timeout=60)
        assert writer.returncode == 0
    ends = []
    for number, backup in enumerate(Vault(vault).backups()):
        copy = tmp_path / f"copy{number}"
        assert restore(vault, copy, at=backup.made_at).lacking == []
        assert scrub(copy).damages == []
        numbers = arrivals(copy)
        assert numbers == list(range(len(numbers)))
        with Lake.open(copy, writer="ingest") as lake:
            assert lake.ingest_progress()[1:] == (len(numbers), b"%d" % (len(numbers) - 150))
        ends.append(len(numbers))
    assert 450 <= ends[0] < ends[1] <= len(arrivals(store))


def test_maintenance_removes_nothing_while_files_are_copied(root: Path) -> None:
    commit(root, MERGE_FROM)
    maintain(root, now=datetime.now(UTC))
    later = datetime.now(UTC) + KEEP_SNAPSHOTS
    with files_kept(Folder(root)):
        assert maintain(root, now=later).removed_count == 0
    assert maintain(root, now=later + timedelta(minutes=1)).removed_count == MERGE_FROM


def test_only_the_newest_backups_are_kept(store: Path, vault: Path, tmp_path: Path) -> None:
    for _ in range(3):
        commit(store, 1)
        backed_up(store, vault)
    with Vault.open(vault) as opened:
        backups = opened.backups()
        removed, files = opened.prune(1)
        assert removed == 2
        assert files >= 4  # two catalogs, two memories
        assert opened.backups() == backups[-1:]
        assert opened.verify() == []
    restore(vault, tmp_path / "copy")
    assert len(arrivals(tmp_path / "copy")) == 900


def test_a_backup_that_is_damaged_is_found_and_made_whole_by_the_next(
    store: Path, vault: Path, tmp_path: Path
) -> None:
    done = backed_up(store, vault)
    segment = next(each for each in done.backup.files if each.name.startswith("data/raw"))
    path = Vault(vault).path(segment.sha256)
    path.write_bytes(b"X" + path.read_bytes()[1:])
    copy = tmp_path / "copy"
    assert restore(vault, copy).lacking == [segment.name]
    assert [damage.fault for damage in scrub(copy).damages] == ["is missing"]
    with Vault.open(vault) as opened:
        assert opened.verify() == [segment]
        back_up(store, opened)
        assert opened.verify() == []


def test_a_flipped_bit_of_the_store_is_kept_apart_from_what_was_written(
    store: Path, vault: Path
) -> None:
    backed_up(store, vault)
    commit(store, 1)
    old, new = (store / f"data/raw/readings/ingest-{n:012d}.parquet" for n in (1, 4))
    sound = {path: path.read_bytes() for path in (old, new)}
    for path, content in sound.items():
        path.write_bytes(b"X" + content[1:])
    # the first is there from the backup before; of the other nobody has what was written
    assert [each.file for each in backed_up(store, vault).damages] == [str(new.relative_to(store))]
    found = dict(repair(store, vault, scrub(store).damages))
    assert {damage.file: is_back for damage, is_back in found.items()} == {
        str(old.relative_to(store)): True,
        str(new.relative_to(store)): False,
    }
    assert old.read_bytes() == sound[old]
    assert [store / damage.file for damage in scrub(store).damages] == [new]


def test_nothing_is_restored_into_a_folder_that_is_not_empty(
    store: Path, vault: Path, tmp_path: Path
) -> None:
    backed_up(store, vault)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter").write_text("mine")
    for folder in (tmp_path / "full", store):
        with pytest.raises(ConfigError, match="is not empty"):
            restore(vault, folder)
    with pytest.raises(ConfigError, match="there are no backups"):
        restore(tmp_path / "full", tmp_path / "new")
    with pytest.raises(ConfigError, match="holds no backups"), Vault.open(tmp_path / "full"):
        pass


def test_half_a_restore_is_no_store_and_goes_on_where_it_was_cut_off(
    store: Path, vault: Path, tmp_path: Path
) -> None:
    backed_up(store, vault)
    copy = tmp_path / "copy"

    def cut_off(_: int) -> None:
        if len(list(copy.rglob("*.parquet"))) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore(vault, copy, tell=cut_off)
    with pytest.raises(ConfigError, match="not empty and no store"):
        Lake.open(copy, writer="ingest")
    assert restore(vault, copy).lacking == []
    assert arrivals(copy) == list(range(450))


def test_a_list_that_was_altered_is_refused(store: Path, vault: Path, tmp_path: Path) -> None:
    backed_up(store, vault)
    (path,) = vault.glob("backups/*.json")
    path.write_bytes(path.read_bytes().replace(b"data/raw", b"../a/raw"))
    with pytest.raises(DataError, match="has changed on disk"):
        restore(vault, tmp_path / "copy")


def test_two_backups_at_once_wait_for_one_another(store: Path, vault: Path) -> None:
    with Vault.open(vault), pytest.raises(TransientError, match="try again"), Vault.open(vault):
        pass
    backed_up(store, vault)
