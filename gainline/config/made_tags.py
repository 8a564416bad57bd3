"""The tags that the judge makes of waveforms, as entries of the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from clean.waveforms import IN_UNIT, Features
from contracts.tags import Kind, Place, Tag

# How many of the judged readings came as they are: the others are features of waveforms. The
# store is asked for no more than their tags where there is no waveform.
JUDGED_SQL = f"""
(SELECT count(*) FROM clean.readings) - (SELECT count(*) FROM clean.readings WHERE tag IN (
    SELECT m.tag FROM tags AS m JOIN tags AS t ON t.kind = 'waveform'
    AND regexp_matches(m.tag, '/({"|".join(Features._fields)})$')
    AND t.tag = m.tag[:-strpos(reverse(m.tag), '/') - 1]))
""".strip()  # noqa: S608  # of our own words


def made_of(tag: str) -> tuple[str, str] | None:
    """Give the tag and the feature that a tag is of, by its name; None where it names none.

    >>> made_of("s/a/l/m/vibration_raw/rms"), made_of("s/a/l/m/force")
    (('s/a/l/m/vibration_raw', 'rms'), None)
    """
    source, _, feature = tag.rpartition("/")
    return (source, feature) if feature in Features._fields else None


def made_tag(plain: Tag, known: Mapping[str, Tag]) -> Tag:
    """Give a tag as it is if the judge makes it of a waveform that is known, else `plain`.

    It stands where the waveform stands, and has its unit where a feature has one, unless the
    configuration gives it one of its own.

    >>> raw = Tag("l/m/raw", Place(line="l", metric="raw"), "g", Kind.WAVEFORM)
    >>> plain = Tag("l/m/raw/rms", Place(), None, Kind.GAUGE)
    >>> made_tag(plain, {"l/m/raw": raw}).place.metric, made_tag(plain, {"l/m/raw": raw}).unit
    ('raw/rms', 'g')
    """
    source, feature = made_of(plain.tag) or ("", "")
    waveform = known.get(source)
    if waveform is None or waveform.kind is not Kind.WAVEFORM:
        return plain
    return _beside(waveform, plain, feature)


def new_entries(made: Iterable[str], known: Mapping[str, Tag]) -> list[Tag]:
    """Make the entries of tags that the judge has made and the catalogue does not know yet.

    The judge may know before the catalogue that a tag is a waveform.
    """
    plain = [Tag(tag, Place(), None, Kind.GAUGE) for tag in made if tag not in known]
    sources = [made_of(tag.tag) or ("", "") for tag in plain]
    return [
        _beside(known[source], tag, feature)
        for tag, (source, feature) in zip(plain, sources, strict=True)
        if source in known
    ]


def _beside(waveform: Tag, plain: Tag, feature: str) -> Tag:
    metric = "/".join(filter(None, (waveform.place.metric, feature)))
    unit = waveform.unit if feature in IN_UNIT else None
    return replace(
        plain,
        place=replace(waveform.place, metric=metric),
        unit=plain.unit or unit,
        kind=Kind.GAUGE,
    )
