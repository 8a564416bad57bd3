"""The views' SQL, with what stands in its braces put in."""

import hashlib
from importlib import resources
from typing import NamedTuple

from contracts.quality import Reason
from store import rollups, tag_names
from store.tables import TABLES


class Shape(NamedTuple):
    """What a lake has that its views must heed; they pay for nothing that it has not."""

    is_catching_up: bool = False  # some readings of format 1 are in no rollup yet
    has_renamed_tags: bool = False
    has_former_units: bool = False  # of a tag the unit has changed at some time


PLAIN = Shape()


def views_sql(shape: Shape = PLAIN) -> str:
    """Give the statements that make every view, for any catalog with the tables."""
    text = resources.files("store").joinpath("views.sql").read_text(encoding="utf-8")
    words = rollups.view_words(is_catching_up=shape.is_catching_up)
    words = {
        name: tag_names.named_sql(f"({sql})", is_renamed=shape.has_renamed_tags)
        for name, sql in words.items()
    }
    words |= tag_names.view_words(
        has_renamed_tags=shape.has_renamed_tags, has_former_units=shape.has_former_units
    )
    for name, sql in [*words.items(), ("reasons", _reason_words("r.reasons"))]:
        text = text.replace(f"{{{name}}}", sql)
    return text


def views_version(shape: Shape = PLAIN) -> str:
    """Fingerprint tables and views, to know whether a lake has those of this program."""
    made = [*(table.ddl for table in TABLES), views_sql(shape)]
    return hashlib.sha256("\n".join(made).encode()).hexdigest()


def _reason_words(column: str) -> str:
    """Turn a sum of bits into its words: by list_where, as a lambda cannot be stored in a view."""
    words = ", ".join(f"'{str(reason.name).lower()}'" for reason in Reason)
    bits = ", ".join(f"{column} & {int(reason)} <> 0" for reason in Reason)
    return (
        f"CASE WHEN {column} = 0 THEN CAST([] AS VARCHAR[])"
        f" ELSE list_where([{words}], [{bits}]) END"
    )
