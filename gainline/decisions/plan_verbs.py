"""The verbs `plan pilot` and `plan rollout`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gainline.ending import interruptible
from gainline.options import ChartsOption, ConfigOption, JsonFlag, checked, settings_of, share

plan_app = typer.Typer(no_args_is_help=True)

PanelArgument = Annotated[
    Path, typer.Argument(help="line, period, output, unit_cost, covariates…", readable=False)
]


def _money(value: float | None) -> float | None:
    good = value is None or 0 <= value < float("inf")
    return None if value is None else checked(value, good, "give a number that is not negative")


BudgetOption = Annotated[
    float | None, typer.Option(help="Money for all lines together.", callback=_money)
]


def _alpha(value: float | None) -> float | None:
    fix = "give a multiplier above 1, such as 1.05"
    return None if value is None else checked(value, 1 < value < 1000, fix)


def _beta(value: float | None) -> float | None:
    fix = "give a share above 0, such as 0.03"
    return None if value is None else checked(value, 0 < value < 1, fix)


@plan_app.command("pilot")
def pilot(
    panel: PanelArgument,
    alpha: Annotated[
        float | None, typer.Option(help="Alpha that it should show.", callback=_alpha)
    ] = None,
    beta: Annotated[
        float | None, typer.Option(help="Beta that it should show.", callback=_beta)
    ] = None,
    line_count: Annotated[
        list[int] | None, typer.Option(help="So many pilot lines; repeatable.", min=1)
    ] = None,
    periods: Annotated[
        list[int] | None, typer.Option(help="So many periods after; repeatable.", min=1)
    ] = None,
    *,
    upgrades: Annotated[
        Path | None, typer.Option(help="Upgrades so far: line, upgraded_on", readable=False)
    ] = None,
    line: Annotated[
        list[str] | None, typer.Option(help="A line that may be a pilot; repeatable.")
    ] = None,
    budget: BudgetOption = None,
    power: Annotated[
        float, typer.Option(help="Probability to show the gain.", callback=share)
    ] = 0.8,
    runs: Annotated[int, typer.Option(help="Placebo upgrades of each design.", min=20)] = 100,
    seed: Annotated[int, typer.Option(help="Of all that is drawn.", min=0)] = 1,
    config: ConfigOption = None,
    charts: ChartsOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Design a pilot before an upgrade: how many lines, how long, which gain it could show."""
    from gainline.decisions.plans import PilotAsked, show_pilot

    asked = PilotAsked(
        panel=panel,
        upgrades=upgrades,
        hoped=(alpha, beta),
        line_counts=tuple(line_count or ()),
        period_counts=tuple(periods or ()),
        lines=tuple(line or ()),
        budget=budget,
        power=power,
        run_count=runs,
        seed=seed,
    )
    settings = settings_of(config)
    interruptible(lambda: show_pilot(settings, asked, charts, as_json=as_json))


@plan_app.command("rollout")
def rollout(
    panel: PanelArgument,
    upgrades: Annotated[Path, typer.Option(help="line, upgraded_on", readable=False)],
    budget: BudgetOption = None,
    costs: Annotated[
        Path | None,
        typer.Option(help="line, investment, running_cost_per_year", readable=False),
    ] = None,
    *,
    wait: Annotated[
        int, typer.Option(help="Also what it is worth to wait so many periods.", min=0)
    ] = 0,
    pilots: Annotated[
        int, typer.Option(help="Lines that are upgraded at once to learn from.", min=0)
    ] = 0,
    config: ConfigOption = None,
    charts: ChartsOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Decide on the roll-out after an upgrade: which lines, at what risk, now or later."""
    if pilots and not wait:
        raise typer.BadParameter(
            "--pilots is for --wait: give how many periods they are learnt from"
        )
    from gainline.decisions.plans import RolloutAsked, show_rollout

    asked = RolloutAsked(panel, upgrades, budget, costs, wait, pilots)
    settings = settings_of(config)
    interruptible(lambda: show_rollout(settings, asked, charts, as_json=as_json))
