"""What is suggested of tags, written: as TOML with the grounds of each line, or as JSON."""

from __future__ import annotations

import glob
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clean.history import US_PER_S
from clean.suggest import SHARES

if TYPE_CHECKING:
    from clean.suggest import Suggestion, Value
    from gainline.judging.histories import Subject

HEAD = """\
# Suggested by `gainline suggest` from what was read; for a person to review. A range of readings
# is not a limit of physics: where the data sheet or the process says more, write that instead.
# Put these before more general [[tags]]: of each key the first pattern that matches counts.
"""
VALUE_WIDTH = 36  # columns before the comment: most lines are shorter


@dataclass(frozen=True)
class Suggested:
    """What is suggested of one tag, and what it would do to the readings it was learned from."""

    subject: Subject
    suggestion: Suggestion
    faults: int  # readings that are BAD without the suggestion
    faults_with: int  # and with it


def as_toml(found: Iterable[Suggested]) -> Iterator[str]:
    """Give a `[[tags]]` table for each tag that there is something to say of, a piece each."""
    head = HEAD  # with the first tag: an error before it leaves nothing behind
    for one in found:
        yield head + "\n" + "".join(line + "\n" for line in _table(one))
        head = ""


def as_json(found: Iterable[Suggested]) -> Iterator[str]:
    """Give a JSON list, one object a tag and a line."""
    separator = "["
    for one in found:
        yield separator + json.dumps(_object(one), ensure_ascii=False)
        separator = ",\n"
    yield "]\n"


def quoted(text: str) -> str:
    r"""Write a text as TOML does.

    >>> quoted('a"b\x7f')
    '"a\\"b\\u007f"'
    """
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _table(one: Suggested) -> Iterator[str]:
    subject, learned = one.subject, one.suggestion
    if not learned.proposals:
        yield f"# Nothing is suggested of {quoted(subject.tag)}."
    else:
        yield "[[tags]]"
        # brackets take the meaning from *, ? and [ in the name of a tag
        yield f"pattern = {quoted(glob.escape(subject.tag))}"
    yield from (f"# {words}" for words in _seen(one))
    if learned.proposals and all(each.key != "kind" for each in learned.proposals):
        by = "set by hand" if subject.is_kind_set else "by its name, or as it is configured"
        yield _line("kind", quoted(str(subject.kind)), by)
    if learned.proposals and subject.unit:
        yield _line("unit", quoted(subject.unit), "as it is known")
    for proposal in learned.proposals:
        yield _line(proposal.key, _value(proposal.value), proposal.because)
    yield from (f"# {note}" for note in learned.notes)


def _seen(one: Suggested) -> Iterator[str]:
    learned = one.suggestion
    span = f"{_time(learned.first_us)} to {_time(learned.last_us)}"
    interval = "" if learned.interval_s is None else f", usually {learned.interval_s:.6g} s apart"
    yield f"{learned.readings} readings, {span}{interval}"
    step = f", in steps of {learned.resolution:g}" if learned.resolution else ""
    if learned.quantiles:
        shares = " ".join(f"{share:g}" for share in SHARES)
        values = " ".join(f"{value:.6g}" for value in learned.quantiles)
        yield f"sound: {learned.sound}{step}; quantiles {shares}: {values}"
    before, after = one.faults, one.faults_with
    yield f"BAD among them: {before} without what is written here, {after} with it"


def _line(key: str, value: str, because: str) -> str:
    """Write one key with its grounds."""
    return f"{f'{key} = {value}':<{VALUE_WIDTH}} # {because}"


def _value(value: Value) -> str:
    if isinstance(value, str):
        return quoted(str(value))
    if isinstance(value, tuple):
        return f"[{', '.join(map(repr, value))}]"
    return repr(value)


def _time(us: int) -> str:
    return f"{np.datetime64(us // US_PER_S, 's')}Z"


def _object(one: Suggested) -> dict[str, object]:
    subject, learned = one.subject, one.suggestion
    return {
        "tag": subject.tag,
        "kind": str(subject.kind),
        "unit": subject.unit,
        **_figures(learned),
        "bad": one.faults,
        "bad_with_suggestion": one.faults_with,
        "suggested": {each.key: each.value for each in learned.proposals},
        "because": {each.key: each.because for each in learned.proposals},
        "notes": list(learned.notes),
    }


def _figures(learned: Suggestion) -> dict[str, object]:
    return {
        "readings": learned.readings,
        "sound": learned.sound,
        "first": _time(learned.first_us),
        "last": _time(learned.last_us),
        "interval_s": learned.interval_s,
        "resolution": learned.resolution,
        "quantiles": dict(zip(map(str, SHARES), learned.quantiles, strict=False)),
    }
