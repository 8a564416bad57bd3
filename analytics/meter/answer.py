"""A saving as the JSON object of the command `baseline`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contracts.meter import Saving


def as_answer(saving: Saving) -> dict[str, Any]:
    """Write a saving as nested objects of numbers and words; warnings are a list."""
    answer = asdict(saving)
    answer["warnings"] = list(saving.warnings)
    return answer
