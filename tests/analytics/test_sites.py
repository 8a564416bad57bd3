"""Sites: what their lines share enters the error, and nothing changes where nothing is shared."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch

from analytics import gain
from analytics.gain import sites
from contracts.errors import DataError
from contracts.panel import Panel, Upgrades
from tests.analytics.test_gain import plant
from tests.bench.site_coverage import inside, panel_of


def test_intervals_hold_under_shocks_of_whole_sites_once_the_sites_are_told() -> None:
    told, untold = [], []
    for seed in range(15):
        table, upgrades = panel_of(200 + seed, shock=0.05, is_whole=True)
        told += inside(table, upgrades)
        untold += inside(table.drop_columns(["site"]), upgrades)
    # of 30 at .9, fewer than 22 happen once in a hundred times
    assert sum(told) >= 22
    assert sum(untold) < sum(told)


def test_sites_that_share_nothing_leave_the_interval_nearly_as_it_is() -> None:
    widths = []
    for seed in range(6):
        table, upgrades = panel_of(seed, shock=0.0, is_whole=False)
        for one in (table, table.drop_columns(["site"])):
            found = gain.fit(Panel(one), upgrades)
            widths.append(found.alpha.high - found.alpha.low)
    assert np.mean(widths[::2]) == pytest.approx(np.mean(widths[1::2]), rel=0.15)


def test_a_site_for_each_line_is_no_site() -> None:
    panel, upgrades = plant(1, alpha=1.2)
    plain = gain.fit(Panel(pa.table(panel)), Upgrades(pa.table(upgrades)))
    told = gain.fit(Panel(pa.table(dict(panel, site=panel["line"]))), Upgrades(pa.table(upgrades)))
    np.testing.assert_allclose(plain.draws, told.draws, atol=1e-12)


def test_controls_of_one_site_alone_are_no_evidence_of_a_cause() -> None:
    panel, upgrades = plant(2, alpha=1.2)
    upgraded = set(upgrades["line"])
    site = ["north" if line in upgraded else "south" for line in panel["line"]]
    rng = np.random.default_rng(0)
    shock = {
        (name, day): rng.normal(0, 0.2)
        for name in ("north", "south")
        for day in sorted(set(panel["period"]))
    }
    panel["output"] = [
        value * np.exp(shock[name, day])
        for value, name, day in zip(panel["output"], site, panel["period"], strict=True)
    ]
    found = gain.fit(Panel(pa.table(dict(panel, site=site))), Upgrades(pa.table(upgrades)))
    assert found.verdict == "before_after"
    assert "stand on one site" in found.warnings[0]


def test_a_line_on_two_sites_or_on_none_is_refused() -> None:
    panel, upgrades = plant(3)
    site = ["north"] * len(panel["line"])
    site[5] = "south"
    for wrong, words in ((site, "stands on two sites"), ([None, *site[1:]], "row 1 has no site")):
        with pytest.raises(DataError, match=words):
            gain.fit(Panel(pa.table(dict(panel, site=wrong))), Upgrades(pa.table(upgrades)))


def test_kinship_is_that_of_the_controls_or_the_worst() -> None:
    two, four = torch.tensor([0, 0]), torch.tensor([0, 0, 1, 1])
    assert sites.kinship(0.3, two, four) == 0.3
    assert sites.kinship(None, two, torch.tensor([1, 2])) == 1.0
    assert sites.kinship(None, torch.tensor([3, 4]), torch.tensor([1, 2])) == 0.0
    kin = sites.Kin(four)
    kin.add(torch.tensor([[[1.0, 1.0, -1.0, -1.0]]] * 2).double(), torch.ones(1, 4).bool())
    assert kin.alike == 1.0
    assert sites.Kin(torch.arange(4)).alike == 0.0
