import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gainline.config.loading import Settings
from gainline.messages.probing import probe_payload

EXAMPLES = Path(__file__).parents[3].parent / "shared" / "data" / "payloads" / "gateways.jsonl"


def cases() -> Iterator[Any]:
    if not EXAMPLES.exists():
        reason = "the examples (shared/data/payloads) are not beside the repository"
        yield pytest.param({}, marks=pytest.mark.skip(reason=reason))
        return
    for line in EXAMPLES.read_text().splitlines():
        case = json.loads(line)
        yield pytest.param(case, id=case["id"])


def levels_of(name: str) -> str:
    """A dot counts as a slash."""
    return name.replace(".", "/").strip("/")


def is_as_wanted(line: dict[str, Any], wanted: dict[str, Any]) -> bool:
    tag, suffix = "/" + levels_of(line["tag"]), "/" + levels_of(wanted["tag_suffix"])
    quality = wanted["quality"]
    return (
        tag.endswith(suffix)
        and tag.endswith("/" + levels_of(line["metric"]))
        and line["quality"] in (quality if isinstance(quality, list) else [quality])
        and all(line[field] == wanted[field] for field in ("value", "text", "source_time"))
    )


def are_as_wanted(lines: list[dict[str, Any]], outcome: dict[str, Any]) -> bool:
    left = list(lines)
    for wanted in outcome.get("readings", []):
        found = next((line for line in left if is_as_wanted(line, wanted)), None)
        if found is None:
            return False
        left.remove(found)
    return not left or bool(outcome.get("extra"))


@pytest.mark.parametrize("case", list(cases()))
def test_a_payload_of_the_field_is_read_exactly(
    case: dict[str, Any], tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    payload = tmp_path / "payload"
    payload.write_text(case["payload"])
    assert probe_payload(Settings(), case["topic"], payload)
    lines = [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]
    assert any(are_as_wanted(lines, outcome) for outcome in case["expect"]), lines
