"""`minute`, `hour` and `latest`: at every moment what all readings come to."""

import math
import os
import random
import subprocess
import sys
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from contracts.batches import CleanBatch, LedgerEntry, RawBatch, RawCommit
from contracts.errors import ConfigError
from contracts.quality import Reason
from store import rolling
from store.commit import Addition
from store.compacting import compact
from store.folder import FORMAT_VERSION, Folder, claim
from store.forgetting import forget
from store.history import Span
from store.lake import Lake
from store.maintain import maintain
from store.query import fetch
from store.rolling import roll_up
from store.tables import CLEAN_READINGS
from store.wanted import Wanted
from tests.store.samples import (
    START_US,
    as_format_1,
    clean_commit,
    judged,
    raw_commit,
    raw_rows,
)

REPOSITORY = Path(__file__).parents[2]
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
    for width in ("minute", "hour"):
        held = fetch(root, f"FROM {width} ORDER BY tag, {width}").to_pylist()
        rebuilt = fetch(root, _REBUILT.format(width=width)).to_pylist()
        assert len(held) == len(rebuilt)
        for one, other in zip(held, rebuilt, strict=True):
            means = one.pop("mean"), other.pop("mean")
            assert one == other
            assert means[0] is means[1] or math.isclose(*means, rel_tol=1e-9, abs_tol=1e-9)
    names = "tag, source_time, value, value_clean, quality, seq"
    latest = fetch(root, f"SELECT {names} FROM latest ORDER BY tag")
    assert latest.to_pylist() == fetch(root, _NEWEST).to_pylist()


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
        rows = pa.concat_tables(self._rows)
        tags = self._chance.sample(["s/a/l/m/tag0", "s/a/l/m/tag1", "s/a/l/m/tag2"], 2)
        with (
            Lake.open(self._root, writer="rejudge") as again,
            closing(again.rejudging(any_span(self._chance))) as rejudging,
        ):
            rejudging.choose(tags)
            rejudging.add(CleanBatch(judged(rows, **any_verdicts(self._chance, rows))))
            rejudging.replace(None, 2)

    def forget(self) -> None:
        tag = f"s/a/l/m/tag{self._chance.randrange(3)}"
        forget(self._root, Wanted(tag.__eq__, any_span(self._chance)))

    def compact(self) -> None:
        compact(self._root)

    def maintain(self) -> None:
        maintain(self._root, now=datetime.now(UTC) + timedelta(days=3))


@pytest.mark.parametrize("seed", range(4))
def test_the_views_are_what_a_full_rebuild_gives_whatever_happens(
    root: Path, lake: Lake, judge: Lake, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rolling, "SUM_FROM", 3)
    monkeypatch.setattr(rolling, "STEP_READINGS", 2 * ROWS)
    chance = random.Random(seed)  # noqa: S311 - a test that can be repeated
    plant = Plant(root, lake, judge, chance)
    plant.receive()
    for _ in range(12):
        names = ["receive"] * 5 + ["roll"] * 5 + ["judge_again"] * 2 + ["forget", "compact"]
        getattr(plant, chance.choice([*names, "maintain"]))()
        expect_rebuilt(root)


def test_what_is_rolled_up_is_not_read_again(root: Path, lake: Lake, judge: Lake) -> None:
    for number in range(3):
        lake.commit_raw(raw_commit(number * ROWS, ROWS, position=number + 1))
        judge.commit_clean(clean_commit(raw_rows(number * ROWS, ROWS)))
    expect_rebuilt(root)
    assert roll_up(root) == 3 * ROWS
    assert roll_up(root) == 0
    for path in (root / "data/clean/readings").iterdir():
        path.unlink()
    assert fetch(root, "SELECT sum(count) AS n FROM hour")["n"].to_pylist() == [3 * ROWS]
    assert fetch(root, "FROM latest").num_rows == 3


