"""Shows what a message decodes to, as `gainline probe` prints it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

from contracts.message import Message
from contracts.notes import SAID
from contracts.quality import Quality, words_of
from ingest.readings import Refusal
from ingest.rows import Rows

if TYPE_CHECKING:
    from contracts.notes import Note
    from ingest.readings import Decoded

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_NAIVE = _EPOCH.replace(tzinfo=None)


def probe_lines(outcome: Decoded | Refusal) -> list[dict[str, object]]:
    """Give one object per reading, or the one object of a refusal or a note, ready for JSON.

    The readings pass through the table that ingest would store.

    >>> from ingest.decode import decode
    >>> probe_lines(decode("line1/press/force", b"2"))[0]["metric"]
    'force'
    """
    if isinstance(outcome, Refusal):
        return [{"refused": outcome.code, "detail": outcome.words}]
    if outcome.note is not None:
        return [_said(outcome.note)]
    rows = Rows()
    rows.add(Message(0, outcome.topic, b"", 0, retained=False), outcome, "")
    table = rows.table(first_arrival=0)
    columns = ("tag", "value", "text", "source_quality", "source_reasons")
    times = table["source_time"].cast(pa.int64()).to_pylist()
    lines = zip(times, *(table[name].to_pylist() for name in columns), strict=True)
    return [
        {
            "tag": tag,
            "metric": tag[len(outcome.topic) + 1 :] or tag.rpartition("/")[2],
            "source_time": None if us is None else rfc3339_of(us),
            "value": value,
            "text": text,
            "quality": Quality(quality).name,
            "reasons": words_of(reasons),
        }
        for us, tag, value, text, quality, reasons in lines
    ]


def _said(note: Note) -> dict[str, object]:
    said = {name: getattr(note, name) for name in SAID}
    times = {
        name: rfc3339_of((moment - _EPOCH) // timedelta(microseconds=1))
        for name, moment in said.items()
        if isinstance(moment, datetime)
    }
    return {"note_id": note.note_id, **said, **times, "kind": str(note.kind)}


def rfc3339_of(us: int) -> str:
    """Write microseconds since 1970 as RFC 3339 in UTC.

    >>> rfc3339_of(1_767_225_600_000_001)
    '2026-01-01T00:00:00.000001Z'
    """
    moment = _EPOCH_NAIVE + timedelta(microseconds=us)
    return moment.isoformat(timespec="microseconds") + "Z"
