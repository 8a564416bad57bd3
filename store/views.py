"""The views' SQL, with what stands in its braces put in."""

import hashlib
from importlib import resources

from store import rollups
from store.reasons import reason_words
from store.tables import TABLES


def views_sql(*, is_catching_up: bool = False) -> str:
    """Give the statements that make every view, for any catalog with the tables.

    `is_catching_up`: some readings of format 1 are in no rollup yet.
    """
    text = resources.files("store").joinpath("views.sql").read_text(encoding="utf-8")
    words = rollups.view_words(is_catching_up=is_catching_up)
    for name, sql in [*words.items(), ("reasons", reason_words("r.reasons"))]:
        text = text.replace(f"{{{name}}}", sql)
    return text


def views_version(*, is_catching_up: bool = False) -> str:
    """Fingerprint tables and views, to know whether a lake has those of this program."""
    made = [*(table.ddl for table in TABLES), views_sql(is_catching_up=is_catching_up)]
    return hashlib.sha256("\n".join(made).encode()).hexdigest()
