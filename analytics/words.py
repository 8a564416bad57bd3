"""Every word that charts and reports show, by key, so that a language is one more mapping."""

from collections.abc import Mapping
from types import MappingProxyType

Words = Mapping[str, str]

_CHARTS = {
    "chart_index": "Output of upgraded lines and of lines never upgraded, before the first "
    "upgrade = 100",
    "index_axis": "Good output, index",
    "index_upgraded": "upgraded lines",
    "index_never": "never upgraded",
    "chart_forest": "Alpha and beta of each line, of the programme and of the next line",
    "forest_alpha": "alpha: change of output, %",
    "forest_beta": "beta: unit cost removed, %",
    "programme": "Programme",
    "next_line": "Next line",
    "and_more": "{count} more lines are in the table",
    "chart_course": "Alpha and beta by time since the upgrade",
    "course_axis": "periods since the upgrade",
    "chart_placebos": "Gains of lines never upgraded, as if they had been, and of upgraded lines",
    "chart_anticipation": "Alpha and beta by the periods left out before the upgrades",
    "anticipation_axis": "periods left out before the upgrades",
    "chart_bridge": "Bridge from the profit before to the profit after",
    "bridge_axis": "{currency} a year",
    "bridge_axis_scaled": "{scale} {currency} a year",
    "thousand": "thousand",
    "million": "million",
    "step_before": "Before",
    "step_output": "More output",
    "step_unit_cost": "Lower\nunit cost",
    "step_both": "Both\ntogether",
    "step_running_cost": "Running cost",
    "step_co2": "Carbon",
    "step_after": "After",
    "chart_quality": "Readings by the reason they were doubted",
    "quality_axis": "readings",
    "chart_series": "Readings of {tag}",
    "series_uncertain": "uncertain",
    "series_bad": "bad",
}

_DECISION = {
    "chart_tornado": "What each input does to the net present value",
    "npv_axis": "net present value, {money}",
    "input_alpha": "alpha",
    "input_beta": "beta",
    "input_price": "Price of a good unit",
    "input_margin": "Margin on the cost",
    "input_unit_cost": "Unit cost",
    "input_good_units": "Good units a year",
    "input_demand_units": "Demand, units a year",
    "input_running_cost": "Running cost a year",
    "input_investment": "Investment",
    "input_discount_rate": "Discount rate",
    "input_tax_rate": "Tax rate",
    "input_energy_kwh_per_unit": "kWh of a good unit",
    "input_energy_price_per_kwh": "Price of a kWh",
    "input_co2_kg_per_kwh": "Carbon of a kWh, kg",
    "input_co2_price_per_t": "Price of a tonne of carbon",
    "chart_scenarios": "Net present value under each scenario",
    "chart_break_even": "Alphas and betas that just reach the target",
    "target_curve": "{key} = {value}",
    "chart_power": "Probability that a pilot shows a gain",
    "power_axis": "Probability to show it",
    "design": "lines: {lines}, periods: {periods}",
    "chart_rollout": "Net present value of upgrading each line that is left",
}

_VERDICT = {
    "headline_causal_both": "The upgrade raised output and lowered unit cost.",
    "headline_causal_one": "One gain is proven, the other is not.",
    "headline_causal_none": "No gain is proven.",
    "headline_causal_bad": "The upgrade made something worse.",
    "headline_before_after_both": "Output is up and unit cost is down. "
    "That the upgrade did it is not proven.",
    "headline_before_after_one": "One figure has improved. That the upgrade did it is not proven.",
    "headline_before_after_none": "No gain is proven.",
    "headline_before_after_bad": "Something has become worse. "
    "That the upgrade did it is not proven.",
    "alpha_good": "Good output is {estimate} higher than it would have been "
    "({level} interval {low} to {high}).",
    "alpha_bad": "Good output is {estimate} lower than it would have been "
    "({level} interval {low} to {high}).",
    "alpha_unproven": "A change of good output is not proven: the estimate is {estimate}, and the "
    "{level} interval, {low} to {high}, contains no effect.",
    "beta_good": "Variable cost per good unit is {estimate} lower than it would have been "
    "({level} interval {low} to {high}).",
    "beta_bad": "Variable cost per good unit is {estimate} higher than it would have been "
    "({level} interval {low} to {high}).",
    "beta_unproven": "A saving in variable cost per good unit is not proven: the estimate is "
    "{estimate}, and the {level} interval, {low} to {high}, contains no effect.",
    "money_good": "At the plant's prices and costs that is worth {estimate} {currency} a year "
    "({level} interval {low} to {high}).",
    "money_bad": "At the plant's prices and costs that loses {estimate} {currency} a year "
    "({level} interval {low} to {high}).",
    "money_unproven": "More profit is not proven: the estimate is {estimate} {currency} a year, "
    "and the {level} interval, {low} to {high}, contains none.",
    "means_causal": "Causal: the upgraded lines were compared with lines that were not upgraded, "
    "over the same weeks, and the checks passed. The difference may be read as the effect of the "
    "upgrade.",
    "means_before_after": "Before/after, not causal: the comparison did not pass the checks that "
    "would tell the upgrade from anything else that changed over the same weeks.",
}

