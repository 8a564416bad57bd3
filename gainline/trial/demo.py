"""The main job from end to end on this machine: gateways, broker, `gainline run`, report."""

from __future__ import annotations

import json
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from rich.console import Console

from contracts.errors import ConfigError, DataError, TransientError
from contracts.message import Address
from contracts.report import Report, Truth
from gainline.bar import progress_bar
from gainline.config import wiring
from gainline.config.loading import Settings, load
from gainline.config.made_tags import JUDGED_SQL
from gainline.config.store_place import store_folder
from gainline.files.tables import read_table
from gainline.kpis.shift_keeping import keep_shifts_of
from gainline.reports.reporting import Occasion, write_report
from gainline.running.process import Process, running
from gainline.trial.comparison import compare_with_books
from ingest import replay
from ingest.broker import embedded_broker
from ingest.mqtt.publisher import Publisher
from ingest.outgoing import Outgoing
from ingest.plant.plan import PlantPlan
from ingest.plant.simulation import Plant, simulate
from store.query import fetch
from store.sums.rolling import roll_up

MARK = ".gainline-demo"  # in a folder that an earlier demo made: it may be replaced
# How long the pipeline may stand still before the demo gives up on it: at the first start the judge
# is compiled, in half a minute of one core, which takes a busy machine several times as long.
STILL_FOR_S_MAX = 240.0
POLL_S = 0.25
# What the simulated plant's lines earn and what their upgrade costs: made up, like the plant.
# When the simulated plant may work; when a line does not, its state is 0.
CALENDAR = """[[calendar]]
shifts = [
    { name = "early", start = "06:00", end = "14:00" },
    { name = "late", start = "14:00", end = "22:00" },
    { name = "night", start = "22:00", end = "06:00" },
]"""
ECONOMICS = """[economics]
price_per_unit = 1.60
fixed_cost_per_year = 900000.0
investment = 350000.0
running_cost_per_year = 25000.0"""
COUNTS_SQL = f"""
SELECT coalesce((SELECT sum(received) FROM ledger), 0)::BIGINT AS messages,
       (SELECT count(*) FROM raw.readings) AS raw,
       {JUDGED_SQL} AS judged,
       (SELECT arrival FROM house.judge_progress) AS seen,
       (SELECT bool_and(received = stored + duplicate + dead_letter) FROM ledger) AS balances
"""  # noqa: S608  # of our own words

FRESH_SQL = """
SELECT count(*) AS count FROM clean.readings
WHERE judge_commit > (SELECT judge_commit FROM house.rollup_progress)
"""


@dataclass(frozen=True)
class Source:
    """What is published, and what is known of it."""

    title: str
    messages: Iterator[Outgoing]
    message_count: int
    reading_count: int
    plant: Plant | None = None


@dataclass(frozen=True)
class Counts:
    """What the lake holds: messages received; readings stored, judged, seen by the judge."""

    messages: int
    raw: int
    judged: int
    seen: int
    balances: bool


def run_demo(out: Path, *, recordings: tuple[Path, ...], seed: int) -> bool:
    """Run the main job into a folder; tell whether every stage has rows and the ledger balances.

    Raises ConfigError for a folder that is not an earlier demo, DataError for a file that is no
    recording, TransientError where the pipeline stands still.
    """
    say = partial(Console(stderr=True, highlight=False).print, markup=False, soft_wrap=True)
    _refuse(out)
    source = _recorded(recordings) if recordings else _simulated(seed)
    _prepare(out)
    say(f"{source.title}: {source.reading_count:,} readings in {source.message_count:,} messages")
    with embedded_broker() as address:
        settings = load(_write_settings(out, address, source), environment={})
        with running(out / "gainline.toml", log=out / "run.log") as process:
            _publish(address, source, process)
            _wait_until_stored(source, settings, process)
    _finish_judging(settings)
    _sum_up(settings)
    counts = _counts(settings)
    report = write_report(settings, out / "report.html", _occasion(source))
    for line in _summary(source, counts, report):
        say(line)
    say(f"report: {out / 'report.html'}")
    say(f"ask:    gainline sql 'FROM latest' --store {out / 'lake'}")
    return _is_whole(source, counts, report)


def _simulated(seed: int) -> Source:
    plant = simulate(PlantPlan(seed=seed))
    return Source(
        f"simulated plant, seed {seed}",
        plant.messages(),
        plant.message_count,
        plant.reading_count,
        plant,
    )


def _recorded(files: tuple[Path, ...]) -> Source:
    """Read the recordings; each is sent by a gateway of its own, named after its place."""
    messages, rows = list[Outgoing](), 0
    for number, file in enumerate(files, 1):
        table = read_table(file, columns=("tag", "source_time", "value"))
        rows += table.num_rows
        try:
            messages += replay.messages(table, gateway=f"recording-{number}", epoch="replay")
        except DataError as problem:
            raise DataError(f"{file}: {problem}") from None
    if rows == 0:
        raise DataError(f"{files[0]}: the recording has no rows; give one that has")
    title = "recordings " + ", ".join("/".join(file.absolute().parts[-2:]) for file in files)
    return Source(title, iter(messages), len(messages), rows)


def _refuse(out: Path) -> None:
    """Raise ConfigError for a folder that holds anything but an earlier demo."""
    if out.exists() and not (out / MARK).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"--out: {out} is not an earlier demo; name a folder that is not there")


