"""The layouts of native payloads: those of one layout are read many at once."""

from __future__ import annotations

from datetime import UTC
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np

from ingest import native
from ingest.native import IDENTITY, NAMELESS, RESERVED
from ingest.readings import Context, Limits, PayloadError
from ingest.shapes import DOCUMENT_READERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt


# Each layout is a type of its own, of some kilobytes. A plant has tens of them; messages of further
# ones are read one by one.
LAYOUTS_MAX = 256

# The quotes of a payload: around each name; around three more names, and two texts. As these are
# the fewest that it can have, one more in the mean of many says that a name comes twice in one of
# them, where a parser would keep the last.
_QUOTES_OF_NAME = 2
_QUOTES_COUNTED = 2 * (3 + 2)
_COLUMNS_DEPTH = 2
# What is parsed at once: objects of so many bytes stay near the processor until they are columns.
AT_ONCE_BYTES = 1 << 18

_BYTES_EACH = 1_000  # of a payload in which braces and quotes are rare
_LINE_END, _OPEN, _CLOSE, _QUOTE = b'\n{}"'
_LABELS = (b"gateway", b"epoch")


class Counted(NamedTuple):
    """Gateway, epoch and count of each message."""

    gateways: list[str]
    epochs: list[str]
    seqs: npt.NDArray[np.int64]


class Read(NamedTuple):
    """What is in payloads of one layout, in order of message, metric, time."""

    times: npt.NDArray[np.int64]  # of each message once, since 1970, in whatever unit
    values: npt.NDArray[np.float64]
    lengths: npt.NDArray[np.int64]  # of a message: the times of each of its metrics
    counted: Counted | None  # None: no message names its gateway