_REPORT = {
    "language": "en",
    "report": "gainline report",
    "period": "{first} to {last}",
    "made_at": "made {made_at} UTC",
    "simulated_title": "This plant is simulated.",
    "simulated": "The readings come from a simulation and not from a factory. "
    "They show what gainline does and say nothing about any real plant.",
    "truth_title": "The simulation's true gain beside the estimate",
    "true_value": "True value",
    "inside": "Inside the interval",
    "misses": "Of {level} intervals {rest} miss the truth; if fewer did, they would be too wide.",
    "yes": "yes",
    "no": "no",
    "verdict": "Verdict",
    "verdict_causal": "causal",
    "verdict_before_after": "before/after, not causal",
    "no_gain_yet_title": "No gain can be stated yet",
    "no_gain_yet": "The gain could not be fitted: {why}. The report says how good the data are.",
    "no_gain_title": "About the data alone",
    "no_gain": "No upgrade is known in this period, so there is no gain to state. The report says "
    "what was received and how good it is.",
    "warnings": "Keep in mind",
    "output_change": "Output",
    "cost_change": "Unit cost",
    "profit_change": "Profit, {currency} a year",
    "payback": "Payback, years",
    "never": "never",
    "to": "{low} to {high}",
    "over_time": "Output over time",
    "over_time_note": "Mean of the lines, each set to 100 before the first upgrade of any line; "
    "the band holds the middle half of them. Triangles: upgrades. Output as it was, not adjusted "
    "for product mix, weather or hours.",
    "by_line": "Gain by line",
    "by_line_note": "Dots are estimates, bars {level} intervals. A bar that crosses the line at 0 "
    "proves nothing. The next line is what to plan a roll-out with: one line like these, "
    "not upgraded yet.",
    "truth_note": "Diamond: true value of the simulated plant.",
    "line": "Line",
    "upgraded_on": "Upgraded on",
    "alpha_column": "Output (alpha)",
    "beta_column": "Unit cost (beta)",
    "borrowed_column": "Borrowed",
    "borrowed_note": "Borrowed: how much of a line's figures is from the other lines, as its own "
    "weeks leave it open. At 10 % the line speaks for itself, at 90 % the programme speaks for it.",
    "course_note": "The gain by periods since the upgrade of each line, which is the dashed line: "
    "dots are means of the lines seen so long after, bars {level} intervals, each by itself. "
    "Before the upgrade the bars should reach 0; where they do not, the lines were different "
    "already.",
    "interval_column": "{level} interval",
    "profit": "Profit",
    "no_profit": "What the gain is worth is not stated: what a unit sells for is not known"
    " (economics.price_per_unit).",
    "profit_note": "For all lines of the programme, a year. More output is sold at the old margin; "
    "lower unit cost is saved on the old output; both together is the saving on the output that "
    "came on top. Whisker: {level} interval.",
    "amount": "{currency} a year",
    "estimate": "Estimate",
    "ratio": "Profit after / before",
    "npv": "Net present value, {currency}",
    "irr": "Internal rate of return, a year",
    "roi": "Return over all years, times the investment",
    "discounted_payback": "Discounted payback, years",
    "even": "It pays for itself with {ways}.",
    "even_alpha": "{change} output alone",
    "even_beta": "{change} unit cost alone",
    "even_or": " or with ",
    "even_both": "It pays for itself only where output and unit cost improve together.",
    "even_chance": "By what is known of the gain, the probability that it does is {chance}.",
    "tornado_note": "Net present value when one input moves and all others stay: light below its "
    "estimate, dark above. Alpha and beta move over their {level} intervals, every other input by "
    "a tenth each way, which is a ruler to compare them by.",
    "energy_change": "Change of energy, kWh a year",
    "co2_change": "Change of CO2e, t a year",
    "co2_unit": "CO2e per good unit, kg (before: {before})",
    "energy_note": "Energy per good unit is taken to fall by beta, as unit cost does.",
    "co2_note": "Source of the carbon factor: {source}.",
    "quality": "How good the data are",
    "readings": "Readings",
    "good": "Good",
    "doubted": "Doubted",
    "gaps": "Gaps",
    "late": "Late",
    "reasons": "Reasons",
    "no_quality": "Nothing is known about the quality of the readings.",
    "quality_note": "A doubted reading keeps its value: the verdict stands beside it, and nothing "
    "is deleted. A reading may have several reasons.",
    "where": "Line or metric",
    "left_out_title": "Left out of the estimate: {count} periods of a line",
    "left_out_none": "No period of a line was left out of the estimate.",
    "reason_column": "Reason",
    "detail": "Detail",
    "week": "Period from",
    "left_out_missing": "a metric is missing",
    "left_out_coverage": "too few good readings",
    "left_out_no_output": "no good output",
    "left_out_no_cost": "no cost",
    "left_out_no_load": "no load hours",
    "series": "Readings with their verdicts",
    "series_note": "Good readings as a line, doubted ones as marks, {count} of a kind at most; "
    "a mark at the edge lies beyond it.",
    "notes": "What people have said",
    "notes_note": "Notes that were in force in this time. Where one has changed a figure of this "
    "report, it says instead of what.",
    "note_kind": "Note",
    "note_about": "About",
    "note_time": "Time",
    "note_says": "Says",
    "note_author": "Author",
    "note_instead_of": "Instead of",
    "note_new": "nothing known before",
    "note_plant": "the whole plant",
    "note_open": "on",
    "note_downtime_reason": "Reason of a stop",
    "note_planned_stop": "Planned stop",
    "note_upgrade": "Upgrade",
    "note_price": "Price",
    "note_target": "Target",
    "note_remark": "Remark",
    "ledger": "Ledger",
    "ledger_note": "Every message that was received is stored, a duplicate or a dead letter.",
    "no_ledger": "There is no ledger for this period.",
    "gateway": "Gateway",
    "unnamed": "(none named)",
    "received": "Received",
    "stored": "Stored",
    "duplicate": "Duplicate",
    "dead_letter": "Dead letter",
    "balances": "Balances",
    "total": "Total",
    "more_rows": "{count} more rows are in the lake.",
    "queries": "Where the numbers come from",
    "queries_note": "The SQL behind each number; gainline sql runs it on the same lake. The KPIs "
    "are what the commands print.",
    "terms": "Alpha is the multiple of good output, beta the fraction of variable cost per good "
    "unit that was removed, both against what would have been without the upgrade, at the same "
    "product mix, ambient temperature and load hours where these are known.",
}

