"""A store to which anything may happen, in any order, and what its views must say then."""

import math
import random
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from contracts.batches import CleanBatch, LedgerEntry, RawBatch, RawCommit
from contracts.quality import Reason
from store.lake import Lake
from store.query import connect
from store.rejudging.history import Span
from store.sums.rolling import roll_up
from store.upkeep.compacting import compact
from store.upkeep.forgetting import forget
from store.upkeep.maintain import maintain
from store.upkeep.wanted import Wanted
from tests.store.samples import START_US, clean_commit, judged, raw_rows

START = datetime.fromtimestamp(START_US / 1e6, UTC)
ROWS = 40
FUTURE = int(Reason.FUTURE)

_REBUILT = """
SELECT
    tag, time_bucket(INTERVAL '1 {width}', source_time) AS {width},
    count(*) AS count,
    avg(value_clean) FILTER (WHERE quality < 2) AS mean,
    min(value_clean) FILTER (WHERE quality < 2) AS min,
    max(value_clean) FILTER (WHERE quality < 2) AS max,
    max_by(value_clean, (source_time, arrival)) FILTER (WHERE quality < 2) AS last,
    avg(CASE WHEN quality = 0 THEN 1.0 ELSE 0.0 END) AS good_share,
    count(value_clean) FILTER (WHERE quality < 2) AS value_count,
    max(source_time) FILTER (WHERE quality < 2 AND value_clean IS NOT NULL) AS last_time
FROM clean.readings GROUP BY ALL ORDER BY ALL
"""
_NEWEST = f"""
SELECT tag, source_time, value, value_clean, quality, seq FROM clean.readings
WHERE reasons & {FUTURE} = 0
QUALIFY row_number() OVER (PARTITION BY tag ORDER BY source_time DESC, arrival DESC) = 1
ORDER BY tag
"""


def expect_rebuilt(root: Path) -> None:
    """Compare the views with what all readings come to: sums as near as their order allows."""
    with connect(root) as connection:

        def rows(sql: str) -> list[dict[str, object]]:
            return connection.execute(sql).to_arrow_table().to_pylist()

        for width in ("minute", "hour"):
            held = rows(f"FROM {width} ORDER BY tag, {width}")
            rebuilt = rows(_REBUILT.format(width=width))
            assert len(held) == len(rebuilt)
            for one, other in zip(held, rebuilt, strict=True):
                means: Any = one.pop("mean"), other.pop("mean")
                assert one == other
                assert means[0] is means[1] or math.isclose(*means, rel_tol=1e-9, abs_tol=1e-9)
        names = "tag, source_time, value, value_clean, quality, seq"
        assert rows(f"SELECT {names} FROM latest ORDER BY tag") == rows(_NEWEST)


def any_rows(chance: random.Random, number: int) -> pa.Table:
    """Make readings of some hours in any order: late ones, some without a time or a value."""
    seconds = [chance.randrange(-3600, 3 * 3600) for _ in range(ROWS)]
    times = [None if chance.random() < 0.1 else START_US + s * 1_000_000 for s in seconds]
    values = [None if chance.random() < 0.1 else chance.uniform(-5, 5) for _ in range(ROWS)]
    return raw_rows(number * ROWS, ROWS, source_time=times, value=values)


def any_verdicts(chance: random.Random, rows: pa.Table) -> dict[str, list[int]]:
    count = rows.num_rows
    quality = [chance.choice([0, 0, 1, 2]) for _ in range(count)]
    reasons = [FUTURE if chance.random() < 0.05 else 0 for _ in range(count)]
    return {"quality": quality, "reasons": reasons}


def any_span(chance: random.Random) -> Span:
    start = START + timedelta(seconds=chance.randrange(-3600, 2 * 3600))
    return Span(start, start + timedelta(seconds=chance.randrange(60, 7200)))


class Plant:
    """A store, and all that may happen to it."""

    def __init__(self, root: Path, lake: Lake, judge: Lake, chance: random.Random) -> None:
        self._root, self._lake, self._judge, self._chance = root, lake, judge, chance
        self._rows = list[pa.Table]()

    def receive(self) -> None:
        number = len(self._rows)
        rows = any_rows(self._chance, number)
        ledger = (LedgerEntry("gw1", ROWS, ROWS, 0, 0),)
        until = (number + 1) * ROWS
        self._lake.commit_raw(RawCommit(RawBatch(rows), (), ledger, number + 1, until, b"seen"))
        self._judge.commit_clean(clean_commit(rows, **any_verdicts(self._chance, rows)))
        self._rows.append(rows)

    def roll(self) -> None:
        roll_up(self._root)

    def judge_again(self) -> None:
        all_rows = pa.concat_tables(self._rows)
        with (
            Lake.open(self._root, writer="rejudge") as again,
            closing(again.rejudging(any_span(self._chance))) as rejudging,
        ):
            there = [each.tag for each in rejudging.judged_tags]
            tags = self._chance.sample(there, min(2, len(there)))
            rejudging.choose(tags)
            rows = all_rows.filter(pc.is_in(all_rows["tag"], value_set=pa.array(tags, pa.string())))
            rejudging.add(CleanBatch(judged(rows, **any_verdicts(self._chance, rows))))
            rejudging.replace(None, 2)

    def forget(self) -> None:
        tag = f"s/a/l/m/tag{self._chance.randrange(3)}"
        forget(self._root, Wanted(tag.__eq__, any_span(self._chance)))

    def compact(self) -> None:
        compact(self._root)

    def maintain(self) -> None:
        maintain(self._root, now=datetime.now(UTC) + timedelta(days=3))

    def happen(self) -> None:
        """Let one thing happen: readings come most often."""
        names = ["receive"] * 5 + ["roll"] * 5 + ["judge_again"] * 2 + ["forget", "compact"]
        getattr(self, self._chance.choice([*names, "maintain"]))()
