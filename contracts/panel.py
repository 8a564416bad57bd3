"""Panel, upgrades, events: what the gain estimator is given."""

from dataclasses import dataclass

import pyarrow as pa

from contracts.errors import DataError

REQUIRED = ("line", "period", "output", "unit_cost")
SITE = "site"
EVENT_COLUMNS = ("line", "begins", "ends", "reason")


@dataclass(frozen=True)
class Panel:
    """One row per line and period.

    `line` string, `period` date32, `output` good units in the period (> 0), `unit_cost` variable
    cost per good unit (> 0); `site`, if it is there, the name of where the line stands; every other
    column is a numeric covariate.
    """

    table: pa.Table

    def __post_init__(self) -> None:
        missing = [name for name in REQUIRED if name not in self.table.column_names]
        if missing:
            raise DataError(f"the panel lacks the column {missing[0]!r}: it needs {REQUIRED}")

    @property
    def covariates(self) -> tuple[str, ...]:
        """Names of the covariate columns."""
        return tuple(name for name in self.table.column_names if name not in (*REQUIRED, SITE))


@dataclass(frozen=True)
class Upgrades:
    """`line` string, `upgraded_on` date32; a line that is not listed was never upgraded."""

    table: pa.Table

    def __post_init__(self) -> None:
        for name in ("line", "upgraded_on"):
            if name not in self.table.column_names:
                raise DataError(
                    f"the upgrades lack the column {name!r}: they need line, upgraded_on"
                )


@dataclass(frozen=True)
class Events:
    """What is no routine of a line: `line` string, `begins` and `ends` date32, `reason` string.

    Both days are included.
    """

    table: pa.Table

    def __post_init__(self) -> None:
        for name in EVENT_COLUMNS:
            if name not in self.table.column_names:
                raise DataError(
                    f"the events lack the column {name!r}: they need {', '.join(EVENT_COLUMNS)}"
                )
