"""Judges a range of time again, with the rules and the configuration as they are now."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from clean.blocks import READINGS_MAX, feature_tags, source_of
from contracts.batches import CleanBatch
from contracts.quality import Quality, words_of
from contracts.tags import Kind, TagRule
from gainline.bar import progress_bar
from gainline.config import wiring
from gainline.config.loading import Settings
from gainline.config.made_tags import new_entries
from gainline.config.rules_in_force import rules_in_force
from gainline.config.store_place import store_folder
from gainline.output import as_text
from store.lake import Lake
from store.place.folder import Folder
from store.rejudging.history import JudgedTag, Span
from store.rejudging.rejudging import Outcome, Rejudging

if TYPE_CHECKING:
    import numpy.typing as npt

    from clean.judge import Judge

# A judge that begins in the middle first learns a tag from so many of its readings before. What it
# learns of a tag it forgets by half in 460 readings or sooner: of what it does not know after so
# many, less than a thousandth would be left.
RUN_UP_READINGS = 5_000
# Arrivals taken at once, as many readings at most: with fewer the asking takes the time, and more
# take memory, of which all that works here uses some 700 MB.
ARRIVALS_AT_ONCE = 131_072
# Of a waveform so many before: two blocks as long as they may be, after which it does not matter
# where a judge has begun. What it knows of features it learns from those that are stored.
RUN_UP_WAVEFORM = 2 * READINGS_MAX


@dataclass(frozen=True)
class Wish:
    """What is to be judged again: the tags that match a pattern, all without one."""

    span: Span
    pattern: str | None = None


class Done(NamedTuple):
    """What was judged again, or would be: of so many tags, by rules of a number."""

    outcome: Outcome
    tag_count: int
    version: int | None = None


def rejudge(settings: Settings, wish: Wish, *, is_dry_run: bool = False) -> Done:
    """Judge again and replace the verdicts, all of them in one snapshot.

    The judge takes the readings as they arrived, as a running one does: what a tag's verdicts
    depend on, which is its readings before, those of the tags that its rule names, and so many
    after that the last verdict is final. Raises as store.lake.Lake; TransientError while another
    process judges again.
    """
    folder = store_folder(settings)
    Folder(folder).require_store()
    with (
        Lake.open(folder, writer="rejudge") as lake,
        closing(lake.rejudging(wish.span)) as rejudging,
    ):
        known = lake.known_tags()
        work = _Work(rejudging, wiring.rule_for(settings, known), wish.pattern, set(known))
        if not work.tags:
            return Done(Outcome(0, {}), 0)
        from clean.judge import Judge  # noqa: PLC0415  # loads numba: nothing to do needs none

        work.judge_all(Judge(work.rule, wiring.judge_settings(settings)))
        if is_dry_run:
            return Done(rejudging.compare(), len(work.tags))
        lake.revise_tags(lambda known: new_entries(sorted(work.made), known))
        version = lake.rule_version(*rules_in_force(settings, known))
        return Done(rejudging.replace(wish.pattern, version), len(work.tags), version)


def show_rejudged(done: Done, wish: Wish, *, is_dry_run: bool, in_json: bool) -> None:
    """Print what was done, with every change of a verdict and how often it came."""
    rows = [
        (_verdict(*change[:2]), _verdict(*change[2:]), count)
        for change, count in sorted(done.outcome.changes.items(), key=lambda item: -item[1])
    ]
    sys.stdout.write(_as_object(done, wish, is_dry_run) if in_json else _in_words(done, is_dry_run))
    if rows and not in_json:
        sys.stdout.write(as_text(("before", "after", "readings"), rows))


class _Work:
    """The way of the readings through the judge."""

    def __init__(
        self,
        rejudging: Rejudging,
        rule: Callable[[str], TagRule],
        pattern: str | None,
        known: set[str],
    ) -> None:
        self.rule = rule
        self._rejudging, self._span, self._known = rejudging, rejudging.span, known
        self.tags = _chosen(rejudging.judged_tags, pattern)
        self._raw = {each.tag for each in self.tags if each.is_raw}
        self._last = max((each.last_arrival for each in self.tags), default=-1)
        # readings that have a verdict, and no new one yet, by their tag
        self._waiting: Counter[str] = Counter()
        # Where features were made, those after the last are for the running judge to tell.
        self._until = dict[str, int]()
        for each in self.tags:
            if not each.is_raw:
                source = source_of(each.tag)
                self._until[source] = max(self._until.get(source, -1), each.last_arrival)
        self.made = set[str]()  # tags of features that were told

    def judge_all(self, judge: Judge) -> None:
        """Hand the new verdicts on."""
        self._rejudging.choose([each.tag for each in self.tags])
        first = min(each.first_arrival for each in self.tags)
        inputs = self._needed_by(self._raw)
        starts = self._rejudging.run_up(inputs, before=first, count=RUN_UP_READINGS)
        starts |= self._begin_waveforms(judge, inputs, first)
        begin, end = min(starts.values(), default=first), self._rejudging.last_arrival()
        with progress_bar("judging", self._last - begin) as advance:
            while begin <= end and starts:
                batch = self._rejudging.raw(starts, first=begin, limit=ARRIVALS_AT_ONCE)
                self._waiting.update(self._meant(batch.table)[1])
                self._take(judge, judge.push(batch))
                begin += ARRIVALS_AT_ONCE
                advance(ARRIVALS_AT_ONCE)
                if begin > self._last:  # only verdicts that are not final yet need more
                    unfinished = {tag for tag, count in self._waiting.items() if count > 0}
                    unfinished |= judge.untold(self._last) & self._raw
                    starts = {tag: starts[tag] for tag in self._needed_by(unfinished)}
        self._take(judge, judge.finish())

    def _begin_waveforms(self, judge: Judge, inputs: Sequence[str], first: int) -> dict[str, int]:
        """Tell the judge the features of waveforms so far; say where to begin with these."""
        waveforms = [tag for tag in inputs if self.rule(tag).kind is Kind.WAVEFORM]
        if not waveforms:
            return {}
        judge.begin(waveforms, first)
        made = [name for tag in waveforms for name in feature_tags(tag)]
        judge.push(self._rejudging.made(made, before=first, count=RUN_UP_READINGS))
        return self._rejudging.run_up(waveforms, before=first, count=RUN_UP_WAVEFORM)

    def _take(self, judge: Judge, judged: CleanBatch) -> None:
        is_meant, counts = self._meant(judged.table)
        self._waiting.subtract(counts)
        meant = CleanBatch(judged.table.filter(pa.array(is_meant)))
        self.made |= judge.made_in(meant)
        self._rejudging.add(meant)

    def _meant(self, readings: pa.Table) -> tuple[npt.NDArray[np.bool_], dict[str, int]]:
        """Tell which readings are to be judged again, and how many of each tag.

        The count leaves out what is made of other readings.
        """
        coded: Any = readings["tag"].combine_chunks().dictionary_encode()
        names, numbers = coded.dictionary.to_pylist(), coded.indices.to_numpy()
        is_raw = np.array([name in self._raw for name in names], np.bool_)
        is_made = np.array([source_of(name) in self._raw for name in names], np.bool_)
        lasts = [
            self._last if name in self._raw else self._until.get(source_of(name), self._last)
            for name in names
        ]
        is_old = np.asarray(readings["arrival"].to_numpy() <= np.array(lasts, np.int64)[numbers])
        is_meant = (is_raw | is_made)[numbers] & is_old & self._span.holds(readings)
        counts = np.bincount(numbers[is_meant], minlength=len(names))
        return is_meant, {names[number]: int(counts[number]) for number in np.flatnonzero(is_raw)}

    def _needed_by(self, tags: Iterable[str]) -> list[str]:
        """List tags with those that their verdicts depend on, as far as the lake knows them."""
        found, waiting = dict[str, None](), list(tags)
        while waiting:
            tag = waiting.pop()
            if tag not in found:
                found[tag] = None
                rule = self.rule(tag)
                waiting += self._known.intersection([*rule.neighbours, *rule.machine_states])
                waiting += feature_tags(tag) if rule.kind is Kind.WAVEFORM else []
                waiting += [source_of(tag)] if self._is_made(tag) else []
        return [tag for tag in found if not self._is_made(tag)]

    def _is_made(self, tag: str) -> bool:
        """Tell whether a tag is a feature of a waveform that the lake knows."""
        source = source_of(tag)
        is_waveform = source in self._known and self.rule(source).kind is Kind.WAVEFORM
        return is_waveform and tag in feature_tags(source)


def _chosen(tags: Sequence[JudgedTag], pattern: str | None) -> list[JudgedTag]:
    """Pick the tags that match; what is made of a tag is judged with it, under whichever name."""
    raw = {each.tag for each in tags if each.is_raw}
    matching = [
        each.tag if each.is_raw else source_of(each.tag)
        for each in tags
        if pattern is None or fnmatchcase(each.tag, pattern)
    ]
    sources = raw.intersection(matching)
    return [each for each in tags if (each.tag if each.is_raw else source_of(each.tag)) in sources]


def _in_words(done: Done, is_dry_run: bool) -> str:  # noqa: FBT001  # the one way or the other
    outcome, changed = done.outcome, sum(done.outcome.changes.values())
    if not outcome.replaced:
        return "nothing was judged in that range: nothing to judge again\n"
    by = "" if done.version is None else f", by rules {done.version}"
    words = (
        f"{outcome.replaced} readings of {done.tag_count} tags"
        f" {'would be' if is_dry_run else 'were'} judged again{by}: {changed} verdicts"
        f" {'would change' if is_dry_run else 'changed'}\n"
    )
    if outcome.added or outcome.removed:
        words += f"readings made of others: {outcome.added} more, {outcome.removed} less\n"
    return words


def _as_object(done: Done, wish: Wish, is_dry_run: bool) -> str:  # noqa: FBT001  # as above
    outcome, span = done.outcome, wish.span
    changes = [
        {
            "old_quality": Quality(change.old_quality).name,
            "old_reasons": words_of(change.old_reasons),
            "new_quality": Quality(change.new_quality).name,
            "new_reasons": words_of(change.new_reasons),
            "readings": count,
        }
        for change, count in sorted(outcome.changes.items(), key=lambda item: -item[1])
    ]
    said: Mapping[str, object] = {
        "from": span.start.isoformat(),
        "to": span.end.isoformat() if span.end else None,
        "tag": wish.pattern,
        "dry_run": is_dry_run,
        "rule_version": done.version,
        "tags": done.tag_count,
        "replaced": outcome.replaced,
        "changed": sum(outcome.changes.values()),
        "added": outcome.added,
        "removed": outcome.removed,
        "changes": changes,
    }
    return json.dumps(said) + "\n"


def _verdict(quality: int, reasons: int) -> str:
    """Say a verdict.

    >>> _verdict(2, 16)
    'BAD spike'
    """
    return " ".join([Quality(quality).name, *words_of(reasons)])
