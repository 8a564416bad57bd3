"""The verb `kpi`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from gainline.ending import interruptible
from gainline.options import (
    ConfigOption,
    FromOption,
    JsonFlag,
    StoreOption,
    ToOption,
    settings_of,
)

kpi_app = typer.Typer()


@kpi_app.command()
def kpi(
    by: Annotated[
        Literal["shift", "day", "week", "all"], typer.Option("--by", help="What a row is of.")
    ] = "shift",
    line: Annotated[str | None, typer.Option(help="Of one line alone.")] = None,
    begin: FromOption = None,
    end: ToOption = None,
    store: StoreOption = None,
    *,
    config: ConfigOption = None,
    stops: Annotated[bool, typer.Option("--stops", help="List the stops instead.")] = False,
    pareto: Annotated[
        Literal["losses", "stops"] | None,
        typer.Option(help="Sum up the losses, or the stops by reason, instead."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Tell the KPIs of lines by ISO 22400-2: OEE, losses, energy and carbon."""
    from gainline.kpis.answers import When, show_kpis, show_stops

    if begin is not None and end is not None and end <= begin:
        raise typer.BadParameter(f"--to {end} is not after --from {begin}")
    if pareto and stops:
        raise typer.BadParameter("--stops lists stops, --pareto sums up: give one of them")
    when = When(begin, end)
    settings = settings_of(config, store=store)
    if pareto:
        from gainline.kpis.pareto import show_pareto

        interruptible(lambda: show_pareto(settings, pareto, line, when, in_json=as_json))
    elif stops:
        interruptible(lambda: show_stops(settings, line, when, in_json=as_json))
    else:
        interruptible(lambda: show_kpis(settings, by, line, when, in_json=as_json))
