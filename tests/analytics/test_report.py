"""The report: one page that says what is proven, escapes what it is given and loads nothing."""

import itertools
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser

import numpy as np
import pyarrow as pa
import pytest

from analytics.profit import Economics, push
from analytics.profit.sensitivity import sensitivities
from analytics.profit.targets import needed
from analytics.report import figures, render
from analytics.report.page import ROWS_MAX
from analytics.words import ENGLISH
from contracts.batches import LedgerEntry
from contracts.decision import Prospect
from contracts.errors import ContractError
from contracts.notes import Heard, note_of
from contracts.outcome import Gain, Interval, LeftOut, LineGain
from contracts.panel import Panel, Upgrades
from contracts.report import QualityRow, Report, Series, Truth

START = date(2025, 1, 6)
HOSTILE = "<script>alert(1)</script>\" onload='x' {{ 7*7 }} --> 温度"
BYTES_MAX = 500_000
ECONOMICS = Economics(
    good_units=234_000,
    unit_cost=12.27,
    price=20,
    fixed_cost=7e5,
    investment=4e5,
    energy_kwh_per_unit=1.8,
    co2_kg_per_kwh=0.4,
)


def gain_of(alpha: Interval, beta: Interval, verdict: str = "causal", lines: int = 3) -> Gain:
    spread = [0.01, 0.005]
    middle = [np.log(alpha.estimate), np.log(1 - beta.estimate)]
    return Gain(
        alpha=alpha,
        beta=beta,
        lines=tuple(LineGain(f"line {i}", alpha, beta) for i in range(lines)),
        next_line=(alpha, beta),
        level=0.9,
        verdict="causal" if verdict == "causal" else "before_after",
        warnings=() if verdict == "causal" else ("only 2 lines were never upgraded",),
        draws=np.random.default_rng(1).normal(middle, spread, (500, 2)),
        next_draws=np.random.default_rng(2).normal(middle, spread, (500, 2)),
    )


PROVEN = gain_of(Interval(1.2, 1.18, 1.22), Interval(0.1, 0.09, 0.11))
UNPROVEN = gain_of(Interval(1.01, 0.98, 1.04), Interval(0.005, -0.01, 0.02), "before_after")


def panel_of(lines: int = 3) -> Panel:
    output = np.random.default_rng(2).lognormal(7, 0.05, lines * 20)
    days = [START + timedelta(weeks=w) for w in range(20)] * lines
    return Panel(
        pa.table(
            {
                "line": [f"line {i}" for i in range(lines) for _ in range(20)],
                "period": pa.array(days, pa.date32()),
                "output": output,
                "unit_cost": output,
            }
        )
    )


def series_of(tag: str, count: int = 5000) -> Series:
    times = np.datetime64("2025-01-01", "us") + np.arange(count) * np.timedelta64(60_000_000, "us")
    quality = (np.arange(count) % 50 == 0).astype(np.int8) * 2
    return Series(tag, "°C", times, np.sin(np.arange(count) / 50), quality)


BARE = Report(
    title="Recordings",
    made_at=datetime(2026, 1, 5, 6, tzinfo=UTC),
    period=(START, date(2025, 12, 28)),
)
FULL = replace(
    BARE,
    title="What the upgrade earned",
    is_simulated=True,
    truth=Truth(1.2, 0.2),
    gain=PROVEN,
    profit=push(PROVEN.draws, ECONOMICS, point=(1.2, 0.1)),
    tornado=sensitivities(Prospect.measured(PROVEN), ECONOMICS),
    break_even=needed(Prospect.measured(PROVEN), ECONOMICS, "npv", 0),
    panel=panel_of(),
    upgrades=Upgrades(
        pa.table({"line": ["line 0"], "upgraded_on": pa.array([date(2025, 3, 3)], pa.date32())})
    ),
    left_out=(LeftOut("line 1", START, "coverage", "energy 61 %"),),
    quality=(QualityRow(name="line 0", readings=10_000, good=9_900, reasons=(("spike", 100),)),),
    series=(series_of("site/line 0/temperature"),),
    ledger=(LedgerEntry("gw1", 10, 8, 1, 1), LedgerEntry("", 3, 3, 0, 0)),
    queries={"panel": "SELECT line FROM readings WHERE value < 3"},
)


@pytest.fixture(scope="module")
def full() -> str:
    return render(FULL)