class Layout:
    """Objects with a time, or a list of times, and the same metrics in the same order.

    Native ones with numbers alone: what `decode` makes of them can be told of all at once.
    """

    def __init__(self, names: tuple[str, ...], *, number: int, is_columns: bool) -> None:
        self.names = names
        self.number = number
        self.is_columns = is_columns
        self.paths = tuple("" if name == NAMELESS else name for name in names)
        fields = [f"metric_{number}" for number in range(len(names))]
        whole: object = list[int] if is_columns else int
        number_type: object = list[float] if is_columns else float
        kind = msgspec.defstruct(
            "Native",
            [
                ("ts", whole),
                *((field, number_type) for field in fields),
                ("gateway", str | None, None),
                ("epoch", str | None, None),
                ("seq", int | None, None),
            ],
            rename=dict(zip(fields, names, strict=True)),
            forbid_unknown_fields=True,
            gc=False,
        )
        self._read = msgspec.json.Decoder(kind)
        self._metrics = attrgetter(*fields)

    @property
    def is_single(self) -> bool:
        """Whether it is one number of the topic itself."""
        return self.paths == ("",) and not self.is_columns

    def has(self, payload: bytes) -> bool:
        """Tell whether a payload may be of this layout."""
        try:
            self._read.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return False
        return True

    def read(self, payloads: Sequence[bytes], limits: Limits) -> Read | None:
        """Read payloads; None if any is not of this layout, or beyond a limit, or may be odd."""
        size = max(1, len(payloads) * AT_ONCE_BYTES // (1 + sum(map(len, payloads))))
        parts = []
        for start in range(0, len(payloads), size):
            part = self._read_part(payloads[start : start + size], limits)
            if part is None:
                return None
            parts.append(part)
        if len({part.counted is None for part in parts}) > 1:
            return None
        return parts[0] if len(parts) == 1 else _joined(parts)

    def _read_part(self, payloads: Sequence[bytes], limits: Limits) -> Read | None:
        lines, count = b"\n".join(payloads), len(payloads)
        quotes = _quotes_of_objects(lines, payloads, limits.payload_bytes)
        least = _QUOTES_OF_NAME * (1 + len(self.names))
        if quotes not in (least, least + _QUOTES_COUNTED) or not self._is_plain(lines, limits):
            return None
        if len(self.names) > 1 and not self._is_in_order(lines, count):
            return None
        try:
            sent = self._read.decode_lines(lines)
            counted = None if quotes == least else _counted_of(sent)
            if quotes == least or counted is not None:
                return self._gathered(sent, counted, limits)
        except (msgspec.DecodeError, UnicodeDecodeError, OverflowError):
            return None
        return None

    def _is_plain(self, lines: bytes, limits: Limits) -> bool:
        names = 1 + len(self.names) + len(IDENTITY)
        return (
            b"\\" not in lines
            and limits.fields >= names
            and limits.depth >= (_COLUMNS_DEPTH if self.is_columns else 1)
        )

    def _is_in_order(self, lines: bytes, count: int) -> bool:
        """Tell whether the metrics of each line are in the order of the layout.

        Between quotes are names and two texts. If the first line has the layout's order, and each
        other line the same names in the same places, all have.
        """
        between = lines.split(b'"')[1::2]
        size = len(between) // count
        first = between[:size]
        metrics = [name.encode() for name in self.names]
        if [name for name in first if name in metrics] != metrics:
            return False
        texts = {first.index(label) + 1 for label in _LABELS if label in first}
        return all(
            between[place::size].count(name) == count
            for place, name in enumerate(first)
            if place not in texts
        )

    def _gathered(self, sent: list[Any], counted: Counted | None, limits: Limits) -> Read | None:
        size, count = len(self.names), len(sent)
        metrics: Iterable[Any] = map(self._metrics, sent)
        if size > 1:
            metrics = chain.from_iterable(metrics)
        if not self.is_columns:
            times = np.fromiter([one.ts for one in sent], np.int64, count)
            values = np.fromiter(metrics, np.float64, count * size)
            return Read(times, values, np.ones(count, np.int64), counted)
        columns = list(metrics)
        lengths = np.fromiter([len(one.ts) for one in sent], np.int64, count)
        lengths_of_columns = np.fromiter(map(len, columns), np.int64, count * size)
        if (
            lengths.min() == 0
            or lengths.max() * size > limits.readings
            or not (lengths_of_columns == np.repeat(lengths, size)).all()
        ):
            return None
        total = int(lengths_of_columns.sum())
        stamps = chain.from_iterable([one.ts for one in sent])
        times = np.fromiter(stamps, np.int64, total // size)
        values = np.fromiter(chain.from_iterable(columns), np.float64, total)
        return Read(times, values, lengths, counted)


class Layouts:
    """The layouts that payloads have been found to have."""

    def __init__(self) -> None:
        self._known: dict[tuple[tuple[str, ...], bool], Layout] = {}
        self.all: list[Layout] = []  # by their numbers

    def of(self, payload: bytes) -> Layout | None:
        """Tell the layout of a payload; None if it has none, or there are too many."""
        key = _key_of(payload)
        if key is None:
            return None
        layout = self._known.get(key)
        if layout is None and len(self._known) < LAYOUTS_MAX:
            names, is_columns = key
            layout = Layout(names, number=len(self.all), is_columns=is_columns)
            self._known[key] = layout
            self.all.append(layout)
        return layout


def _key_of(payload: bytes) -> tuple[tuple[str, ...], bool] | None:
    """Give metrics, and whether they are columns, of an object that may be native; else None."""
    try:
        document = msgspec.json.decode(payload, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    is_columns = type(document.get("ts")) is list
    kinds = (list,) if is_columns else (int, float)
    metrics = {name: sent for name, sent in document.items() if name not in RESERVED}
    if (
        "ts" not in document
        or not metrics
        or any(type(one) not in kinds for one in metrics.values())
    ):
        return None
    return (tuple(metrics), is_columns) if _is_native(document) else None


def _is_native(document: dict[str, Any]) -> bool:
    """Tell whether no family of gateways takes an object that is asked before the native shapes."""
    context = Context("", Limits(), UTC)
    try:
        reads = (read for read in DOCUMENT_READERS if read(document, context) is not None)
        return next(reads, None) is native.read_object
    except PayloadError:  # one takes it, and finds it broken
        return False


def _joined(parts: list[Read]) -> Read:
    times, values, lengths, counted = zip(*parts, strict=True)
    whole = None
    if counted[0] is not None:
        gateways, epochs, seqs = zip(*counted, strict=True)
        whole = Counted(
            list(chain.from_iterable(gateways)),
            list(chain.from_iterable(epochs)),
            np.concatenate(seqs),
        )
    return Read(np.concatenate(times), np.concatenate(values), np.concatenate(lengths), whole)


def _quotes_of_objects(lines: bytes, payloads: Sequence[bytes], bytes_max: int) -> float:
    """Give the mean of quotes in payloads that were joined to lines; 0 if any is no flat object.

    As many line ends and braces as there are payloads, one brace at each end of a payload, mean
    that each payload is one line and one object.
    """
    count = len(payloads)
    sizes = np.fromiter(map(len, payloads), np.int64, count)
    if sizes.min() < len("{}") or sizes.max() > bytes_max:
        return 0
    data = np.frombuffer(lines, np.uint8)
    ends = np.cumsum(sizes + 1) - 1
    if not (data[ends - sizes] == _OPEN).all() or not (data[ends - 1] == _CLOSE).all():
        return 0
    # of the two ways to count, the first takes time for each that is found, the other for each byte
    is_rare = len(lines) > _BYTES_EACH * count
    line_ends, opened, closed, quotes = (
        lines.count(byte) if is_rare else int(np.count_nonzero(data == byte))
        for byte in (_LINE_END, _OPEN, _CLOSE, _QUOTE)
    )
    return quotes / count if (line_ends, opened, closed) == (count - 1, count, count) else 0


def _counted_of(sent: list[Any]) -> Counted | None:
    gateways = [one.gateway for one in sent]
    epochs = [one.epoch for one in sent]
    seqs = [one.seq for one in sent]
    if None in gateways or None in epochs or None in seqs:
        return None
    counts = np.fromiter(seqs, np.int64, len(seqs))
    return None if counts.min() < 0 else Counted(gateways, epochs, counts)
