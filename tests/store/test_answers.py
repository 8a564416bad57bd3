from pathlib import Path

import pytest

from contracts.errors import DataError
from store.lake import Lake
from store.query import ask, connect
from store.views.answers import PART_ROWS
from tests.store.samples import raw_commit


def test_an_answer_comes_in_parts_and_as_batches(lake: Lake, root: Path) -> None:
    lake.commit_raw(raw_commit(0, 25, position=1))
    with connect(root) as connection:
        answer = ask(connection, "SELECT arrival, tag FROM raw.readings ORDER BY arrival")
        assert answer.names == ["arrival", "tag"]
        assert [len(part) for part in answer.rows(10)] == [10, 10, 5]
        schema, batches = ask(connection, "SELECT arrival FROM raw.readings").batches()
        assert schema.names == ["arrival"]
        assert sum(batch.num_rows for batch in batches) == 25


def test_what_fails_in_the_middle_of_an_answer_is_said_as_of_sql(lake: Lake, root: Path) -> None:
    lake.commit_raw(raw_commit(0, 1, position=1))
    later = 10 * PART_ROWS
    value = f"CASE WHEN i < {later} THEN i ELSE error('at last') END"
    sql = f"SELECT {value} FROM range({2 * later}) AS t(i)"
    with connect(root) as connection, pytest.raises(DataError, match="at last"):
        list(ask(connection, sql).rows())
    with connect(root) as connection, pytest.raises(DataError, match="at last"):
        list(ask(connection, sql).batches()[1])
