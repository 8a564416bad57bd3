"""Estimates on published tables equal the figures that were printed of them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor

from analytics.gain import matched, synthetic


@pytest.fixture
def tables(shared_data: Path) -> Path:
    return shared_data / "published"


def figure(tables: Path, file: str, method: str) -> Any:  # noqa: ANN401  # pytest's own type
    listed = tomllib.loads((tables / "figures.toml").read_text(encoding="utf-8"))["figure"]
    (one,) = [each for each in listed if each["file"] == file and each["method"].startswith(method)]
    return pytest.approx(one["value"], abs=one["within"])


def california(tables: Path) -> synthetic.Block:
    table = pd.read_csv(tables / "california_prop99.csv")
    wide = table.pivot_table(index="state", columns="year", values="packs_per_capita")
    others = [state for state in wide.index if state != "California"]
    y = torch.as_tensor(wide.loc[["California", *others]].to_numpy().copy())
    return synthetic.Block(y[:, :19], y[:, 19:])  # the law took effect in 1989


METHODS: list[tuple[synthetic.Method, str]] = [
    ("synthetic_did", "synthetic difference in differences"),
    ("synthetic_control", "synthetic control"),
    ("did", "difference in differences"),
]


@pytest.mark.parametrize(("method", "words"), METHODS)
def test_proposition_99_saved_as_many_packs_as_published(
    tables: Path, method: synthetic.Method, words: str
) -> None:
    found = synthetic.estimate(california(tables), method, is_early=True)
    assert found.effect == figure(tables, "california_prop99.csv", words)


def test_exact_weights_change_synthetic_did_little_and_synthetic_control_more(
    tables: Path,
) -> None:
    # the published arithmetic stops before its weights are the best ones
    assert synthetic.estimate(california(tables)).effect == pytest.approx(-15.604, abs=0.01)
    exact = synthetic.estimate(california(tables), "synthetic_control")
    assert exact.effect == pytest.approx(-19.514, abs=0.001)


def means(table: pd.DataFrame, names: list[str], column: str, *years: int) -> list[float]:
    """Mean of a column over the years from the first to the last, for each line."""
    chosen = table[table["year"].between(years[0], years[-1])]
    return [float(mean) for mean in chosen.groupby(table.columns[1])[column].mean()[names]]


def outcome_of(table: pd.DataFrame, names: list[str], column: str) -> pd.DataFrame:
    wide = table.pivot_table(index="year", columns=table.columns[1], values=column)
    return wide[names]


def gap(outcome: pd.DataFrame, first: int, last: int, weight: Tensor) -> float:
    y = torch.as_tensor(outcome.loc[first:last].to_numpy().astype(float))
    return float((y[:, 0] - y[:, 1:] @ weight).mean())


def weights_above(weight: Tensor, names: list[str]) -> dict[str, float]:
    return {
        name: float(one) for name, one in zip(names[1:], weight, strict=True) if float(one) > 0.01
    }


def test_terror_in_the_basque_country_cost_as_much_as_published(tables: Path) -> None:
    table = pd.read_csv(tables / "basque_country.csv")
    treated = "Basque Country (Pais Vasco)"
    others = [name for name in table["regionname"].unique() if name[:5] not in ("Spain", "Basqu")]
    names = [treated, *others]
    schools = ["school_illit", "school_prim", "school_med", "school_high", "school_post_high"]
    sectors = [name for name in table.columns if name.startswith("sec_")]
    rows = [means(table, names, name, 1964, 1969) for name in (*schools, "invest")]
    rows += [means(table, names, "gdpcap", 1960, 1969)]
    rows += [means(table, names, name, 1961, 1969) for name in sectors]
    rows += [means(table, names, "popdens", 1969)]
    outcome = outcome_of(table, names, "gdpcap")
    fitted = torch.as_tensor(outcome.loc[1960:1969].to_numpy().copy())
    weight = matched.mixture(torch.tensor(rows).double(), fitted)
    found = weights_above(weight, names)
    assert found == pytest.approx({"Cataluna": 0.8508, "Madrid (Comunidad De)": 0.1492}, abs=0.0015)
    printed = figure(tables, "basque_country.csv", "synthetic control")
    assert gap(outcome, 1975, 1997, weight) == printed


def test_reunification_cost_west_germany_as_much_as_published(tables: Path) -> None:
    table = pd.read_csv(tables / "german_reunification.csv")
    names = ["West Germany", *[name for name in table["country"].unique() if "West" not in name]]

    def predictors(first: int, invest: str, school: int) -> Tensor:
        last = first + 9
        rows = [means(table, names, name, first, last) for name in ("gdp", "trade", "infrate")]
        rows += [means(table, names, "industry", first, last)]
        rows += [
            means(table, names, invest, 1980),
            means(table, names, "schooling", school, first + 4),
        ]
        return torch.tensor(rows).double()

    outcome = outcome_of(table, names, "gdp")
    fitted = torch.as_tensor(outcome.loc[1981:1990].to_numpy().astype(float))
    chosen_by = predictors(1971, "invest70", 1970)
    weight = matched.mixture(chosen_by, fitted, predictors(1981, "invest80", 1980))
    wanted = {"Austria": 0.4145, "USA": 0.2162, "Japan": 0.1632}
    wanted |= {"Switzerland": 0.1077, "Netherlands": 0.0984}
    assert weights_above(weight, names) == pytest.approx(wanted, abs=0.0015)
    printed = figure(tables, "german_reunification.csv", "synthetic control")
    assert gap(outcome, 1990, 2003, weight) == printed
