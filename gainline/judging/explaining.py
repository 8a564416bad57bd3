"""Says of one tag what the judge's rules saw, and of which readings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from clean.columns import refuse_names, tags_of
from clean.evidence import Look, share_of_limit
from clean.witness import Hearing, hear, looks_of
from contracts.errors import DataError
from contracts.quality import Quality, Reason, words_of
from contracts.tags import TagRule
from gainline.config.loading import Settings
from gainline.config.places import rule_finder, tag_maker
from gainline.files.long_tables import open_table
from gainline.files.outfile import whole_file
from gainline.judging.cleaning import naming

Places = npt.NDArray[np.int64]

READ: Final = ("tag", "source_time", "value")
# What a person reads: of each reason the most telling ones, and a screen or two in all.
SHOWN_OF_EACH: Final = 5
SHOWN_MAX: Final = 40
PICTURES: Final = (".svg", ".png")
AROUND: Final = 3  # neighbours that are shown on each side

# What is said of a reason that has no quantity and no limit of its own.
PLAIN: Final = {
    Reason.MISSING: "no finite number",
    Reason.TYPE: "a value of another type than the tag's",
    Reason.SENTINEL: 'a number that means "no value"',
    Reason.DUPLICATE: "the same tag and time came before, with the same value",
    Reason.CONFLICT: "the same tag and time came before, with another value",
    Reason.LATE: "newer readings of the tag had their verdict already",
    Reason.GAP: "the first after a pause longer than five usual intervals",
    Reason.COUNTER: "a counter that runs backwards",
    Reason.INVENTORY: "a count of things that is negative or no whole number",
    Reason.STATE: "a state that is not known, or that chatters",
    Reason.FUTURE: "stamped more than a day later than it was received",
    Reason.SOURCE: "the source itself says so",
    Reason.TIME: "no time of its own that could be believed",
    Reason.SPIKE: "it belongs to the run that began before it",
}


@dataclass(frozen=True)
class Statement:
    """What is said of one reading."""

    place: int  # among the readings of the tag, in order of arrival
    time: str
    value: float | None
    value_clean: float | None
    quality: str
    reasons: tuple[str, ...]
    because: tuple[str, ...]  # a sentence for each reason
    saw: tuple[tuple[Look, float, float], ...]  # quantity and limit
    before: tuple[float, ...]
    after: tuple[float, ...]


@dataclass(frozen=True)
class Explanation:
    """All that is said of a tag."""

    tag: str
    unit: str | None
    rule: TagRule
    hearing: Hearing
    statements: tuple[Statement, ...]


def explain(settings: Settings, source: Path, tag: str) -> Explanation:
    """Judge a tag of a file as `clean` does, and keep why. DataError where there is none such."""
    rules = rule_finder(settings, {})
    rule = rules(tag)
    table = _readings(source, tag, {tag, *rule.machine_states, *rule.neighbours})
    with naming(source):
        hearing = hear(table, rules, tag)
    there = set(pc.unique(tags_of(table.select(["tag"])).cast(pa.string())).to_pylist())
    states = tuple(name for name in rule.machine_states if name in there)
    rule = replace(rule, machine_states=states)
    shown = _most_telling(hearing)
    hearing = hear(table, rules, tag, frozenset(shown))
    order = np.argsort(hearing.time_us, kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    said = [_statement(hearing, rule, place, (order, rank)) for place in shown]
    return Explanation(tag, tag_maker(settings)(tag, None).unit, rule, hearing, tuple(said))


def picture_path(path: Path) -> Path:
    """Give the path of a picture. Raises DataError for a name that promises none."""
    if path.suffix.lower() not in PICTURES:
        raise DataError(f"{path}: cannot be drawn as {path.suffix or 'that'}; name it .svg or .png")
    return path


def as_text(explained: Explanation, picture: Path) -> str:
    """Give lines for a person: the tag, its rules, what each saw, the readings it flagged."""
    return "".join(f"{line}\n" for line in [*_lines(explained), f"picture: {picture}"])


def as_json(explained: Explanation, picture: Path) -> str:
    """Give the same as one JSON object."""
    hearing = explained.hearing
    whole = {
        "tag": explained.tag,
        "unit": explained.unit,
        "readings": len(hearing.value),
        **_counts(hearing),
        "told": _told(explained.rule),
        "judged_as": str(explained.hearing.kind),
        "rules": [
            {"reason": word, "flagged": count, "closest": closest}
            for word, count, closest in _per_rule(hearing)
        ],
        "flagged": [_object(one) for one in explained.statements],
        "picture": str(picture),
    }
    return json.dumps(whole, ensure_ascii=False) + "\n"


def draw_to(explained: Explanation, path: Path) -> None:
    """Draw the series with its verdicts into an SVG or a PNG file, whole or not at all."""
    from gainline.judging.evidence_picture import Caption, Judged, draw  # noqa: PLC0415  # loads matplotlib

    heard = explained.hearing
    order = np.argsort(heard.time_us, kind="stable")
    judged = Judged(
        heard.time_us[order].astype("datetime64[us]"),
        heard.value[order],
        heard.value_clean[order],
        heard.quality[order],
        heard.reasons[order],
        heard.middle[order].astype(np.float64),
        heard.reach[order].astype(np.float64),
    )
    counts = ", ".join(f"{count} {name}" for name, count in _counts(heard).items() if count)
    below = f"{len(order)} readings: {counts}"
    with whole_file(path) as part:
        form = path.suffix.lower().removeprefix(".")
        draw(judged, Caption(explained.tag, below, explained.unit), part, form)


def _readings(source: Path, tag: str, tags: set[str]) -> pa.Table:
    with open_table(source) as table, naming(source):
        refuse_names(table.schema.names, ())
        parts, known = [], set[str]()
        wanted = pa.array(sorted(tags))
        for batch in table.batches(READ):
            name = tags_of(batch).cast(pa.string())
            own = batch.set_column(batch.schema.get_field_index("tag"), "tag", name)
            parts.append(own.filter(pc.is_in(name, wanted)))
            known |= {str(each) for each in name.unique().to_pylist()}
    if tag not in known:
        near = get_close_matches(tag, known, n=3)
        hint = f"; the nearest: {', '.join(near)}" if near else ""
        raise DataError(f"{source}: no reading of a tag {tag!r}{hint}")
    return pa.concat_tables(parts)


def _most_telling(hearing: Hearing) -> list[int]:
    """Choose flagged readings: a few of each reason, those furthest from what is usual first."""
    flagged = np.flatnonzero(hearing.reasons)
    away = np.nan_to_num(np.abs(hearing.value - hearing.middle)[flagged], nan=0.0)
    ranked = flagged[np.lexsort((flagged, -away, -hearing.quality[flagged]))]
    chosen: dict[int, None] = {}
    for bit in Reason:
        own = ranked[hearing.reasons[ranked] & bit != 0][:SHOWN_OF_EACH]
        chosen |= dict.fromkeys(own.tolist())
    return [place for place in ranked.tolist() if place in chosen][:SHOWN_MAX]


def _statement(
    hearing: Hearing, rule: TagRule, place: int, order_rank: tuple[Places, Places]
) -> Statement:
    order, rank = order_rank
    at = int(rank[place])
    before = hearing.value[order[max(0, at - AROUND) : at]]
    after = hearing.value[order[at + 1 : at + 1 + AROUND]]
    saw = looks_of(hearing.seen[place])
    reasons = int(hearing.reasons[place])
    said = [_sentence(bit, hearing, rule, place) for bit in Reason if reasons & bit]
    return Statement(
        place,
        time_words(int(hearing.time_us[place])),
        _number(hearing.value[place]),
        _number(hearing.value_clean[place]),
        Quality(int(hearing.quality[place])).name,
        tuple(words_of(reasons)),
        tuple(said),
        tuple((look, *pair) for look, pair in saw.items()),
        tuple(before.tolist()),
        tuple(after.tolist()),
    )


def _sentence(bit: Reason, hearing: Hearing, rule: TagRule, place: int) -> str:
    """Say why: by the look that was the furthest beyond its limit, or else in plain words."""
    if bit is Reason.RANGE:
        value = hearing.value[place] * rule.factor + rule.offset
        is_low = rule.low is not None and value < rule.low
        end, word = (rule.low, "below") if is_low else (rule.high, "above")
        return f"{word} {end:.6g}, where its range ends"
    for look, (quantity, limit) in looks_of(hearing.seen[place]).items():
        if look.reason is bit and share_of_limit(quantity, limit) >= 1.0:
            return look.words.format(quantity=f"{quantity:.4g}", limit=f"{limit:.4g}")
    return PLAIN.get(bit, f"by the rule {bit.name}".lower())


def _lines(explained: Explanation) -> Iterator[str]:
    hearing = explained.hearing
    counts = ", ".join(f"{name} {count}" for name, count in _counts(hearing).items())
    first, last = (time_words(int(end)) for end in (hearing.time_us.min(), hearing.time_us.max()))
    yield f"{explained.tag}: {len(hearing.value)} readings, {first} to {last}"
    yield f"  {counts}"
    told = ", ".join(f"{key} {value}" for key, value in _told(explained.rule).items())
    yield f"  told: {told}"
    if hearing.kind is not explained.rule.kind:
        yield f"  judged as: {hearing.kind}, by its values"
    yield "what each rule saw"
    for word, count, closest in _per_rule(hearing):
        rest = f"; of the others {closest['words']} at {closest['time']}" if closest else ""
        yield f"  {word:<11}{count} flagged{rest}"
    if explained.statements:
        yield "flagged, the most telling first"
    for one in explained.statements:
        yield from _told_of(one)
    hidden = int(np.count_nonzero(hearing.reasons)) - len(explained.statements)
    if hidden:
        yield f"  and {hidden} more"


def _told_of(one: Statement) -> Iterator[str]:
    value = _shown(np.nan if one.value is None else one.value)
    clean = "no value" if one.value_clean is None else f"{one.value_clean:.6g}"
    kept = "kept" if one.value_clean == one.value else f"cleaned: {clean}"
    yield f"  {' '.join(one.reasons)} {one.time} value {value}: {'; '.join(one.because)}"
    near, far = (" ".join(map(_shown, side)) for side in (one.before, one.after))
    yield f"    {one.quality}, {kept}; neighbours {near} | {far}"


def _shown(value: float) -> str:
    return f"{value:.6g}" if np.isfinite(value) else "none"


def _counts(hearing: Hearing) -> dict[str, int]:
    return {one.name: int(np.sum(hearing.quality == one)) for one in Quality}


def _told(rule: TagRule) -> dict[str, Any]:
    """Give what the rule says that is not said of every tag."""
    usual = TagRule()
    said = {name: getattr(rule, name) for name in TagRule.__slots__}
    told = {key: value for key, value in said.items() if value != getattr(usual, key)}
    told.pop("learns_kind", None)
    return told | {"kind": str(rule.kind)}


def _per_rule(hearing: Hearing) -> Iterator[tuple[str, int, dict[str, Any] | None]]:
    """Give for each reason how many it flagged, and what came nearest of those it let pass."""
    for bit in Reason:
        count = int(np.count_nonzero(hearing.reasons & bit))
        own = [(look, glance) for look, glance in hearing.closest.items() if look.reason is bit]
        closest = None
        if own:
            look, glance = max(
                own, key=lambda each: share_of_limit(each[1].quantity, each[1].limit)
            )
            quantity, limit = f"{glance.quantity:.4g}", f"{glance.limit:.4g}"
            closest = {
                "time": time_words(int(hearing.time_us[glance.place])),
                "quantity": glance.quantity,
                "limit": glance.limit,
                "words": look.words.format(quantity=quantity, limit=limit),
            }
        if count or closest:
            yield str(bit.name).lower(), count, closest


def _object(one: Statement) -> dict[str, Any]:
    saw = [
        {"reason": str(look.reason.name).lower(), "look": look.name, "quantity": q, "limit": limit}
        for look, q, limit in one.saw
    ]
    return {
        "source_time": one.time,
        "value": one.value,
        "value_clean": one.value_clean,
        "quality": one.quality,
        "reasons": one.reasons,
        "because": one.because,
        "saw": saw,
        "before": [_number(each) for each in one.before],
        "after": [_number(each) for each in one.after],
    }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def time_words(us: int) -> str:
    """Write a time as RFC 3339, without a fraction where there is none.

    >>> time_words(0), time_words(1_500_000)
    ('1970-01-01T00:00:00Z', '1970-01-01T00:00:01.500Z')
    """
    moment = np.datetime64(us, "us")
    whole = (np.datetime64(us // 1_000_000, "s"), np.datetime64(us // 1000, "ms"))
    return f"{next((each for each in whole if each == moment), moment)}Z"
