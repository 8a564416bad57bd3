"""How often the truth lies in the interval where the lines of a site share shocks.

    python -m tests.bench.site_coverage [--seeds 120] [--first-seed 0]

Forty lines on eight, three or two sites, 60 weeks, no effect; the shocks of a site are as large as
its lines' own noise, or none. Inside, the interval's width and the error are of both outcomes, on
logs.
"""

from __future__ import annotations

import argparse
import datetime as dt

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from analytics import gain
from contracts.outcome import Interval
from contracts.panel import Panel, Upgrades

COUNT, WEEKS, START = 40, 60, 35
SHOCK = 0.05  # step of a site's own memory of .7
LATER = (25, 33, 41, 49)  # weeks of the upgrades that come one after the other
UPGRADED = {  # lines of each site
    "whole sites": [5, 0] * 4,
    "of each site": [2] * 8,
    "unequal": [0, 1, 2, 3, 4, 5, 2, 1],
    "staggered": [2] * 8,
    "three sites": [6] * 3,
    "two sites": [10] * 2,
}
LAYOUTS = tuple(UPGRADED)


def panel_of(seed: int, *, shock: float, layout: str) -> tuple[pa.Table, Upgrades]:
    """Draw a panel without any effect; the layout says which lines are upgraded, and when."""
    rng = np.random.default_rng(seed)
    upgraded_of = np.array(UPGRADED[layout])
    noise = rng.normal(0, 0.04, (2, COUNT, WEEKS))
    shocks = rng.normal(0, shock, (2, len(upgraded_of), WEEKS))
    for week in range(1, WEEKS):
        noise[:, :, week] += 0.5 * noise[:, :, week - 1]
        shocks[:, :, week] += 0.7 * shocks[:, :, week - 1]
    site = np.arange(COUNT) * len(upgraded_of) // COUNT
    place = np.arange(COUNT) - np.searchsorted(site, site)  # of a line on its site
    logs = noise + shocks[:, site]
    days = [dt.date(2024, 1, 1) + dt.timedelta(weeks=week) for week in range(WEEKS)]
    table = pa.table(
        {
            "line": [f"L{n:02}" for n in range(COUNT) for _ in days],
            "site": [f"site {site[n]}" for n in range(COUNT) for _ in days],
            "period": days * COUNT,
            "output": np.exp(6 + logs[0]).ravel(),
            "unit_cost": np.exp(2 + logs[1]).ravel(),
        }
    )
    upgraded = np.flatnonzero(place < upgraded_of[site])
    weeks = np.resize(LATER, len(upgraded)) if layout == "staggered" else [START] * len(upgraded)
    dates = {
        "line": [f"L{n:02}" for n in upgraded],
        "upgraded_on": [days[week] for week in weeks],
    }
    return table, Upgrades(pa.table(dates))


def judged(table: pa.Table, upgrades: Upgrades) -> npt.NDArray[np.float64]:
    """Say of both outcomes (2, 3) whether no effect is inside, how wide and how far off."""
    found = gain.fit(Panel(table), upgrades)
    beta = found.beta
    cost = Interval(1 - beta.estimate, 1 - beta.high, 1 - beta.low)
    return np.array(
        [
            [one.low < 1 < one.high, np.log(one.high / one.low), np.log(one.estimate)]
            for one in (found.alpha, cost)
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=120)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--layouts", default=",".join(LAYOUTS))
    asked = parser.parse_args()
    print("shock  upgraded      site    inside  width  root mean square error")
    for shock in (SHOCK, 0.0):
        for layout in asked.layouts.split(","):
            rows: dict[str, list[npt.NDArray[np.float64]]] = {"untold": [], "told": []}
            for seed in range(asked.first_seed, asked.first_seed + asked.seeds):
                table, upgrades = panel_of(seed, shock=shock, layout=layout)
                rows["told"].append(judged(table, upgrades))
                rows["untold"].append(judged(table.drop_columns(["site"]), upgrades))
            for name, found in rows.items():
                inside, width, away = np.concatenate(found).T
                figures = (
                    f"{inside.mean():.3f} {width.mean():6.4f} {np.sqrt(np.mean(away**2)):6.4f}"
                )
                print(f"{shock:5.2f}  {layout:13s} {name:7s} {figures}", flush=True)


if __name__ == "__main__":
    main()
