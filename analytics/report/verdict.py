"""Says in plain words what a gain proves, and what it does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from analytics.report.figures import change, fits, percent, roughly

if TYPE_CHECKING:
    from analytics.words import Words
    from contracts.decision import Needed
    from contracts.outcome import Gain, Interval, Profit

NO_EFFECT_ALPHA, NO_EFFECT_BETA = 1.0, 0.0
CHANCE_LEAST = 1e-9  # that none of some thousand draws fails is no certainty


@dataclass(frozen=True, slots=True)
class Spoken:
    """The verdict: one headline, then sentences. `is_warning`: it must not be read as proof."""

    headline: str
    sentences: tuple[str, ...]
    is_warning: bool


def speak(gain: Gain, profit: Profit | None, words: Words) -> Spoken:
    """Put a gain into words.

    An effect is proven only where its interval excludes no effect (alpha 1, beta 0); whether the
    upgrade is its cause is the gain's own verdict.
    """
    outcomes = _outcome(gain.alpha, NO_EFFECT_ALPHA), _outcome(gain.beta, NO_EFFECT_BETA)
    is_causal = gain.verdict == "causal"
    sentences = [
        _effect("alpha", gain.alpha, NO_EFFECT_ALPHA, gain.level, words),
        _effect("beta", gain.beta, NO_EFFECT_BETA, gain.level, words),
    ]
    if profit is not None:
        sentences.append(_money(profit, words))
    sentences.append(words["means_causal" if is_causal else "means_before_after"])
    return Spoken(
        words[f"headline_{gain.verdict}_{_strength(outcomes)}"],
        tuple(sentences),
        is_warning=not is_causal or set(outcomes) != {"good"},
    )


def say_break_even(needed: Needed, words: Words) -> str:
    """Say what the upgrade takes to pay for itself, by output alone and by cost alone."""
    ways = []
    if needed.alpha_alone is not None:
        ways.append(words["even_alpha"].format(change=change(needed.alpha_alone - 1)))
    if needed.beta_alone is not None:
        ways.append(words["even_beta"].format(change=change(-needed.beta_alone)))
    if not ways:
        return words["even_both"]
    said = words["even"].format(ways=words["even_or"].join(ways))
    if needed.chance is None:
        return said
    chance = min(max(needed.chance, CHANCE_LEAST), 1 - CHANCE_LEAST)
    return said + " " + words["even_chance"].format(chance=percent(chance))


def is_proven(interval: Interval, no_effect: float) -> bool:
    """Tell whether the interval excludes no effect."""
    return not fits(interval, no_effect)


def _outcome(interval: Interval, no_effect: float) -> str:
    if not is_proven(interval, no_effect):
        return "unproven"
    return "good" if interval.estimate > no_effect else "bad"


def _strength(outcomes: tuple[str, str]) -> str:
    """Sum up two outcomes.

    >>> _strength(("good", "good")), _strength(("good", "unproven")), _strength(("bad", "good"))
    ('both', 'one', 'bad')
    """
    if "bad" in outcomes:
        return "bad"
    return ("none", "one", "both")[outcomes.count("good")]


def _effect(name: str, interval: Interval, no_effect: float, level: float, words: Words) -> str:
    """Give the sentence of one effect, in percent away from no effect."""
    outcome = _outcome(interval, no_effect)
    estimate, low, high = (x - no_effect for x in (interval.estimate, interval.low, interval.high))
    if outcome == "bad":
        estimate, low, high = -estimate, -high, -low
    write = change if outcome == "unproven" else percent
    return words[f"{name}_{outcome}"].format(
        estimate=write(estimate), low=write(low), high=write(high), level=percent(level, 0)
    )


def _money(profit: Profit, words: Words) -> str:
    interval, outcome = profit.change, _outcome(profit.change, 0)
    estimate, low, high = interval.estimate, interval.low, interval.high
    if outcome == "bad":
        estimate, low, high = -estimate, -high, -low
    return words[f"money_{outcome}"].format(
        estimate=roughly(estimate),
        low=roughly(low),
        high=roughly(high),
        currency=profit.currency,
        level=percent(profit.level, 0),
    )
