"""The columns of a recorded table as the wire would have them: times as instants, values, texts."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import DataError
from ingest.readings import NO_TIME, PayloadError
from ingest.times import (
    EARLIEST_US,
    LATEST_US,
    MICROSECONDS_BELOW,
    MILLISECONDS_BELOW,
    SECONDS_BELOW,
    SET_SINCE_US,
    stamp_of,
)
from ingest.values import value_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import tzinfo

    from ingest.readings import Limits

    Column = pa.Array[Any] | pa.ChunkedArray[Any]

Ints = npt.NDArray[np.int64]

# Zones change their offset on the quarter hour, since railways keep time.
QUARTER_US = 15 * 60 * 1_000_000
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # of local times
_MICROSECOND = timedelta(microseconds=1)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)  # it begins at midnight


class Instants(NamedTuple):
    """Microseconds since 1970, NO_TIME where a row has none; local ones where they are not sure.

    `local` is NO_TIME but where a time without an offset lies in the hour that summer time repeats
    or skips; None where it is so everywhere.
    """

    us: Ints
    local: Ints | None


class Cells(NamedTuple):
    """Numbers, null where there is none, and what came instead of a number."""

    values: pa.Array[Any]
    texts: pa.Array[Any]


def instants_of(column: Column, zones: Sequence[tzinfo]) -> Instants:
    """Read times of any kind; `zones` is that of each row, or a single one for all.

    As on the wire: counts since 1970 go by their magnitude, a fraction finer than a microsecond
    is cut, a time without an offset is in the zone. What cannot be read is NO_TIME. Raises
    DataError for a column that cannot hold times.
    """
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _of_timestamps(column, zones)
    if pa.types.is_integer(kind):
        return Instants(_of_counts(_ints(column.cast(pa.int64()))), None)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _of_texts(column, zones)
    if pa.types.is_floating(kind) or pa.types.is_null(kind):
        return instants_of_each(column.to_pylist(), zones)
    raise DataError(f"the column 'source_time' holds {kind}, not times: convert it")


def instants_of_each(sent: Sequence[object], zones: Sequence[tzinfo]) -> Instants:
    """Read times one by one, whatever each is."""
    us, local = _empty(len(sent)), _empty(len(sent))
    for row, one in enumerate(sent):
        zone = zones[row] if len(zones) > 1 else zones[0]
        text = f"{one}T00:00" if isinstance(one, str) and _DATE.fullmatch(one) else one
        stamp = stamp_of(text, zone)
        us[row] = NO_TIME if stamp.us is None else stamp.us
        if stamp.is_doubtful and us[row] >= SET_SINCE_US:
            local[row] = _local_us(str(text))
    return Instants(us, local if (local != NO_TIME).any() else None)


def cells_of(column: Column, limits: Limits) -> Cells:
    """Read values of any kind: a number sent as text is a number, other text is text.

    DataError for a column that can hold neither, or for a text over the limit.
    """
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        try:
            values = _flat(pc.utf8_trim_whitespace(column).cast(pa.float64()))
        except pa.ArrowInvalid:
            return cells_of_each(column.to_pylist(), limits)
        if pc.all(pc.is_finite(values)).as_py() is False:
            return cells_of_each(column.to_pylist(), limits)
        return Cells(values, pa.nulls(len(column), pa.string()))
    if not _is_number(kind):
        raise DataError(f"the column 'value' holds {kind}, not numbers or texts: convert it")
    return Cells(_flat(column.cast(pa.float64(), safe=False)), pa.nulls(len(column), pa.string()))


def cells_of_each(sent: Sequence[object], limits: Limits) -> Cells:
    """Read values one by one. DataError, with the row from 0 on, for what is no value."""
    values: list[float | None] = []
    texts: list[str | None] = []
    for row, one in enumerate(sent):
        try:
            read = value_of(one, limits)
        except PayloadError as problem:
            raise CellError(row, str(problem).partition(": ")[2]) from None
        values.append(read.value)
        # of a number that is not finite the wire knows the name: it is read so once more
        texts.append(read.status if read.text is None else read.text)
    return Cells(pa.array(values, pa.float64()), pa.array(texts, pa.string()))


class CellError(DataError):
    """Says what is wrong with the value of one row, counted from 0."""

    def __init__(self, row: int, words: str) -> None:
        super().__init__(words)
        self.row = row


def _is_number(kind: pa.DataType) -> bool:
    tests: tuple[Callable[[pa.DataType], bool], ...] = (
        pa.types.is_integer,
        pa.types.is_floating,
        pa.types.is_decimal,
        pa.types.is_boolean,
        pa.types.is_null,
    )
    return any(test(kind) for test in tests)


def _of_timestamps(column: Column, zones: Sequence[tzinfo]) -> Instants:
    kind = column.type
    zone_name = kind.tz if pa.types.is_timestamp(kind) else None
    whole = column.cast(pa.timestamp("us", zone_name), safe=False)
    us = _within(_ints(whole.cast(pa.int64())))
    return Instants(us, None) if zone_name else _in_zones(us, zones)


def _of_texts(column: Column, zones: Sequence[tzinfo]) -> Instants:
    """Read times that are written alike all at once, else one by one."""
    try:
        return Instants(
            _within(_ints(column.cast(pa.timestamp("us", "UTC")).cast(pa.int64()))), None
        )
    except pa.ArrowInvalid:
        pass
    try:
        return _in_zones(_within(_ints(column.cast(pa.timestamp("us")).cast(pa.int64()))), zones)
    except pa.ArrowInvalid:
        pass
    try:
        return Instants(_of_counts(_ints(column.cast(pa.int64()))), None)
    except pa.ArrowInvalid:
        return instants_of_each(column.to_pylist(), zones)


def _of_counts(counts: Ints) -> Ints:
    """Read counts since 1970 by their magnitude, as ingest.times.microseconds_of."""
    size = np.abs(counts)
    conditions = [counts == NO_TIME, size < SECONDS_BELOW, size < MILLISECONDS_BELOW]
    choices = [counts, counts * 1_000_000, counts * 1_000]
    finer = np.where(size < MICROSECONDS_BELOW, counts, counts // 1_000)
    with np.errstate(over="ignore"):  # what overflows is not chosen
        return _within(np.select(conditions, choices, finer))


def _in_zones(naive: Ints, zones: Sequence[tzinfo]) -> Instants:
    """Turn local times into instants; of two that one can mean the earlier, as on the wire."""
    if len(zones) == 1:
        return _in_zone(naive, zones[0])
    us, local = _empty(len(naive)), _empty(len(naive))
    for zone in dict.fromkeys(zones):
        rows = np.array([one == zone for one in zones])
        part = _in_zone(naive[rows], zone)
        us[rows] = part.us
        if part.local is not None:
            local[rows] = part.local
    return Instants(us, local if (local != NO_TIME).any() else None)


def _in_zone(naive: Ints, zone: tzinfo) -> Instants:
    if zone is UTC:
        return Instants(naive, None)
    is_there = naive != NO_TIME
    quarters, places = np.unique(naive[is_there] // QUARTER_US, return_inverse=True)
    moments = [_EPOCH + int(quarter) * QUARTER_US * _MICROSECOND for quarter in quarters]
    first, second = (
        np.array(
            [_offset_us(moment.replace(tzinfo=zone, fold=fold)) for moment in moments], np.int64
        )
        for fold in (0, 1)
    )
    us = naive.copy()
    us[is_there] -= first[places]
    local = _empty(len(naive))
    local[is_there] = np.where((first != second)[places], naive[is_there], NO_TIME)
    local[us < SET_SINCE_US] = NO_TIME  # doubtful in any case
    return Instants(us, local if (local != NO_TIME).any() else None)


def _offset_us(moment: datetime) -> int:
    return (moment.utcoffset() or timedelta()) // _MICROSECOND


def _local_us(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text.strip().upper())
    except ValueError:
        return NO_TIME
    return NO_TIME if moment.tzinfo else (moment - _EPOCH) // _MICROSECOND


def _within(us: Ints) -> Ints:
    return np.where((us >= EARLIEST_US) & (us <= LATEST_US), us, NO_TIME)


def _ints(column: Column) -> Ints:
    found: Ints = _flat(column).fill_null(NO_TIME).to_numpy(zero_copy_only=False)
    return found.copy()


def _flat(column: Column) -> pa.Array[Any]:
    if isinstance(column, pa.Array):
        return column
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _empty(count: int) -> Ints:
    return np.full(count, NO_TIME, np.int64)
