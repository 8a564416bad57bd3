from datetime import UTC, datetime, timedelta
from pathlib import Path

from store.lake import Lake
from store.safety.scrub import scrub
from store.safety.scrub_rounds import ROUND, note, scrub_slice, standing
from tests.store.samples import raw_commit

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def make(root: Path) -> list[Path]:
    with Lake.open(root, writer="ingest") as lake:
        for number in range(6):
            lake.commit_raw(raw_commit(number * 300, 300, position=number * 300 + 300))
    return sorted(root.glob("data/**/*.parquet"))


def test_every_file_is_checked_once_in_a_round(root: Path) -> None:
    files = make(root)
    checked = list[str]()
    for step in range(7):
        assert scrub_slice(root, now=NOW + step * ROUND / 100) == []
        checked.append(standing(root).file)
    assert checked == [str(path.relative_to(root)) for path in [*files, files[0]]]
    assert standing(root).round_ended == NOW + 5 * ROUND / 100
    # after a long pause all that is due is checked at once
    scrub_slice(root, now=NOW + 2 * ROUND)
    assert standing(root).file == str(files[-1].relative_to(root))


def test_a_damage_is_told_once_and_remembered_until_it_is_mended(root: Path) -> None:
    first, *_ = make(root)
    content = first.read_bytes()
    first.write_bytes(b"\0" + content[1:])
    (damage,) = scrub_slice(root, now=NOW)
    assert root / damage.file == first
    for step in range(1, 4):
        assert scrub_slice(root, now=NOW + timedelta(minutes=step)) == []
        assert standing(root).damages == [damage]
    first.write_bytes(content)
    scrub_slice(root, now=NOW + timedelta(minutes=5))
    assert standing(root).damages == []


def test_what_is_remembered_and_cannot_be_read_is_begun_again(root: Path) -> None:
    make(root)
    note(root, scrub(root), now=NOW)
    assert standing(root).round_ended == NOW
    (root / "state" / "scrub").write_bytes(b"{")
    assert standing(root).at is None
    assert scrub_slice(root, now=NOW) == []
