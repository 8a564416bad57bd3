"""How long others take for what gainline says of a panel, in one run on one machine.

    PYTHONPATH=. PEERS/bin/python -m tests.bench.peers [--lines 200] [--periods 104] [--rounds 3]

PEERS is an environment of its own with torch==2.13.*, pandas, pyarrow, diff-diff and
bsts-causalimpact. Each is given both outcomes and the same covariates. gainline gives programme,
lines and next line; diff-diff's imputation estimator the programme; bsts-causalimpact lines, of
which some are measured and the time is counted up to all upgraded ones.
"""

from __future__ import annotations

import argparse
import time
import warnings
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from analytics import gain
from tests.bench.gain_speed import panel_of

if TYPE_CHECKING:
    from collections.abc import Callable

COVARIATES = ["mix", "weather", "log_hours"]
OUTCOMES = ("log_output", "log_cost")
LINES_MEASURED = 5  # of bsts-causalimpact, which takes each line by itself


def best_of(rounds: int, work: Callable[[], object]) -> float:
    """Give the shortest time in seconds."""
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return min(took)


def long_frame(panel: pd.DataFrame, upgrades: pd.DataFrame) -> pd.DataFrame:
    """Number the periods and say in which each line was upgraded, 0 for never."""
    frame = panel.copy()
    days = np.sort(frame["period"].unique())
    frame["t"] = np.searchsorted(days, frame["period"]) + 1
    start = dict(zip(upgrades["line"], np.searchsorted(days, upgrades["upgraded_on"]), strict=True))
    frame["start"] = [int(start.get(line, -1)) + 1 for line in frame["line"]]
    frame["log_output"], frame["log_cost"] = np.log(frame["output"]), np.log(frame["unit_cost"])
    frame["log_hours"] = np.log(frame["hours"])
    return frame


def impute(frame: pd.DataFrame) -> None:
    """Ask diff-diff for the programme's effect on both outcomes."""
    from diff_diff import ImputationDiD  # type: ignore[import-not-found]  # noqa: PLC0415  # a peer

    for outcome in OUTCOMES:
        ImputationDiD().fit(
            frame,
            outcome=outcome,
            unit="line",
            time="t",
            first_treat="start",
            covariates=COVARIATES,
        )


def by_line(frame: pd.DataFrame, lines: list[str]) -> None:
    """Ask bsts-causalimpact for some lines, each beside the mean of the never-upgraded ones."""
    from causal_impact import (  # type: ignore[import-not-found]  # noqa: PLC0415  # a peer
        CausalImpact,
    )

    never = frame[frame["start"] == 0].groupby("t")[list(OUTCOMES)].mean()
    for line in lines:
        own = frame[frame["line"] == line].set_index("t").sort_index()
        start = int(own["start"].iloc[0])
        before, after = own.index[own.index < start], own.index[own.index >= start]
        for outcome in OUTCOMES:
            data = pd.DataFrame({"y": own[outcome], "never": never[outcome].reindex(own.index)})
            for name in COVARIATES:
                data[name] = own[name]
            data.index = pd.RangeIndex(len(data))
            CausalImpact(
                data,
                [0, len(before) - 1],
                [len(before), len(before) + len(after) - 1],
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=200)
    parser.add_argument("--periods", type=int, default=104)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    tables = panel_of(asked.lines, asked.periods, 7)
    frame = long_frame(tables[0].table.to_pandas(), tables[1].table.to_pandas())
    upgraded = sorted(frame.loc[frame["start"] > 0, "line"].unique())
    some = upgraded[:: max(len(upgraded) // LINES_MEASURED, 1)][:LINES_MEASURED]
    gain.fit(*tables)  # what is loaded once is loaded
    ours = best_of(asked.rounds, lambda: gain.fit(*tables))
    imputed = best_of(asked.rounds, lambda: impute(frame))
    lines_s = best_of(1, lambda: by_line(frame, some)) * len(upgraded) / len(some)
    print(f"{asked.lines} lines x {asked.periods} periods, {len(upgraded)} upgraded, both outcomes")
    for name, seconds in (
        ("gainline", ours),
        ("diff-diff ImputationDiD", imputed),
        ("bsts-causalimpact, counted up", lines_s),
    ):
        print(f"{name:30s} {seconds:9.3f} s  {seconds / ours:8.1f} x")


if __name__ == "__main__":
    main()
