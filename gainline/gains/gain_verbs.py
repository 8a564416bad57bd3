"""The verb `gain`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from gainline.options import JsonFlag, share

gain_app = typer.Typer()


@gain_app.command()
def gain(
    panel: Annotated[
        Path, typer.Argument(help="line, period, output, unit_cost, covariates…", readable=False)
    ],
    *,
    upgrades: Annotated[Path, typer.Option(help="line, upgraded_on", readable=False)],
    level: Annotated[float, typer.Option(help="Of the intervals.", callback=share)] = 0.9,
    ramp: Annotated[int, typer.Option(help="Periods left out after an upgrade.", min=0)] = 0,
    anticipation: Annotated[int, typer.Option(help="Periods left out before it.", min=0)] = 0,
    events: Annotated[
        Path | None, typer.Option(help="line, begins, ends, reason", readable=False)
    ] = None,
    method: Annotated[
        Literal["population", "synthetic"],
        typer.Option(help="Of many lines, or of one against a mixture of others."),
    ] = "population",
    line: Annotated[str | None, typer.Option(help="The one, if several were upgraded.")] = None,
    details: Annotated[
        bool, typer.Option("--details", help="Its course in time, and placebos.")
    ] = False,
    charts: Annotated[
        Path | None, typer.Option(help="Draw it as SVG files in this folder.", readable=False)
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Estimate alpha and beta from a panel of lines and periods."""
    from gainline.gains.fits import Asked, fit_files

    if line is not None and method != "synthetic":
        raise typer.BadParameter("--line is for --method synthetic")
    if details and method == "synthetic":
        raise typer.BadParameter("--details is for --method population")
    windows = {"ramp": ramp, "anticipation": anticipation}
    asked = Asked(method, line, level, windows, events, details, charts)
    fit_files(panel, upgrades, asked, as_json=as_json)
