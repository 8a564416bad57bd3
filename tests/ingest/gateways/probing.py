"""What a payload decodes to, as the tests of the families compare it."""

from __future__ import annotations

import json
from typing import Any

from ingest.decode import decode
from ingest.probe import probe_lines
from ingest.readings import Decoded, Refusal, Rules

TOPIC = "lyon/line1/press"


def outcome_of(payload: object, topic: str = TOPIC, rules: Rules | None = None) -> Any:  # noqa: ANN401
    """Decode a text as it is, anything else as JSON."""
    sent = payload if isinstance(payload, str) else json.dumps(payload)
    return decode(topic, sent.encode(), rules or Rules())


def lines_of(payload: object, topic: str = TOPIC, rules: Rules | None = None) -> list[Any]:
    """Decode and show as `gainline probe` does."""
    outcome = outcome_of(payload, topic, rules)
    assert isinstance(outcome, Decoded), outcome
    return probe_lines(outcome)


def values_of(payload: object, topic: str = TOPIC) -> dict[str, Any]:
    """Give the value or text of each tag, without the topic; no tag comes twice."""
    lines = lines_of(payload, topic)
    found = {
        line["tag"].removeprefix(topic).removeprefix("/"): (
            line["text"] if line["value"] is None else line["value"]
        )
        for line in lines
    }
    assert len(found) == len(lines)
    return found


def times_of(payload: object, topic: str = TOPIC, rules: Rules | None = None) -> set[str | None]:
    """Give the source times."""
    return {line["source_time"] for line in lines_of(payload, topic, rules)}


def verdicts_of(payload: object, topic: str = TOPIC) -> dict[str, tuple[str, list[str]]]:
    """Give quality and reasons of each tag, without the topic."""
    return {
        line["tag"].removeprefix(topic + "/"): (line["quality"], line["reasons"])
        for line in lines_of(payload, topic)
    }


def found_in(payload: object, topic: str = TOPIC) -> list[tuple[str, Any, str]]:
    """Give name without the topic, value or text, and quality of each reading, in their order."""
    return [
        (
            line["tag"].removeprefix(topic).removeprefix("/"),
            line["text"] if line["value"] is None else line["value"],
            line["quality"],
        )
        for line in lines_of(payload, topic)
    ]


def refusal_of(payload: object, topic: str = TOPIC) -> Refusal:
    """Decode what must be refused."""
    outcome = outcome_of(payload, topic)
    assert isinstance(outcome, Refusal), outcome
    return outcome
