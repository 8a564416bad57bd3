"""Decodes one payload as ingest would, for the verb `probe`."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import typer

from contracts.errors import DataError
from gainline.config import wiring
from gainline.config.loading import Settings
from ingest.decode import decode
from ingest.probe import probe_lines
from ingest.readings import Decoded, Refusal


def probe_payload(settings: Settings, topic: str, file: Path | None) -> bool:
    """Print one JSON object a reading, or the one of a refusal; tell whether it was read.

    Without a file the payload is standard input.
    """
    payload = _bytes_of(file) if file else sys.stdin.buffer.read()
    rules = wiring.rules(settings)
    outcome = decode(topic, payload, rules, received_us=time.time_ns() // 1000)
    parts: Sequence[Decoded | Refusal] = [outcome]
    if rules.privacy is not None and not isinstance(outcome, Refusal):
        parts, left_out = rules.privacy.shown(topic, outcome)
        if left_out:
            typer.echo(f"gainline: {left_out} readings are left out by [privacy]", err=True)
    lines = [msgspec.json.encode(line) + b"\n" for part in parts for line in probe_lines(part)]
    sys.stdout.buffer.write(b"".join(lines))
    sys.stdout.flush()
    return not isinstance(outcome, Refusal)


def _bytes_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as problem:
        raise DataError(f"{file}: cannot be read: {problem.strerror}") from None
