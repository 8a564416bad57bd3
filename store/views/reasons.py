"""The reasons of a verdict in words, in SQL."""

from contracts.quality import Reason


def reason_words(column: str) -> str:
    """Turn a column's sum of bits into its words: by list_where, as no view holds a lambda."""
    words = ", ".join(f"'{str(reason.name).lower()}'" for reason in Reason)
    bits = ", ".join(f"{column} & {int(reason)} <> 0" for reason in Reason)
    return (
        f"CASE WHEN {column} = 0 THEN CAST([] AS VARCHAR[])"
        f" ELSE list_where([{words}], [{bits}]) END"
    )
