"""What `./run demo` leaves, without a broker, and without readings that no page shows.

The plant is the demo's own, so every figure is: the four gauges that nothing but the judge looks
at, and the scrap, are of one line only, sums of shifts are kept of one week, and `hour` adds up
its readings when it is asked.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from gainline.config import wiring
from gainline.config.loading import Settings, load
from gainline.config.store_place import store_folder
from gainline.flow import Bench, Intake
from gainline.kpis.planning import plan_of
from gainline.kpis.shift_keeping import planned
from gainline.reports.reporting import write_report
from gainline.trial import demo
from ingest.blocks import Received
from ingest.plant.plan import PlantPlan
from ingest.plant.simulation import Plant, simulate
from ingest.sources import Sources
from store.shifts.kept_shifts import keep_shifts

PLAN = PlantPlan()
WHOLE_LINE = "/L01/"
LEFT_OUT = {"scrap_count", "power_kw", "temperature_c", "pressure_bar", "vibration_mm_s"}
ENDS = datetime(2024, 12, 31, tzinfo=UTC)
KEPT_SINCE, KEPT_UNTIL = datetime(2024, 6, 3, tzinfo=UTC), datetime(2024, 6, 9, tzinfo=UTC)


def make_demo(out: Path) -> str:
    """Write configuration, lake and report into a new folder; give the end of what is said."""
    out.mkdir()
    plant = simulate(PLAN)
    source = demo.Source(
        f"simulated plant, seed {PLAN.seed}",
        iter(()),
        plant.message_count,
        plant.reading_count,
        plant,
    )
    settings = load(demo._write_settings(out, "127.0.0.1:1883", source), environment={})
    _store_and_judge(plant, settings)
    folder = store_folder(settings)
    keep_shifts(folder, planned(plan_of(settings, folder)), now=KEPT_UNTIL, kept_since=KEPT_SINCE)
    report = write_report(settings, out / "report.html", demo._occasion(source))
    said = list(demo._summary(source, demo._counts(settings), report))
    return "\n".join(said[2:])  # after the number of readings


def _store_and_judge(plant: Plant, settings: Settings) -> None:
    received_us = int(ENDS.timestamp()) * 1_000_000
    with (
        wiring.open_lake(settings, writer="ingest") as lake,
        wiring.open_lake(settings, writer="judge") as judged,
        wiring.open_journal(settings, first_position=0) as journal,
    ):
        journal.append(
            [
                Received(each.topic, _shown(each.topic, each.payload), received_us, retained=False)
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


def _shown(topic: str, payload: bytes) -> bytes:
    """Leave out of a message what no page shows."""
    if WHOLE_LINE in topic:
        return payload
    fields = msgspec.json.decode(payload)
    return msgspec.json.encode({name: fields[name] for name in fields if name not in LEFT_OUT})