_RAN = {
    "ran": "How the lines ran",
    "ran_note": "KPIs by ISO 22400-2 of the {days} days from {begins} to {ends} UTC; below each, "
    "small, that of the {days} days before. All lines: of the sum of their times, pieces and "
    "energy, not a mean of their KPIs.",
    "ran_coverage": "Coverage is the share of planned time with a state that can be trusted; of "
    "the rest nothing is known.",
    "ran_not": "It cannot be told how the lines ran: {why}.",
    "all_lines": "All lines",
    "kpi_oee": "OEE",
    "kpi_availability": "Availability",
    "kpi_effectiveness": "Effective\N{SOFT HYPHEN}ness",
    "kpi_quality_ratio": "Quality ratio",
    "kpi_mtbf_h": "MTBF, h",
    "kpi_mttr_h": "MTTR, h",
    "kpi_scrap_ratio": "Scrap",
    "kpi_energy_per_good": "kWh per unit",
    "kpi_co2e_per_good": "kg CO2e per unit",
    "kpi_coverage": "Coverage",
    "kpi_good_share": "Good readings",
    "kpi_target": "target {value}",
    "kpi_noted": "* Notes have changed a figure: planned stops, or prices.",
    "kpi_fast": "Effectiveness above 100 %: the line is faster than it is planned to be, and its "
    "OEE is too high for it. units_per_hour of [kpi] may be out of date.",
    "no_rate": "Effectiveness and OEE are not told: units_per_hour of [kpi] says what a line is "
    "planned to make.",
    "no_rate_of": "Effectiveness and OEE of all lines together are not told, as these have no "
    "planned rate: {lines}. units_per_hour_of of [kpi] gives it.",
    "no_rejects": "Quality ratio and scrap are not told, as no reject was counted: scrap_count of "
    "[kpi] names the counter. OEE takes every piece to be good until then.",
    "no_energy": "Energy is not told, as none was counted: energy_kwh of [panel] names the meter.",
    "no_carbon": "Carbon is not told: co2_kg_per_kwh of [prices] says what a kWh sets free.",
    "no_worth": "What that is in money is not told: unit_cost of [economics] says, with "
    "price_per_unit, what a piece is worth.",
    "lost": "What cost most",
    "lost_loss": "Loss",
    "lost_reason": "Reason of the stop",
    "lost_hours": "Hours",
    "lost_share": "Share so far",
    "lost_none": "No planned time was lost.",
    "loss_breakdown": "Breakdowns and other stops",
    "loss_setup": "Set-up",
    "loss_small_stops": "Small stops",
    "loss_reduced_speed": "Reduced speed",
    "loss_startup_rejects": "Rejects during set-up",
    "loss_process_rejects": "Rejects",
    "stop_down": "down, state {state}, nothing said of it",
    "stop_delay": "stopped, state {state}, nothing said of it",
}

ENGLISH: Words = MappingProxyType(_CHARTS | _DECISION | _VERDICT | _REPORT | _RAN)
