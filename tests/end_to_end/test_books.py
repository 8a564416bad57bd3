"""What the simulated plant booked is what the panel says, all the way through the lake."""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc

from analytics import panel
from gainline.config import valuation, wiring
from gainline.config.loading import Settings
from gainline.config.sections import PricesSection, StoreSection
from gainline.config.store_place import store_folder
from gainline.flow import Bench, Intake
from gainline.trial.comparison import compare_with_books
from ingest.blocks import Received
from ingest.plant.plan import PlantPlan
from ingest.plant.simulation import Plant, simulate
from ingest.sources import Sources
from store.shifts.periods import periods

PLAN = PlantPlan(seed=7, line_count=4, weeks=8, waves=(4,))


def test_the_panel_from_readings_equals_the_books_within_what_is_missing(tmp_path: Path) -> None:
    plant = simulate(PLAN)
    settings = Settings(
        store=StoreSection(folder=str(tmp_path / "store")),
        prices=PricesSection(energy_per_kwh=PLAN.price_kwh, material_per_kg=PLAN.price_kg),
    )
    _store_and_judge(plant, settings)
    built = panel.build(
        periods(store_folder(settings)),
        names=valuation.metric_names(settings),
        prices=valuation.prices(settings),
    )
    compared = compare_with_books(built.panel, plant.books.panel)
    assert compared.compared + compared.missing == PLAN.line_count * PLAN.weeks
    # a week of which every reading came is booked to the unit
    whole = pc.sum(pc.equal(built.coverage["coverage"], 1.0)).as_py()
    assert whole >= PLAN.line_count * PLAN.weeks // 2
    assert compared.exact >= whole
    # what an outage hides at a week's edge is counted in the week before, never lost
    assert abs(compared.output_total) < 0.01
    assert compared.unit_cost_max < 0.01


def _store_and_judge(plant: Plant, settings: Settings) -> None:
    with (
        wiring.open_lake(settings, writer="ingest") as lake,
        wiring.open_lake(settings, writer="judge") as judged,
        wiring.open_journal(settings, first_position=0) as journal,
    ):
        received_us = PLAN.start_us + PLAN.weeks * 7 * 86_400 * 1_000_000
        journal.append(
            [
                Received(each.topic, each.payload, received_us, retained=False)
                for each in plant.messages()
            ]
        )
        intake = Intake(Sources(journal), lake, wiring.how_to_read(settings))
        while intake.store_new():
            pass
        bench = Bench(judged, wiring.rule_for(settings), wiring.judge_settings(settings))
        while bench.judge_new(received_us):
            pass
        bench.finish()
