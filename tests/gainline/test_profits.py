"""The verb of gainline.profit_verbs: what a gain that is known does to profit."""

from __future__ import annotations

import json

import pytest

from gainline.cli import run


def test_the_founding_example_is_answered(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["profit", "--alpha", "1.2", "--beta", "0.1", "--model", "cost_plus", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["profit_ratio"] == pytest.approx(1.08, abs=1e-12)


@pytest.mark.parametrize(
    ("alpha", "beta", "fix"),
    [("-1", "0", "give a multiplier"), ("5000", "0", "multiplier"), ("1", "1.5", "give a share")],
)
def test_a_gain_that_cannot_be_is_refused_with_its_remedy(
    capsys: pytest.CaptureFixture[str], alpha: str, beta: str, fix: str
) -> None:
    assert run(["profit", "--alpha", alpha, "--beta", beta]) == 2
    assert fix in capsys.readouterr().err
