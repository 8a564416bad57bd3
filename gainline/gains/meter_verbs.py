"""The verb `baseline`."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from gainline.options import JsonFlag, share

meter_app = typer.Typer()


def day(text: str) -> date:
    """Read a day. Raises typer.BadParameter.

    >>> day("2026-03-02")
    datetime.date(2026, 3, 2)
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no day; write 2026-03-02") from None


@meter_app.command()
def baseline(
    meter: Annotated[Path, typer.Argument(help="date, usage, temperature", readable=False)],
    *,
    reporting_from: Annotated[
        date, typer.Option(metavar="DAY", help="From when on it should save.", parser=day)
    ],
    baseline_until: Annotated[
        date | None, typer.Option(metavar="DAY", help="Before which it did not yet.", parser=day)
    ] = None,
    level: Annotated[float, typer.Option(help="Of the interval.", callback=share)] = 0.9,
    as_json: JsonFlag = False,
) -> None:
    """Say what one meter has saved since a day, the weather being equal."""
    from gainline.gains.meters import show_saving

    show_saving(meter, (baseline_until or reporting_from, reporting_from), level, as_json=as_json)
