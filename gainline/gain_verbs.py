"""The verb `gain`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gainline.options import JsonFlag, share

gain_app = typer.Typer()


@gain_app.command()
def gain(
    panel: Annotated[
        Path, typer.Argument(help="line, period, output, unit_cost, covariates…", readable=False)
    ],
    upgrades: Annotated[Path, typer.Option(help="line, upgraded_on", readable=False)],
    level: Annotated[float, typer.Option(help="Of the intervals.", callback=share)] = 0.9,
    ramp: Annotated[int, typer.Option(help="Periods left out after an upgrade.", min=0)] = 0,
    anticipation: Annotated[int, typer.Option(help="Periods left out before it.", min=0)] = 0,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Estimate alpha and beta from a panel of lines and periods."""
    from gainline.gains import fit_files

    options = {"level": level, "ramp": ramp, "anticipation": anticipation}
    fit_files(panel, upgrades, options, as_json=as_json)
