"""Does to one file what the services do to a stream: decodes a payload, judges a table."""

import sys
from pathlib import Path

import msgspec

from clean.table import judge_table
from contracts.errors import DataError
from gainline import wiring
from gainline.config import Settings
from gainline.tables import read_table, refuse_ending, write_table
from ingest.decode import decode
from ingest.probe import probe_lines
from ingest.readings import Refusal


def probe_payload(settings: Settings, topic: str, file: Path | None) -> bool:
    """Print one JSON object a reading, or the one of a refusal; tell whether it was read.

    Without a file the payload is standard input.
    """
    payload = _bytes_of(file) if file else sys.stdin.buffer.read()
    outcome = decode(topic, payload, wiring.rules(settings))
    lines = [msgspec.json.encode(line) + b"\n" for line in probe_lines(outcome)]
    sys.stdout.buffer.write(b"".join(lines))
    sys.stdout.flush()
    return not isinstance(outcome, Refusal)


def clean_file(settings: Settings, source: Path, target: Path) -> None:
    """Judge a table of readings and write it back, row for row, with the verdicts."""
    refuse_ending(target)
    table = read_table(source, columns=("tag", "source_time", "value"))
    try:
        judged = judge_table(table, wiring.rule_for(settings))
    except DataError as problem:
        raise DataError(f"{source}: {problem}") from None
    write_table(judged, target)


def _bytes_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as problem:
        raise DataError(f"{file}: cannot be read: {problem.strerror}") from None