def _prepare(out: Path) -> None:
    """Make the folder, in place of an earlier demo."""
    try:
        if out.exists():
            shutil.rmtree(out)
        out.mkdir(parents=True)
        (out / MARK).touch()
    except OSError as problem:
        raise ConfigError(f"--out: {out} cannot be made: {problem.strerror}") from None


def _write_settings(out: Path, address: Address, source: Source) -> Path:
    """Write the configuration of the demo, so that every verb works on what it leaves."""
    lines = [
        "# What `gainline demo` ran with; `gainline report --config` makes its report again.",
        f'[broker]\nurl = "mqtt://{address}"',
        f"[store]\nfolder = {_quoted(str(out.absolute() / 'lake'))}",
        f"[page]\nport = {_free_port()}",
    ]
    if source.plant is not None:
        plan = source.plant.plan
        lines += [CALENDAR, ECONOMICS, f"[gain]\nramp_periods = {plan.ramp_weeks}"]
        rates = ", ".join(
            f"{line.name} = {run.units_per_hour:.0f}" for line, run in source.plant.runs
        )
        lines.append(f"[kpi]\nunplanned = [0]\nunits_per_hour_of = {{ {rates} }}")
        lines.append(
            f"[prices]\nenergy_per_kwh = {plan.price_kwh}\nmaterial_per_kg = {plan.price_kg}"
        )
        lines += [
            f"[[upgrades]]\nline = {_quoted(row['line'])}\nupgraded_on = {row['upgraded_on']}"
            for row in source.plant.upgrades.table.to_pylist()
        ]
    path = out / "gainline.toml"
    path.write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    return path


def _quoted(text: str) -> str:
    """Write a string of TOML: JSON's strings are all among them."""
    return json.dumps(text)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _publish(address: Address, source: Source, process: Process) -> None:
    """Publish everything, each message acknowledged by the broker."""
    with (
        Publisher(address, client_id="gainline-demo") as publisher,
        progress_bar("publishing", source.message_count) as advance,
    ):
        for message in source.messages:
            publisher.publish(message.topic, message.payload)
            advance(1)
            process.require_alive()
        publisher.drain(STILL_FOR_S_MAX)


def _wait_until_stored(source: Source, settings: Settings, process: Process) -> None:
    """Wait until every message is in the lake and the judge has seen every reading."""
    for name, total, field in (
        ("storing", source.message_count, "messages"),
        ("judging", source.reading_count, "seen"),
    ):
        with progress_bar(name, total) as advance:
            done, moved_at_s = 0, time.monotonic()
            while done < total:
                process.require_alive()
                now = int(getattr(_counts(settings), field))
                if now > done:
                    moved_at_s = time.monotonic()
                elif time.monotonic() - moved_at_s > STILL_FOR_S_MAX:
                    raise TransientError(
                        f"{name}: stands still at {done} of {total}; see {process.log}"
                    )
                advance(now - done)
                done = now
                time.sleep(POLL_S)


def _finish_judging(settings: Settings) -> None:
    """Judge the readings that still wait for their successors: no more will come."""
    with wiring.open_lake(settings, writer="judge") as lake:
        wiring.bench(settings, lake).finish()


def _sum_up(settings: Settings) -> None:
    """Bring the sums of minutes, hours and shifts up to what was judged last."""
    folder = store_folder(settings)
    waiting = int(fetch(folder, FRESH_SQL).to_pylist()[0]["count"])
    with progress_bar("summing up", waiting) as advance:
        while count := roll_up(folder):
            advance(count)
    keep_shifts_of(settings, datetime.now(UTC))


def _counts(settings: Settings) -> Counts:
    return Counts(**fetch(store_folder(settings), COUNTS_SQL).to_pylist()[0])


def _occasion(source: Source) -> Occasion:
    books = source.plant.books if source.plant else None
    return Occasion(
        source.title[:1].upper() + source.title[1:],
        datetime.now(UTC),
        is_simulated=books is not None,
        truth=Truth(books.alpha, books.beta) if books else None,
    )


def _summary(source: Source, counts: Counts, report: Report) -> Iterator[str]:
    """Say what has come out, line by line."""
    yield f"stored {counts.raw:,} readings, judged {counts.judged:,}"
    yield f"ledger: {'balances' if counts.balances else 'DOES NOT BALANCE'}"
    books = source.plant.books if source.plant else None
    if books is None or report.gain is None or report.panel is None:
        return
    yield f"panel against the plant's own books: {compare_with_books(report.panel, books.panel)}"
    yield "the plant is simulated, so the truth is known:"
    for name, found, truth in (
        ("alpha", report.gain.alpha, books.alpha),
        ("beta ", report.gain.beta, books.beta),
    ):
        is_inside = found.low <= truth <= found.high
        missed = f"outside, as {1 - report.gain.level:.0%} of such intervals are"
        yield (
            f"  {name} {found.estimate:.4f}, {report.gain.level:.0%} interval"
            f" {found.low:.4f} to {found.high:.4f}; truth {truth:.4f},"
            f" {'inside' if is_inside else missed}"
        )


def _is_whole(source: Source, counts: Counts, report: Report) -> bool:
    """Tell whether every stage has all its rows, and the ledger balances."""
    return (
        counts.balances
        and counts.messages == source.message_count
        and counts.raw == counts.judged == source.reading_count
        and (source.plant is None or report.gain is not None)
    )
