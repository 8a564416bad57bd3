"""Answers `profit`: what a gain that is known does to profit."""

from __future__ import annotations

import json
import sys

from analytics import profit
from gainline.config import Settings
from gainline.valuation import stated_economics


def profit_of(alpha: float, beta: float, model: str, *, settings: Settings, as_json: bool) -> None:
    """Print what a known gain does to profit."""
    if model == "cost_plus":
        answer = {"profit_ratio": profit.cost_plus(alpha=alpha, beta=beta)}
    else:
        answer = _fixed_price(alpha, beta, settings)
    if as_json:
        json.dump(answer, sys.stdout, allow_nan=False)
        sys.stdout.write("\n")
        return
    for name, value in answer.items():
        sys.stdout.write(f"{name}  {value:.6g}\n")


def _fixed_price(alpha: float, beta: float, settings: Settings) -> dict[str, float]:
    earned = profit.at(alpha, beta, stated_economics(settings))
    figures = {
        "profit_before": earned.before,
        "profit_after": earned.after.estimate,
        "npv": earned.npv.estimate,
    }
    return figures if earned.ratio is None else {"profit_ratio": earned.ratio.estimate, **figures}
