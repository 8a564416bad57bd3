"""How often the truth lies in the interval where the lines of a site share shocks.

    python -m tests.bench.site_coverage [--seeds 60]

Eight sites of five lines, 60 weeks, no effect; the shocks of a site are as large as its lines' own
noise, or none. Four sites are upgraded as a whole, or two lines of every site.
"""

from __future__ import annotations

import argparse
import datetime as dt

import numpy as np
import pyarrow as pa

from analytics import gain
from contracts.panel import Panel, Upgrades

SITES, LINES, WEEKS, START = 8, 5, 60, 35


def panel_of(seed: int, *, shock: float, is_whole: bool) -> tuple[pa.Table, Upgrades]:
    """Draw a panel without any effect; `shock` is the step of a site's own memory of .7."""
    rng = np.random.default_rng(seed)
    count = SITES * LINES
    noise, shocks = rng.normal(0, 0.04, (2, count, WEEKS)), rng.normal(0, shock, (2, SITES, WEEKS))
    for week in range(1, WEEKS):
        noise[:, :, week] += 0.5 * noise[:, :, week - 1]
        shocks[:, :, week] += 0.7 * shocks[:, :, week - 1]
    site = np.repeat(np.arange(SITES), LINES)
    logs = noise + shocks[:, site]
    is_upgraded = site < SITES // 2 if is_whole else np.arange(count) % LINES < 2
    days = [dt.date(2024, 1, 1) + dt.timedelta(weeks=week) for week in range(WEEKS)]
    table = pa.table(
        {
            "line": [f"L{n:02}" for n in range(count) for _ in days],
            "site": [f"site {site[n]}" for n in range(count) for _ in days],
            "period": days * count,
            "output": np.exp(6 + logs[0]).ravel(),
            "unit_cost": np.exp(2 + logs[1]).ravel(),
        }
    )
    names = [f"L{n:02}" for n in np.flatnonzero(is_upgraded)]
    return table, Upgrades(pa.table({"line": names, "upgraded_on": [days[START]] * len(names)}))


def inside(table: pa.Table, upgrades: Upgrades) -> list[bool]:
    """Tell whether no effect lies in the programme's two intervals."""
    found = gain.fit(Panel(table), upgrades)
    return [found.alpha.low < 1 < found.alpha.high, found.beta.low < 0 < found.beta.high]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=60)
    asked = parser.parse_args()
    print("shock  upgraded      inside, site untold  told")
    for shock in (0.05, 0.0):
        for is_whole in (True, False):
            hits: dict[bool, list[bool]] = {True: [], False: []}
            for seed in range(asked.seeds):
                table, upgrades = panel_of(seed, shock=shock, is_whole=is_whole)
                hits[True] += inside(table, upgrades)
                hits[False] += inside(table.drop_columns(["site"]), upgrades)
            name = "whole sites" if is_whole else "of each site"
            untold, told = (np.mean(hits[which]) for which in (False, True))
            print(f"{shock:5.2f}  {name:13s} {untold:18.3f} {told:6.3f}", flush=True)


if __name__ == "__main__":
    main()
