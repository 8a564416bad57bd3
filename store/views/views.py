"""The views' SQL, with what stands in its braces put in."""

import hashlib
from importlib import resources
from typing import NamedTuple

from store.catalog import tag_names
from store.sums import rollups
from store.tables import IN_SEGMENTS, TABLES
from store.views.reasons import reason_words


class Shape(NamedTuple):
    """What a lake has that its views must heed; they pay for nothing that it has not."""

    is_catching_up: bool = False  # some readings of format 1 are in no rollup yet
    has_renamed_tags: bool = False
    has_former_units: bool = False  # of a tag the unit has changed at some time


PLAIN = Shape()


def views_sql(shape: Shape = PLAIN) -> str:
    """Give the statements that make every view, for any catalog with the tables."""
    text = resources.files("store.views").joinpath("views.sql").read_text(encoding="utf-8")
    words = rollups.view_words(is_catching_up=shape.is_catching_up)
    words = {
        name: tag_names.named_sql(f"({sql})", is_renamed=shape.has_renamed_tags)
        for name, sql in words.items()
    }
    words |= tag_names.view_words(
        has_renamed_tags=shape.has_renamed_tags, has_former_units=shape.has_former_units
    )
    for name, sql in [*words.items(), ("reasons", reason_words("r.reasons"))]:
        text = text.replace(f"{{{name}}}", sql)
    return text


def views_version(shape: Shape = PLAIN) -> str:
    """Fingerprint tables, where their rows lie, and views, to tell those of this program."""
    where = [table.path for table in IN_SEGMENTS]
    made = [*(table.ddl for table in TABLES), *where, views_sql(shape)]
    return hashlib.sha256("\n".join(made).encode()).hexdigest()