def test_a_step_waits_while_verdicts_are_replaced(root: Path, lake: Lake, judge: Lake) -> None:
    judge.commit_clean(clean_commit(raw_rows(0, ROWS)))
    lock = claim(Folder(root), rolling.LOCK)
    try:
        assert roll_up(root) == 0
    finally:
        os.close(lock)
    assert roll_up(root) == ROWS
    assert lake.ingest_progress().arrival == 0


def filled_as_format_1(root: Path) -> None:
    with Lake.open(root, writer="rejudge") as older, Lake.open(root, writer="ingest") as lake:
        as_format_1(older, root)
        for number in range(3):
            raw = raw_rows(number * ROWS, ROWS)
            lake.commit_raw(raw_commit(number * ROWS, ROWS, position=number + 1))
            rows = judged(raw).append_column(
                CLEAN_READINGS.columns.field("rule_version"), pa.nulls(ROWS, pa.int32())
            )
            older._committer.commit(f"older-{number:012d}", [Addition(CLEAN_READINGS, rows)])


def test_a_store_of_format_1_becomes_one_of_this_format(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rolling, "STEP_READINGS", 2 * ROWS)
    filled_as_format_1(root)
    before = fetch(root, "FROM readings ORDER BY seq")
    with Lake.open(root, writer="judge") as judge:
        assert Folder(root).version() == FORMAT_VERSION
        expect_rebuilt(root)
        judge.commit_clean(clean_commit(raw_rows(3 * ROWS, ROWS)))
        expect_rebuilt(root)
        while roll_up(root):
            expect_rebuilt(root)
        judge.commit_clean(clean_commit(raw_rows(4 * ROWS, ROWS)))
    expect_rebuilt(root)
    assert fetch(root, f"FROM readings WHERE seq < {3 * ROWS} ORDER BY seq").equals(before)
    compact(root)
    expect_rebuilt(root)


def test_a_store_of_format_1_waits_for_the_end_of_an_older_judge(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled_as_format_1(root)
    monkeypatch.setattr("store.migration.COMMIT_WAIT_S", 0.2)
    lock = claim(Folder(root), "judge")
    try:
        with pytest.raises(ConfigError, match="an older gainline is judging in it"):
            Lake.open(root, writer="ingest")
    finally:
        os.close(lock)
    assert Folder(root).version() == 1
    Lake.open(root, writer="ingest").close()
    assert Folder(root).version() == FORMAT_VERSION


# Opens a store, rolls up all and dies by strace's kill -9 as it enters the n-th call of a kind.
CHILD = """
import sys
from pathlib import Path
from store.lake import Lake
from store.rolling import roll_up
root = Path(sys.argv[1])
print("started", flush=True)
Lake.open(root, writer="maintain").close()
while roll_up(root):
    pass
print("done", flush=True)
"""


@pytest.mark.parametrize(
    ("call", "number"), [("fsync", 2), ("fsync", 7), ("rename", 1), ("rename", 3), ("pwrite64", 12)]
)
def test_a_kill_in_the_middle_of_a_migration_or_a_step_loses_nothing(
    strace: str, root: Path, call: str, number: int
) -> None:
    filled_as_format_1(root)
    command = [sys.executable, "-c", CHILD, str(root)]
    traced = [strace, "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}"]
    killed = [*traced, "-e", f"inject={call}:signal=KILL:when={number}", *command]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    died, ended = (
        subprocess.run(
            words, cwd=REPOSITORY, env=environment, capture_output=True, check=False, timeout=60
        )
        for words in (killed, command)
    )
    if b"started" not in died.stdout:
        pytest.skip("strace may not trace here: allow ptrace")
    assert died.returncode < 0, "the call never came: the test tests nothing"
    assert ended.returncode == 0, ended.stderr.decode()
    expect_rebuilt(root)
    assert fetch(root, "SELECT sum(count) AS n FROM minute")["n"].to_pylist() == [3 * ROWS]
    assert Folder(root).version() == FORMAT_VERSION
    with ExitStack() as locks:  # nothing is held for ever
        locks.enter_context(Lake.open(root, writer="judge"))