class Page(HTMLParser):
    """The tags of a page, its text, and every attribute that could load something."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words: list[str] = []
        self.loads: list[str] = []
        self.handlers: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in {"src", "href", "xlink:href", "data", "action"}:
                self.loads.append(value or "")
            if name.startswith("on"):
                self.handlers.append(name)

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] != ["style"]:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_a_proven_causal_gain_is_said_with_its_figures(full: str) -> None:
    text = Page(full).text
    assert "The upgrade raised output and lowered unit cost." in text
    assert "Good output is 20.0 % higher" in text
    assert "Variable cost per good unit is 10.0 % lower" in text
    assert "Causal:" in text


def test_an_interval_that_contains_no_effect_is_not_proven() -> None:
    profit = push(UNPROVEN.draws, ECONOMICS)
    text = Page(render(replace(FULL, gain=UNPROVEN, profit=profit))).text
    assert "No gain is proven." in text
    assert "A change of good output is not proven" in text
    assert "Before/after, not causal" in text
    assert "only 2 lines were never upgraded" in text


def test_a_gain_without_controls_never_reads_as_proof_of_the_cause() -> None:
    text = Page(render(replace(FULL, gain=replace(PROVEN, verdict="before_after")))).text
    assert "That the upgrade did it is not proven." in text
    assert "The upgrade raised" not in text


def test_a_loss_is_called_a_loss() -> None:
    worse = gain_of(Interval(0.9, 0.88, 0.92), Interval(-0.1, -0.12, -0.08))
    text = Page(render(replace(FULL, gain=worse, profit=push(worse.draws, ECONOMICS)))).text
    assert "The upgrade made something worse." in text
    assert "Good output is 10.0 % lower than it would have been (90 % interval 8.0 % to" in text
    assert "per good unit is 10.0 % higher" in text
    assert "never" in text


def test_a_simulated_plant_is_said_plainly_and_its_truth_stands_beside_the_estimate(
    full: str,
) -> None:
    text = Page(full).text
    assert "This plant is simulated." in text
    assert "alpha 1.200 1.200 1.180 to 1.220 ✓ yes" in text
    assert "beta 0.200 0.100 0.090 to 0.110 ✗ no" in text


def test_a_real_plant_is_not_called_simulated() -> None:
    assert "simulated" not in Page(render(replace(FULL, is_simulated=False, truth=None))).text


def test_a_report_without_a_gain_is_about_the_data() -> None:
    text = Page(
        render(replace(BARE, series=FULL.series, quality=FULL.quality, ledger=FULL.ledger))
    ).text
    assert "No upgrade is known in this period" in text
    assert "99.0 %" in text
    assert "site/line 0/temperature" in text


def test_a_report_of_nothing_at_all_is_a_page() -> None:
    text = Page(render(BARE)).text
    assert "There is no ledger for this period." in text
    assert "Nothing is known about the quality" in text


def test_gaps_that_nobody_has_counted_are_not_called_none(full: str) -> None:
    assert "Gaps" not in Page(full).text
    (row,) = FULL.quality
    counted = (replace(row, gaps=7), replace(row, name="line 1"))
    text = Page(render(replace(FULL, quality=counted))).text
    assert "Gaps 7" in text
    assert "line 1 10,000 99.0 % – 0 spike 100" in text  # noqa: RUF001 - the sign itself


def test_the_source_of_the_carbon_factor_stands_below_the_figures() -> None:
    profit = push(PROVEN.draws, replace(ECONOMICS, co2_source="grid of 2025 <b>"))
    text = Page(render(replace(FULL, profit=profit))).text
    assert "Source of the carbon factor: grid of 2025 <b>." in text


def test_the_investment_is_told_with_what_it_takes_to_pay(full: str) -> None:
    text = Page(full).text
    assert re.search(r"Internal rate of return, a year \d+\.\d % \d+\.\d % to", text)
    assert "Discounted payback, years" in text
    assert re.search(
        r"It pays for itself with \+\d+\.\d % output alone or with .\d+\.\d % unit", text
    )
    assert "the probability that it does is > 99.9 %" in text
    assert "Price of a good unit" in text  # of the tornado


def test_without_an_investment_nothing_is_said_of_its_return() -> None:
    profit = push(PROVEN.draws, replace(ECONOMICS, investment=0))
    text = Page(render(replace(FULL, profit=profit, tornado=(), break_even=None))).text
    assert "Internal rate" not in text
    assert "pays for itself" not in text


def test_what_pays_only_by_both_together_is_said() -> None:
    assert FULL.break_even is not None
    neither = replace(FULL.break_even, alpha_alone=None, beta_alone=None)
    text = Page(render(replace(FULL, break_even=neither))).text
    assert "only where output and unit cost improve together" in text


def test_every_ledger_row_and_the_total_carry_the_mark() -> None:
    off = replace(BARE, ledger=(LedgerEntry("gw1", 10, 8, 1, 1), LedgerEntry("gw2", 9, 1, 1, 1)))
    text = Page(render(off)).text
    assert "gw1 10 8 1 1 ✓ yes" in text
    assert "gw2 9 1 1 1 ✗ no" in text
    assert "Total 19 9 2 2 ✗ no" in text


def test_hostile_names_are_text_wherever_they_come_from() -> None:
    hostile = replace(
        FULL,
        title=HOSTILE,
        gain=replace(
            PROVEN,
            lines=(LineGain(HOSTILE, PROVEN.alpha, PROVEN.beta),),
            warnings=(HOSTILE,),
        ),
        profit=push(PROVEN.draws, replace(ECONOMICS, currency=HOSTILE)),
        left_out=(LeftOut(HOSTILE, START, "missing", HOSTILE),),
        quality=(QualityRow(name=HOSTILE, readings=2, good=1, reasons=((HOSTILE, 1),)),),
        series=(series_of(HOSTILE),),
        ledger=(LedgerEntry(HOSTILE, 1, 1, 0, 0),),
        queries={HOSTILE: HOSTILE},
    )
    page = Page(render(hostile))
    assert "script" not in page.tags
    assert page.handlers == []
    assert "{{ 7*7 }}" in page.text
    assert page.text.count("alert(1)") >= 10


def test_the_page_loads_nothing_from_anywhere(full: str) -> None:
    page = Page(full)
    assert all(address.startswith("#") for address in page.loads)
    assert not {"script", "link", "img", "iframe", "object", "embed"} & set(page.tags)
    assert "://" not in re.sub(r' xmlns(:\w+)?="[^"]*"', "", full)
    assert "@import" not in full


def test_ids_are_unique_in_the_page(full: str) -> None:
    ids = re.findall(r' id="([^"]*)"', full)
    assert len(ids) == len(set(ids))


def test_headings_go_down_one_step_at_a_time(full: str) -> None:
    levels = [int(tag[1]) for tag in Page(full).tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))


def test_a_report_of_a_large_plant_stays_under_the_size_promised() -> None:
    many = replace(
        FULL,
        gain=gain_of(PROVEN.alpha, PROVEN.beta, lines=1000),
        panel=panel_of(200),
        left_out=FULL.left_out * 5000,
        quality=FULL.quality * 5000,
        series=FULL.series * 50,
        ledger=FULL.ledger * 5000,
        queries={f"query {i}": "SELECT " + "x, " * 3000 for i in range(100)},
    )
    html = render(many)
    assert len(html.encode()) < BYTES_MAX
    assert f"{1000 - ROWS_MAX} more rows" in html


def test_the_same_report_gives_the_same_bytes(full: str) -> None:
    assert full == render(FULL)


def test_a_page_is_made_in_another_language_by_another_dictionary() -> None:
    html = render(FULL, words=dict.fromkeys(ENGLISH, "字") | {"language": "zh-Hans"})
    assert 'lang="zh-Hans"' in html
    assert "Ledger" not in html


def test_a_report_made_at_no_known_time_is_refused() -> None:
    with pytest.raises(ContractError, match="time zone"):
        replace(BARE, made_at=datetime(2026, 1, 5, 6))  # noqa: DTZ001 - that is the test


@pytest.mark.parametrize(
    ("words", "written"),
    [
        ({"kind": "remark", "text": "x", "begins": "2026-03-02T08:10"}, "2026-03-02 08:10"),
        ({"kind": "remark", "text": "x"}, "2026-03-03"),
        (
            {"kind": "target", "name": "oee", "value": 0.8, "begins": "2026-03-02"},
            "2026-03-02 - on",
        ),
        ({"kind": "target", "name": "oee", "value": 0.8, "ends": "2026-03-02"}, "… - 2026-03-02"),
        (
            {"kind": "planned_stop", "begins": "2026-03-02", "ends": "2026-03-02T06:00"},
            "2026-03-02 - 2026-03-02 06:00",
        ),
    ],
)
def test_the_time_of_a_note_is_written_as_long_as_it_holds(
    words: dict[str, object], written: str
) -> None:
    heard = Heard(datetime(2026, 3, 3, tzinfo=UTC), "csv", author="A. Brun")
    told = figures.time_of_note(note_of(words, heard), "on")
    assert told.replace(figures.DASH, "-") == written


def test_a_gain_without_a_price_is_stated_and_its_worth_is_not() -> None:
    text = Page(render(replace(FULL, profit=None, tornado=(), break_even=None))).text
    assert "what a unit sells for is not known (economics.price_per_unit)" in text
    assert "Net present value" not in text
