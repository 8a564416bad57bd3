"""What the tests of the judge share: readings in, verdicts out."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clean.judge import Judge
from clean.settings import Settings
from contracts.batches import RAW_SCHEMA, RawBatch
from contracts.tags import TagRule

SECOND = 1_000_000


def make_batch(readings: Iterable[dict[str, Any]], first: int = 0) -> RawBatch:
    """Fill in what a test does not name; `at` is the source_time in seconds."""
    rows = []
    for number, given in enumerate(readings, start=first):
        at = given.get("at", number)
        whole = dict.fromkeys(RAW_SCHEMA.names) | {
            "arrival": number,
            "tag": "a",
            "source_time": None if at is None else round(at * SECOND),
            "received_time": round((number if at is None else at) * SECOND),
            "source_quality": 0,
            "source_reasons": 0,
            "identity": "C",
            "topic": "a",
        }
        rows.append(whole | {name: given[name] for name in given if name != "at"})
    return RawBatch(pa.Table.from_pylist(rows, schema=RAW_SCHEMA))


@pytest.fixture(scope="session")
def batch() -> Callable[..., RawBatch]:
    return make_batch


@pytest.fixture(scope="session")
def judged() -> Callable[..., list[dict[str, Any]]]:
    """Judge readings to the end; the rows come back in order of arrival."""

    def judge(readings: Iterable[dict[str, Any]], rule: TagRule | None = None) -> list[Any]:
        one = Judge(lambda _: rule or TagRule(), Settings(max_delay_s=60.0))
        parts = [one.push(make_batch(readings)).table, one.finish().table]
        return sorted(pa.concat_tables(parts).to_pylist(), key=lambda row: row["arrival"])

    return judge


@pytest.fixture(scope="session")
def recording(shared_data: Path) -> Callable[[str], pa.Table]:
    """Load a recording of a plant."""
    return lambda name: pq.read_table(shared_data / "sensors" / name / "data.parquet")
