"""What a judge remembers once tags were taken out of it."""

import pyarrow as pa
import pyarrow.compute as pc

from clean.forgetting import without_tags
from clean.judge import Judge
from clean.settings import Settings
from contracts.batches import CLEAN_SCHEMA, RAW_SCHEMA, RawBatch
from contracts.tags import TagRule

SETTINGS = Settings(15.0, 1.0)
ROWS = 60


def rule(_tag: str) -> TagRule:
    return TagRule()


def batch(*tags: str) -> RawBatch:
    numbers = range(ROWS)
    plain = {
        "arrival": list(numbers),
        "tag": [tags[number % len(tags)] for number in numbers],
        "source_time": [number * 1_000_000 for number in numbers],
        "received_time": [number * 1_000_000 for number in numbers],
        "value": [float(number) for number in numbers],
        "source_quality": [0] * ROWS,
        "source_reasons": [0] * ROWS,
        "identity": ["C"] * ROWS,
        "topic": ["t"] * ROWS,
    }
    arrays = [pa.array(plain.get(field.name, [None] * ROWS), field.type) for field in RAW_SCHEMA]
    return RawBatch(pa.Table.from_arrays(arrays, schema=RAW_SCHEMA))


def test_the_others_are_judged_as_if_nothing_was_and_the_forgotten_do_not_come_back() -> None:
    judge = Judge(rule, SETTINGS)
    judge.push(batch("secret", "other"))
    left = without_tags(judge.memory(), "secret".__eq__)
    assert left is not None
    again = Judge.restore(left, rule, SETTINGS)
    memory = again.memory()
    assert b"secret" not in memory
    assert b"other" in memory
    rest = again.finish().table.cast(CLEAN_SCHEMA)
    wanted = judge.finish().table.cast(CLEAN_SCHEMA)
    assert rest.equals(wanted.filter(pc.equal(wanted["tag"], "other")))
    assert rest.num_rows


def test_a_memory_without_such_a_tag_stays_as_it_is() -> None:
    judge = Judge(rule, SETTINGS)
    judge.push(batch("other"))
    assert without_tags(judge.memory(), "secret".__eq__) is None
