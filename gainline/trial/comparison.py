"""Compares the panel built from readings with the books of the plant that sent them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contracts.errors import DataError
from contracts.panel import Panel

# A counter's step over midnight of a Sunday may be rounded once on each side.
EXACT = 1e-6


@dataclass(frozen=True)
class Comparison:
    """Relative differences of the panel from the books over the line-weeks that both have."""

    compared: int  # line-weeks in both
    missing: int  # line-weeks of the books that the panel left out
    exact: int  # line-weeks whose output equals the books
    output_max: float
    unit_cost_max: float
    output_total: float  # of the sums over all of them, signed

    def __str__(self) -> str:
        return (
            f"{self.compared} line-weeks compared, {self.missing} left out; output equal in"
            f" {self.exact}, off by at most {self.output_max:.2%} in one and by"
            f" {self.output_total:+.3%} in all; unit cost off by at most {self.unit_cost_max:.2%}"
        )


def compare_with_books(panel: Panel, books: Panel) -> Comparison:
    """Match line-weeks and compare. Raises DataError where the books lack one of the panel's."""
    truth = {(row["line"], row["period"]): row for row in books.table.to_pylist()}
    rows = panel.table.to_pylist()
    unknown = [row for row in rows if (row["line"], row["period"]) not in truth]
    if unknown:
        raise DataError(f"the books have no {unknown[0]['line']} in {unknown[0]['period']}")
    pairs = [(row, truth[row["line"], row["period"]]) for row in rows]
    output, booked = _column(pairs, "output")
    cost, booked_cost = _column(pairs, "unit_cost")
    off = np.abs(output / booked - 1)
    return Comparison(
        compared=len(pairs),
        missing=len(truth) - len(pairs),
        exact=int((off <= EXACT).sum()),
        output_max=float(off.max()),
        unit_cost_max=float(np.abs(cost / booked_cost - 1).max()),
        output_total=float(output.sum() / booked.sum() - 1),
    )


def _column(
    pairs: list[tuple[dict[str, float], dict[str, float]]], name: str
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    both = np.array([(row[name], truth[name]) for row, truth in pairs], np.float64)
    return both[:, 0], both[:, 1]
