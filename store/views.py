"""The views' SQL, with what stands in its braces put in."""

import hashlib
from importlib import resources

from contracts.quality import Reason
from store import rollups
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


def reason_words(column: str) -> str:
    """Turn a column's sum of bits into its words, in SQL.

    By list_where, as a lambda cannot be stored in a view.
    """
    words = ", ".join(f"'{str(reason.name).lower()}'" for reason in Reason)
    bits = ", ".join(f"{column} & {int(reason)} <> 0" for reason in Reason)
    return (
        f"CASE WHEN {column} = 0 THEN CAST([] AS VARCHAR[])"
        f" ELSE list_where([{words}], [{bits}]) END"
    )
