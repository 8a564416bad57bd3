import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.decode import decode
from ingest.probe import probe_lines
from ingest.readings import Decoded, Refusal
from tests.ingest.payloads import payloads

POISON = Path(__file__).parents[2].parent / "shared" / "data" / "poison"
TS = 1_767_225_600_000


@pytest.mark.parametrize(
    ("topic", "code"),
    [
        ("spBv1.0/G/NDATA/E", "sparkplug"),
        ("plant/+/a", "bad_topic"),
        ("plant/\0", "bad_topic"),
        ("plant/\udcff", "bad_topic"),
        ("", "bad_topic"),
        ("x" * 2000, "bad_topic"),
    ],
)
def test_a_topic_that_cannot_be_a_tag_is_refused(topic: str, code: str) -> None:
    outcome = decode(topic, b"1")
    assert isinstance(outcome, Refusal)
    assert outcome.code == code


@pytest.mark.parametrize(
    "topic", ["../../etc/x", "//etc/x", "a%2Fb", "x'; drop --", "<b>", "\u202e"]
)
def test_an_odd_topic_is_kept_as_it_came(topic: str) -> None:
    assert [line["tag"] for line in probe_lines(decode(topic, b"1"))] == [topic]


@given(st.text(st.characters(), max_size=20), payloads)
@example("t", b'{"ts":' + b"[" * 100_000)
@example("t", b'"' + b'\\"' * 100_000 + b"[" * 40)
@example("t", b'{"ts": 1, "a": ' + b"9" * 5000 + b"}")
@example("t", b'{"ts": NaN, "a": "\\ud800"}')
@example("t", b"\xef\xbb\xbf\xef\xbb\xbf1")
def test_any_bytes_are_read_or_refused_and_never_an_exception(topic: str, payload: bytes) -> None:
    outcome = decode(topic, payload)
    assert isinstance(outcome, Decoded | Refusal)
    for line in probe_lines(outcome):
        json.dumps(line, allow_nan=False).encode()


def poison_cases() -> Iterator[Any]:
    manifest = POISON / "manifest.jsonl"
    if not manifest.exists():
        reason = "the malformed messages (shared/data/poison) are not beside the repository"
        yield pytest.param({}, marks=pytest.mark.skip(reason=reason))
        return
    for line in manifest.read_text().splitlines():
        case = json.loads(line)
        if "topic" in case and "send" not in case and "before" not in case:
            yield pytest.param(case, id=case["id"])


def poison_of(case: dict[str, Any]) -> bytes:
    if "file" in case:
        return (POISON / str(case["file"])).read_bytes()
    parts = [
        "".join(part["text"].replace("{i}", str(i)) for i in range(part.get("times", 1)))
        if "{i}" in part["text"]
        else part["text"] * part.get("times", 1)
        for part in case["parts"]
    ]
    return "".join(parts).replace("@NOW+3600000", str(TS)).encode()


def is_stored(lines: list[dict[str, Any]], outcome: dict[str, Any]) -> bool:
    if "readings" not in outcome:
        return bool(lines)
    if len(lines) != len(outcome["readings"]) and not outcome.get("extra"):
        return False
    return all(
        any(
            all(
                line[field] in (allowed if isinstance(allowed, list) else [allowed])
                for field, allowed in wanted.items()
            )
            for line in lines
        )
        for wanted in outcome["readings"]
    )


@pytest.mark.parametrize("case", list(poison_cases()))
def test_a_malformed_message_ends_as_its_manifest_allows(case: dict[str, Any]) -> None:
    lines = probe_lines(decode(case["topic"], poison_of(case)))
    refused = f"{lines[0]['refused']} {lines[0]['detail']}" if "refused" in lines[0] else None
    allowed = {outcome["outcome"]: outcome for outcome in case["expect"]}
    if refused is not None:
        assert re.search(allowed["dead_letter"]["reason"], refused, re.IGNORECASE), refused
    else:
        stored = [one for one in case["expect"] if one["outcome"] == "stored"]
        assert any(is_stored(lines, outcome) for outcome in stored), lines
