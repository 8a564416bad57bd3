"""The features of the waveforms in a table, judged as a stream would have them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from clean.arrow import floats
from clean.columns import tags_of, times_of, values_of
from clean.judge import Judge
from clean.settings import Settings
from clean.table import ADDED, ADDED_TYPES, reason_lists
from contracts.batches import CLEAN_SCHEMA, RAW_SCHEMA, CleanBatch, RawBatch
from contracts.moments import TIME
from contracts.tags import Kind, TagRule

_FIELDS: Final[list[pa.Field[Any]]] = [
    pa.field("tag", pa.string()),
    pa.field("source_time", TIME),
    pa.field("value", pa.float64()),
    *(pa.field(name, kind) for name, kind in zip(ADDED, ADDED_TYPES, strict=True)),
]
SCHEMA: Final = pa.schema(_FIELDS)


def features_of_batches(
    batches: Iterable[pa.Table], rules: Callable[[str], TagRule], settings: Settings
) -> Iterator[pa.Table]:
    """Give the features of all waveforms among readings in order of arrival, with verdicts.

    Reads tag, source_time and value; a reading without a time is of no block. Gives tables of
    SCHEMA, in order of arrival. DataError where a column cannot be read as what it must be.
    """
    judge, first = Judge(rules, settings), 0
    for batch in batches:
        yield _made(judge, judge.push(_as_received(batch, rules, first)))
        first += batch.num_rows
    yield _made(judge, judge.finish())


def _as_received(batch: pa.Table, rules: Callable[[str], TagRule], first: int) -> RawBatch:
    """Give the readings of waveforms, and of tags that others look at, as they were received."""
    coded: Any = tags_of(batch).dictionary_encode().combine_chunks()
    names: list[str] = coded.dictionary.to_pylist()
    is_asked = np.array([_is_asked(rules(name)) for name in names], np.bool_)
    times, values = times_of(batch), floats(values_of(batch))
    chosen = np.flatnonzero(
        is_asked[coded.indices.to_numpy()] & times.is_valid().to_numpy()
        if len(names)
        else np.zeros(batch.num_rows, np.bool_)
    )
    values = values[chosen]
    tags: Any = coded.take(pa.array(chosen)).cast(pa.string())
    known: dict[str, Any] = {
        "arrival": pa.array(first + chosen),
        "tag": tags,
        "source_time": times.take(chosen),
        "received_time": times.take(chosen),
        "value": pa.array(values, mask=~np.isfinite(values)),
        "source_quality": _zeros(len(chosen), np.int8),
        "source_reasons": _zeros(len(chosen), np.int32),
        "identity": tags,
        "topic": tags,
    }
    nothing = [known.get(field.name, pa.nulls(len(chosen), field.type)) for field in RAW_SCHEMA]
    return RawBatch(pa.table(nothing, schema=RAW_SCHEMA))


def _zeros(count: int, kind: npt.DTypeLike) -> pa.Array[Any]:
    return pa.array(np.zeros(count, kind))


def _is_asked(rule: TagRule) -> bool:
    is_looked_at = rule.tells_state or rule.is_neighbour or bool(rule.neighbours)
    return rule.kind is Kind.WAVEFORM or is_looked_at


def _made(judge: Judge, judged: CleanBatch) -> pa.Table:
    wanted = pa.array(sorted(judge.made_in(judged)), pa.string())
    plain = judged.table.cast(CLEAN_SCHEMA)
    table = plain.filter(pc.is_in(plain["tag"], value_set=wanted))
    words = reason_lists(table["reasons"].to_numpy()).cast(ADDED_TYPES[-1])
    columns = [table[name] for name in SCHEMA.names[:-1]]
    return pa.table([*columns, words], schema=SCHEMA)
