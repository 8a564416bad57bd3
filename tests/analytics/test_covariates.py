"""The covariates of a gain: what they may be, and what they can take from it."""

from __future__ import annotations

from tests.analytics.test_gain import fitted, plant, refused, same, week


def test_a_covariate_that_tells_the_upgrade_is_named_as_what_may_be_wrong() -> None:
    panel, upgrades = plant(26)
    panel["is_new"] = [
        float(line < "L06" and day >= week(18 + 4 * (int(line[1:]) // 2)))
        for line, day in zip(panel["line"], panel["period"], strict=True)
    ]
    assert "a covariate changes with the upgrade alone" in refused(panel, upgrades)


def test_a_covariate_that_each_line_holds_for_itself_says_nothing() -> None:
    panel, upgrades = plant(25, alpha=1.2)
    speeds = {**panel, "speed": [500.0 + 7 * int(line[1:]) for line in panel["line"]]}
    # of two covariates each has fewer bends than one alone would have
    spare = {**panel, "speed": [float(day == week(3)) for day in panel["period"]]}
    same(fitted(speeds, upgrades), fitted(spare, upgrades))


def test_a_covariate_of_words_is_refused() -> None:
    panel, upgrades = plant()
    panel["mix"] = ["a"] * len(panel["mix"])
    assert "'mix' is string, not numeric" in refused(panel, upgrades)
    assert refused(panel, upgrades).endswith("or remove it")
    panel["output"] = [f"{value:.1f}".replace(".", ",") for value in panel["output"]]
    assert refused(panel, upgrades).endswith("write its numbers like 1234.5")


def test_rows_without_a_covariate_are_left_out_and_counted() -> None:
    panel, upgrades = plant(20, alpha=1.2)
    panel["mix"][7] = None
    found = fitted(panel, upgrades)
    assert any("1 of 560 rows are left out" in words for words in found.warnings)


def test_no_covariate_is_fine() -> None:
    panel, upgrades = plant(23, alpha=1.2)
    del panel["mix"]
    found = fitted(panel, upgrades)
    assert found.alpha.low < 1.2 < found.alpha.high
