"""Shows where every message went: the ledger and the dead letters."""

import sys
from pathlib import Path

import typer

from contracts.errors import DataError
from gainline.output import Format, as_json, as_text, print_answer
from store.query import fetch_rows

LEDGER_SQL = (
    "SELECT *, received = stored + duplicate + dead_letter AS balances FROM ledger ORDER BY gateway"
)
# Of a payload a list shows the beginning; `show` writes all of it.
DEAD_LETTERS_SQL = """
SELECT position, received_time, gateway, topic, reason,
       EXISTS (SELECT 1 FROM house.dead_letter_replays AS p WHERE p.position = d.position)
           AS replayed,
       payload[1:60] AS begins
FROM house.dead_letters AS d
WHERE ? IS NULL OR split_part(reason, ':', 1) = ?
ORDER BY position DESC LIMIT 1000
"""


def show_ledger(store: Path, *, in_json: bool) -> bool:
    """Print the ledger; tell whether received = stored + duplicate + dead letter throughout."""
    names, rows = fetch_rows(store, LEDGER_SQL)
    sys.stdout.write(as_json(names, rows) if in_json else as_text(names, rows))
    return all(row[names.index("balances")] for row in rows)


def list_dead_letters(store: Path, form: Format, reason: str | None = None) -> None:
    """Print the newest dead letters, newest first: all, or those with the code of a reason."""
    print_answer(store, DEAD_LETTERS_SQL, form, (reason, reason))


def show_dead_letter(store: Path, position: int) -> None:
    """Write the payload of one dead letter to standard output, byte for byte."""
    _, rows = fetch_rows(
        store, "SELECT payload FROM house.dead_letters WHERE position = ?", (position,)
    )
    if not rows:
        raise DataError(f"no dead letter has the position {position}; see `dead-letters list`")
    typer.echo(rows[0][0], nl=False)
