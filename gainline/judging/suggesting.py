"""Learns from history what the configuration may say of tags, for a person to review."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from clean.arrow import floats, integers
from clean.history import History
from clean.physical import bounds_of
from clean.suggest import suggest
from clean.table import judge_table
from contracts.errors import ConfigError
from contracts.moments import TIME
from contracts.quality import Quality
from contracts.tags import TagRule
from gainline.config import wiring
from gainline.config.loading import Settings
from gainline.config.store_place import store_folder
from gainline.files.outfile import whole_file
from gainline.judging.cleaning import naming
from gainline.judging.histories import Part, Subject, Wish, of_file, of_store
from gainline.judging.suggested import Suggested, as_json, as_toml


def print_suggestions(
    settings: Settings, source: Path | None, wish: Wish, out: Path | None, *, in_json: bool
) -> None:
    """Print what the history of a file, or else of the store, suggests: as TOML, or as JSON.

    With `out` it is written there, whole or not at all. Raises ConfigError where something is
    there already, DataError where there is nothing to learn from.
    """
    if out is not None and out.exists():
        raise ConfigError(f"{out}: is there already; it is not overwritten")
    folder = store_folder(settings)
    parts = of_file(settings, source, wish) if source else of_store(folder, wish)
    found = suggestions(settings, parts)
    pieces = as_json(found) if in_json else as_toml(found)
    with naming(source or folder):
        if out is None:
            sys.stdout.writelines(pieces)
            sys.stdout.flush()
            return
        with whole_file(out) as part, part.open("w", encoding="utf-8") as file:
            file.writelines(pieces)
    sys.stdout.write(f"{out}\n")


def suggestions(settings: Settings, parts: Iterator[Part]) -> Iterator[Suggested]:
    """Learn tag by tag; kind and unit of a value are those that the configuration gives."""
    rule_for = wiring.rule_for(settings)
    for subjects, table in parts:
        rules = {one.tag: _plain(rule_for(one.tag), one) for one in subjects}
        judged = judge_table(table, rules.__getitem__)
        places = _places_of(table)
        with np.errstate(over="ignore", invalid="ignore"):  # of values or times of any size
            learned = {
                one.tag: suggest(
                    _history(judged.take(places[one.tag])),
                    rules[one.tag],
                    bounds_of(one.metric, one.unit),
                )
                for one in subjects
            }
        told = {tag: learned[tag].applied_to(rule) for tag, rule in rules.items()}
        again = judge_table(table, told.__getitem__)
        before, after = _bad(judged), _bad(again)
        for one in subjects:
            own = places[one.tag]
            faults = int(before[own].sum()), int(after[own].sum())
            yield Suggested(one, learned[one.tag], *faults)


def _plain(rule: TagRule, subject: Subject) -> TagRule:
    """Give a rule that knows no limit: what was configured before is not to hide what was."""
    is_hint = rule.learns_kind and rule.kind is subject.kind and not subject.is_kind_set
    return TagRule(subject.kind, factor=rule.factor, offset=rule.offset, learns_kind=is_hint)


def _places_of(table: pa.Table) -> dict[str, npt.NDArray[np.int64]]:
    """Give the rows of each tag in order of time, in order of arrival where that is equal."""
    encoded: Any = table["tag"].cast(pa.string()).combine_chunks().dictionary_encode()
    tag = encoded.indices.to_numpy()
    order = np.lexsort((_times(table), tag))
    ends = np.searchsorted(tag[order], np.arange(1, len(encoded.dictionary)))
    return dict(zip(encoded.dictionary.to_pylist(), np.split(order, ends), strict=True))


def _history(judged: pa.Table) -> History:
    """Make the history of one tag of its judged readings in order of time; the first at a time."""
    time = _times(judged)
    value = floats(judged["value"].cast(pa.float64()))
    value = np.where(np.isfinite(value), value, np.nan)
    is_first = np.append(True, np.diff(time) > 0)
    words: Any = judged["reasons"].combine_chunks()
    is_code = np.zeros(len(time), np.bool_)
    owner = pc.list_parent_indices(words).to_numpy()
    is_code[owner[np.asarray(words.flatten()) == "sentinel"]] = True
    is_sound = ~_bad(judged) & np.isfinite(value)
    return History(time[is_first], value[is_first], is_sound[is_first], is_code[is_first])


def _times(table: pa.Table) -> npt.NDArray[np.int64]:
    """Give the times in us; every reading has one."""
    return integers(table["source_time"].cast(TIME))


def _bad(judged: pa.Table) -> npt.NDArray[np.bool_]:
    return np.asarray(judged["quality"].to_numpy() == int(Quality.BAD))
