"""Values one gain under each scenario of the configuration, side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from analytics.profit import Economics
from contracts.errors import ConfigError
from gainline.config.loading import Settings
from gainline.config.sections import Section

AS_CONFIGURED = "as configured"


def economics_of(
    settings: Settings, line: Callable[[Settings], Economics]
) -> list[tuple[str, Economics]]:
    """Give the economics as configured, then those of each scenario, by name.

    `line` makes economics of settings. Energy that costs more makes the unit cost more, unless
    the scenario says what a unit costs, or a plant that unit cost is worked out of.
    Raises ConfigError for a name that is there twice and for scenarios that contradict themselves.
    """
    check_scenarios(settings)
    found = [(AS_CONFIGURED, line(settings))]
    for scenario in settings.scenarios:
        changed = msgspec.structs.replace(
            settings,
            economics=_changed(settings.economics, scenario.economics),
            prices=_changed(settings.prices, scenario.prices),
        )
        follows = settings.economics.plant is not None or scenario.economics.unit_cost is not None
        try:
            if follows:
                found.append((scenario.name, line(changed)))
                continue
            at_old = msgspec.structs.replace(
                changed.prices, energy_per_kwh=settings.prices.energy_per_kwh
            )
            economics = line(msgspec.structs.replace(changed, prices=at_old))
            found.append(
                (scenario.name, economics.with_energy_price(changed.prices.energy_per_kwh))
            )
        except ConfigError as problem:
            raise ConfigError(f"scenario {scenario.name}: {problem}") from None
    return found


def check_scenarios(settings: Settings) -> None:
    """Raise ConfigError for a name that is there twice."""
    names = [AS_CONFIGURED, *(scenario.name for scenario in settings.scenarios)]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"scenarios: the name {name!r} is there twice; give each its own")


def _changed(section: Any, change: Section) -> Any:  # noqa: ANN401  # a section of any kind
    said = {
        key: value for key, value in msgspec.structs.asdict(change).items() if value is not None
    }
    return msgspec.structs.replace(section, **said)
