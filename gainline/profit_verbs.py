"""The verb `profit`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from gainline.options import ConfigOption, JsonFlag, checked, settings_of

# A larger gain is a slip of the keyboard.
GAIN_MAX = 1000

profit_app = typer.Typer()


def _alpha(value: float) -> float:
    return checked(value, 0 <= value <= GAIN_MAX, "give a multiplier, such as 1.2 for 20 % more")


def _beta(value: float) -> float:
    return checked(value, -GAIN_MAX <= value <= 1, "give a share, such as 0.1 for 10 % less")


@profit_app.command()
def profit(
    alpha: Annotated[float, typer.Option(help="Multiplier of output.", callback=_alpha)],
    beta: Annotated[
        float, typer.Option(help="Fraction of unit variable cost removed.", callback=_beta)
    ],
    model: Annotated[
        Literal["cost_plus", "fixed_price"], typer.Option(help="What the price is.")
    ] = "cost_plus",
    config: ConfigOption = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Say what a gain does to profit."""
    from gainline.profits import profit_of

    profit_of(alpha, beta, model, settings=settings_of(config), as_json=as_json)
