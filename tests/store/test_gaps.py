from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.batches import RAW_SCHEMA, GapChange, LedgerEntry, RawBatch, RawCommit
from store.lake import Lake
from store.query import fetch
from store.upkeep import maintain as maintenance
from store.upkeep.maintain import MERGE_FROM, maintain
from tests.store.samples import raw_commit


def gap_commit(position: int, *changes: GapChange, gateways: int = 1) -> RawCommit:
    ledger = tuple(LedgerEntry(f"gw{number}", 1, 0, 1, 0) for number in range(gateways))
    nothing = RawBatch(RAW_SCHEMA.empty_table())
    return RawCommit(nothing, (), ledger, position, 0, b"seen", gaps=changes)


def gaps_of(root: Path) -> list[tuple[object, ...]]:
    found = fetch(root, "SELECT * FROM gaps ORDER BY ALL").to_pylist()
    return [tuple(row.values()) for row in found]


def test_a_gap_is_shown_until_it_is_closed(lake: Lake, root: Path) -> None:
    lake.commit_raw(gap_commit(1, GapChange("gw", "e", 2, 4, 1), GapChange("gw", "f", 0, 0, 1)))
    assert gaps_of(root) == [("gw", "e", 2, 4, 3), ("gw", "f", 0, 0, 1)]
    partly = [GapChange("gw", "e", 2, 4, -1), GapChange("gw", "e", 4, 4, 1)]
    lake.commit_raw(gap_commit(2, *partly))
    assert gaps_of(root) == [("gw", "e", 4, 4, 1), ("gw", "f", 0, 0, 1)]
    lake.commit_raw(gap_commit(3, GapChange("gw", "e", 4, 4, -1)))
    assert gaps_of(root) == [("gw", "f", 0, 0, 1)]


def test_the_widest_gap_there_can_be_is_counted(lake: Lake, root: Path) -> None:
    lake.commit_raw(gap_commit(1, GapChange("gw", "e", 0, 2**63 - 2, 1)))
    assert gaps_of(root) == [("gw", "e", 0, 2**63 - 2, 2**63 - 1)]


def test_a_gap_is_in_the_commit_that_shows_it_once(lake: Lake, root: Path) -> None:
    commit = gap_commit(1, GapChange("gw", "e", 0, 1, 1))
    lake.commit_raw(commit)
    lake.commit_raw(commit)
    assert fetch(root, "SELECT sum(change) AS n FROM house.gap_entries")["n"][0].as_py() == 1


def test_maintenance_keeps_of_ledger_and_gaps_their_sums(
    lake: Lake, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "FOLD_FROM", 10)
    for seq in range(10):
        changes = [GapChange("gw", "e", seq, seq, 1)]
        if seq:
            changes.append(GapChange("gw", "e", seq - 1, seq - 1, -1))
        lake.commit_raw(gap_commit(seq + 1, *changes))
    ledger = fetch(root, "FROM ledger").to_pylist()
    maintain(root, now=datetime.now(UTC))
    assert gaps_of(root) == [("gw", "e", 9, 9, 1)]
    assert fetch(root, "FROM ledger").to_pylist() == ledger
    rows = "SELECT (SELECT count(*) FROM house.gap_entries), count(*) FROM house.ledger_entries"
    assert [column[0].as_py() for column in fetch(root, rows).columns] == [1, 1]


def test_maintenance_merges_the_ledger_of_many_gateways(lake: Lake, root: Path) -> None:
    for number in range(MERGE_FROM):
        changes = [GapChange(f"gw{name}", "e", number, number, 1) for name in range(200)]
        lake.commit_raw(gap_commit(number + 1, *changes, gateways=200))
    before = fetch(root, "FROM ledger ORDER BY gateway"), gaps_of(root)
    maintain(root, now=datetime.now(UTC))
    assert (fetch(root, "FROM ledger ORDER BY gateway"), gaps_of(root)) == before
    listed = "SELECT count(*) AS n FROM house.segments WHERE path LIKE 'house/%'"
    assert fetch(root, listed)["n"][0].as_py() == 2


def test_a_store_of_an_older_layout_gets_what_it_lacks(root: Path) -> None:
    with Lake.open(root, writer="ingest") as lake:
        lake.commit_raw(raw_commit(0, 3, position=3))
        for statement in (
            "DROP VIEW main.gaps",
            "DROP TABLE house.gap_entries",
            "ALTER TABLE house.tag_entries DROP COLUMN gateway",
            "UPDATE house.view_version SET sha256 = 'of an older program'",
        ):
            lake._connection.execute(statement)
    with Lake.open(root, writer="ingest") as lake:
        lake.commit_raw(
            RawCommit(
                raw_commit(3, 1, position=4).readings,
                (),
                (),
                4,
                4,
                b"",
                gaps=(GapChange("gw", "e", 0, 0, 1),),
            )
        )
    assert gaps_of(root) == [("gw", "e", 0, 0, 1)]
    assert fetch(root, "SELECT gateway FROM tags").num_rows == 0
