"""The verb `profit`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

import typer

from gainline.ending import interruptible
from gainline.options import ChartsOption, ConfigOption, JsonFlag, checked, settings_of

# A larger gain is a slip of the keyboard.
GAIN_MAX = 1000

profit_app = typer.Typer()


def _alpha(value: float | None) -> float | None:
    fix = "give a multiplier, such as 1.2 for 20 % more"
    return None if value is None else checked(value, 0 < value <= GAIN_MAX, fix)


def _beta(value: float | None) -> float | None:
    fix = "give a share, such as 0.1 for 10 % less"
    return None if value is None else checked(value, -GAIN_MAX <= value < 1, fix)


def _target(text: str) -> tuple[str, float]:
    """Read a target.

    >>> _target("npv=0")
    ('npv', 0.0)
    """
    key, _, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise typer.BadParameter(f"{text!r} is no target; write --target npv=0")
    return key.strip(), number


@profit_app.command()
def profit(
    alpha: Annotated[
        float | None, typer.Option(help="Multiplier of output.", callback=_alpha)
    ] = None,
    beta: Annotated[
        float | None, typer.Option(help="Fraction of unit variable cost removed.", callback=_beta)
    ] = None,
    panel: Annotated[
        Path | None, typer.Option(help="Fit the gain of this panel instead.", readable=False)
    ] = None,
    upgrades: Annotated[
        Path | None, typer.Option(help="Its upgrades: line, upgraded_on", readable=False)
    ] = None,
    config: ConfigOption = None,
    *,
    model: Annotated[
        Literal["cost_plus", "fixed_price"] | None, typer.Option(help="What the price is.")
    ] = None,
    tornado: Annotated[
        bool, typer.Option("--tornado", help="Also what each input does to the present value.")
    ] = False,
    target: Annotated[
        list[str] | None,
        typer.Option(help="Also which gain it needs: npv=0, payback_years=3, …; repeatable."),
    ] = None,
    scenarios: Annotated[
        bool, typer.Option("--scenarios", help="Also under each of the scenarios.")
    ] = False,
    charts: ChartsOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Say what a gain does to profit: one that is known, or that of a panel."""
    if (panel, upgrades) == (None, None):
        if alpha is None or beta is None:
            raise typer.BadParameter("give --alpha and --beta, or --panel and --upgrades")
    elif panel is None or upgrades is None or (alpha, beta) != (None, None):
        raise typer.BadParameter("--panel and --upgrades go together, without --alpha and --beta")
    targets = tuple(_target(text) for text in target or ())
    from analytics.profit.targets import KEYS
    from gainline.decisions.profits import Asked, show_profit

    unknown = next((key for key, _ in targets if key not in KEYS), None)
    if unknown is not None:
        raise typer.BadParameter(f"no target is called {unknown!r}; give one of {', '.join(KEYS)}")
    asked = Asked(alpha, beta, panel, upgrades, model, tornado, targets, scenarios, charts)
    interruptible(lambda: show_profit(settings_of(config), asked, as_json=as_json))
