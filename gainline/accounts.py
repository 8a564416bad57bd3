"""Shows where every message went: the ledger and the dead letters."""

import sys
from pathlib import Path

import pyarrow as pa
import typer

from contracts.errors import DataError
from gainline.output import Format, as_json, as_text, format_named, print_table
from store.query import fetch

LEDGER_SQL = (
    "SELECT gateway, received, stored, duplicate, dead_letter,"
    " received = stored + duplicate + dead_letter AS balances FROM ledger ORDER BY gateway"
)
# Of a payload a list shows the beginning; `show` writes all of it.
DEAD_LETTERS_SQL = (
    "SELECT position, received_time, gateway, topic, reason, payload[1:60] AS begins"
    " FROM house.dead_letters ORDER BY position DESC LIMIT 1000"
)


def show_ledger(store: Path, *, in_json: bool) -> bool:
    """Print the ledger; tell whether received = stored + duplicate + dead letter throughout."""
    table = fetch(store, LEDGER_SQL)
    if in_json:
        sys.stdout.write(as_json(table).decode())
    else:
        sys.stdout.write(as_text(table))
    return balances(table)


def balances(ledger: pa.Table) -> bool:
    """Tell whether every row of a ledger balances; an empty one does."""
    return all(ledger["balances"].to_pylist())


def list_dead_letters(store: Path, form: str) -> None:
    """Print the newest dead letters, newest first."""
    print_table(fetch(store, DEAD_LETTERS_SQL), Format(format_named(form)))


def show_dead_letter(store: Path, position: int) -> None:
    """Write the payload of one dead letter to standard output, byte for byte."""
    rows = fetch(
        store, "SELECT payload FROM house.dead_letters WHERE position = ?", (position,)
    ).to_pylist()
    if not rows:
        raise DataError(f"no dead letter has the position {position}; see `dead-letters list`")
    typer.echo(rows[0]["payload"], nl=False)
