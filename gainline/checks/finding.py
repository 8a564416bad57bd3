"""One thing that `doctor` has looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from contracts.errors import GainlineError


@dataclass(frozen=True)
class Finding:
    """What is, and the remedy where it is bad; what is doubtful may be meant so."""

    subject: str
    is_good: bool
    words: str
    is_doubtful: bool = False

    def __str__(self) -> str:
        grade = "BAD " if not self.is_good else "warn" if self.is_doubtful else "ok  "
        return f"{grade} {self.subject}: {self.words}"


def look(subject: str, check: Callable[[], str]) -> Finding:
    """Do a check; what it raises is bad."""
    try:
        return Finding(subject, is_good=True, words=check())
    except GainlineError as problem:
        return Finding(subject, is_good=False, words=str(problem))
    except OSError as problem:
        words = f"{problem.filename}: {problem.strerror}: give this user the right to"
        return Finding(subject, is_good=False, words=words)
