"""The views' SQL, with the words of the house's reasons put in."""

import hashlib
from importlib import resources

from contracts.quality import Reason
from store.tables import TABLES


def views_sql() -> str:
    """Give the statements that make every view, for any catalog with the tables."""
    text = resources.files("store").joinpath("views.sql").read_text(encoding="utf-8")
    words = _reason_words("r.reasons")
    return text.replace("{future}", str(int(Reason.FUTURE))).replace("{reasons}", words)


def views_version() -> str:
    """Fingerprint tables and views, to know whether a lake has those of this program."""
    made = [*(table.ddl for table in TABLES), views_sql()]
    return hashlib.sha256("\n".join(made).encode()).hexdigest()


def _reason_words(column: str) -> str:
    """Turn a sum of bits into its words: by list_where, as a lambda cannot be stored in a view."""
    words = ", ".join(f"'{str(reason.name).lower()}'" for reason in Reason)
    bits = ", ".join(f"{column} & {int(reason)} <> 0" for reason in Reason)
    return (
        f"CASE WHEN {column} = 0 THEN CAST([] AS VARCHAR[])"
        f" ELSE list_where([{words}], [{bits}]) END"
    )
