"""The command `gainline`: one thin function a verb, which imports what it calls."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gainline.decisions.plan_verbs import plan_app
from gainline.decisions.profit_verbs import profit_app
from gainline.ending import (
    EXIT_ANSWER_IS_BAD,
    code_of,
    end_as_with_ctrl_c,
    end_well_when_told,
    interruptible,
    leave,
    prepare_streams,
)
from gainline.gains.gain_verbs import gain_app
from gainline.gains.meter_verbs import meter_app
from gainline.gains.panel_verbs import panel_app
from gainline.judging.verbs import clean_app
from gainline.kpis.verbs import kpi_app
from gainline.messages.dead_letters import dead_letters_app
from gainline.notes.verbs import note_app
from gainline.options import (
    BrokerOption,
    ConfigOption,
    FormatOption,
    FromOption,
    JsonFlag,
    StoreOption,
    ToOption,
    TopicOption,
    above_0,
    checked_settings,
    settings_of,
    store_folder,
)
from gainline.tags.verbs import tags_app
from gainline.upkeep.safety_verbs import keep_app
from gainline.upkeep.shrink_verbs import store_app

if TYPE_CHECKING:
    from gainline.config.loading import Settings

app = typer.Typer(
    help="From the messages of sensors to what an upgrade earned.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(clean_app)
app.add_typer(keep_app)
app.add_typer(store_app)
app.add_typer(kpi_app)
app.add_typer(panel_app)
app.add_typer(gain_app)
app.add_typer(meter_app)
app.add_typer(profit_app)
app.add_typer(plan_app, name="plan", help="A pilot before an upgrade, a roll-out after it.")
app.add_typer(dead_letters_app, name="dead-letters", help="What could not be read, and why.")
app.add_typer(note_app, name="note", help="What people say: reasons, stops, prices, remarks.")
app.add_typer(tags_app, name="tags", help="Where tags stand, their units and kinds.")

# What SIGTERM ends with exit code 0, also while it still loads what it needs.
SERVICES = {"run", "ingest", "judge", "maintain", "schedule", "serve"}


def main() -> None:
    """Run the command line and exit with a code of docs/commands.md."""
    prepare_streams()
    words = sys.argv[1:]
    serves = bool(words) and words[0] in SERVICES
    if serves and not any(word.startswith("--from") for word in words):
        end_well_when_told()
    else:
        end_as_with_ctrl_c()
    leave(run(words))


def run(words: list[str]) -> int:
    """Run one command; every mistake becomes one line and an exit code."""
    return code_of(lambda: app(words, prog_name="gainline", standalone_mode=False))


@app.command()
def demo(
    replay: Annotated[
        list[Path] | None, typer.Option(help="A recording; repeatable.", readable=False)
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the lake and the report.")] = Path(
        "demo-out"
    ),
    seed: Annotated[int, typer.Option(help="Seed of the simulated plant.", min=0)] = 1,
) -> int:
    """Run the main job on an embedded broker: a simulated plant, or recordings."""
    from gainline.running.telemetry import set_up_logging
    from gainline.trial.demo import run_demo

    set_up_logging("warning")
    is_whole = run_demo(out, recordings=tuple(replay or ()), seed=seed)
    return 0 if is_whole else EXIT_ANSWER_IS_BAD


@app.command()
def init(folder: Annotated[Path, typer.Argument(help="Where to write it.")] = Path()) -> None:
    """Write a commented gainline.toml."""
    from gainline.config.example_file import write_example

    typer.echo(write_example(folder))


@app.command("check-config")
def check_config(
    config: ConfigOption = None,
    *,
    live: Annotated[bool, typer.Option("--live", help="Also connect.")] = False,
) -> None:
    """Check the configuration; connects to nothing unless told --live."""
    from gainline.checks.doctor import check_live, check_settings
    from gainline.config.mistakes import naming_place

    settings = settings_of(config)
    with naming_place(config):
        check_settings(settings)
    if live:
        check_live(settings)
    typer.echo("the configuration is good")


@app.command()
def doctor(config: ConfigOption = None, store: StoreOption = None) -> int:
    """Say what is wrong with this installation, broker, store or clock, and the remedy."""
    from gainline.checks.doctor import examine

    findings = examine(settings_of(config, store=store), config)
    for finding in findings:
        typer.echo(str(finding))
    return 0 if all(finding.is_good for finding in findings) else EXIT_ANSWER_IS_BAD


@app.command("run")
def run_everything(
    config: ConfigOption = None,
    broker: BrokerOption = None,
    store: StoreOption = None,
    topic: TopicOption = None,
) -> int:
    """Run everything: ingest, judge, maintenance, schedule, page."""
    from gainline.running import services

    settings = _ready_to_serve(settings_of(config, broker, store, topic), config)
    return services.run_until_signalled(settings, services.everything(settings))


@app.command()
def ingest(
    config: ConfigOption = None,
    broker: BrokerOption = None,
    store: StoreOption = None,
    topic: TopicOption = None,
    *,
    source: Annotated[
        list[Path] | None,
        typer.Option("--from", help="A file to import instead; repeatable.", readable=False),
    ] = None,
    more: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help="More files of --from.", readable=False),
    ] = None,
) -> int:
    """Receive, journal, acknowledge, decode and store; or import files."""
    if source:
        from gainline.messages.imports import import_files

        is_whole = import_files(checked_settings(config, store), [*source, *(more or ())])
        return 0 if is_whole else EXIT_ANSWER_IS_BAD
    if more:
        raise typer.BadParameter(f"{more[0]}: files are imported by --from FILE")
    return _serve_one("ingest", settings_of(config, broker, store, topic), config)


@app.command()
def judge(
    config: ConfigOption = None,
    store: StoreOption = None,
    begin: FromOption = None,
    end: ToOption = None,
    tag: Annotated[str | None, typer.Option(help="Pattern of tags to judge again.")] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    as_json: JsonFlag = False,
) -> int:
    """Judge what is stored, as it comes; or a range of time again."""
    if begin is None:
        if end or tag or dry_run or as_json:
            raise typer.BadParameter("what to judge again begins at a time: add --from T")
        return _serve_one("judge", settings_of(config, store=store), config)
    from gainline.judging.rejudging import Wish, rejudge, show_rejudged
    from store.rejudging.history import Span

    if end is not None and end <= begin:
        raise typer.BadParameter(f"--to {end} is not after --from {begin}")
    wish = Wish(Span(begin, end), tag)
    done = rejudge(checked_settings(config, store), wish, is_dry_run=dry_run)
    show_rejudged(done, wish, is_dry_run=dry_run, in_json=as_json)
    return 0


@app.command()
def maintain(config: ConfigOption = None, store: StoreOption = None) -> int:
    """Keep the store in order."""
    return _serve_one("maintain", settings_of(config, store=store), config)


@app.command()
def schedule(config: ConfigOption = None, store: StoreOption = None) -> int:
    """Make the reports of the schedule, each slot exactly once."""
    return _serve_one("schedule", settings_of(config, store=store), config)


@app.command()
def serve(config: ConfigOption = None, store: StoreOption = None) -> int:
    """Show health, metrics and reports on a page."""
    return _serve_one("serve", settings_of(config, store=store), config)


def _serve_one(name: str, settings: Settings, config: Path | None) -> int:
    from gainline.running import services

    _ready_to_serve(settings, config, connects=name == "ingest")
    return services.run_until_signalled(settings, [getattr(services, name)])


def _ready_to_serve(settings: Settings, config: Path | None, *, connects: bool = True) -> Settings:
    """Set up the log, and refuse what no service may start with."""
    from gainline.checks.doctor import refuse_start
    from gainline.config.mistakes import naming_place
    from gainline.running.telemetry import set_up_logging

    set_up_logging(settings.log.level)
    with naming_place(config):
        refuse_start(settings, config, connects=connects)
    return settings


@app.command()
def simulate(  # noqa: PLR0917  # typer passes options by name
    config: ConfigOption = None,
    broker: BrokerOption = None,
    seconds: Annotated[float, typer.Option(help="How long.", callback=above_0)] = 60.0,
    rate: Annotated[float, typer.Option(help="Messages a second.", callback=above_0)] = 20.0,
    seed: Annotated[int, typer.Option(help="Of all that is random.", min=0)] = 1,
    shape: Annotated[
        Literal["day", "reading", "machine", "columns", "value", "mixed"],
        typer.Option(help="What a message holds."),
    ] = "day",
    gateways: Annotated[int, typer.Option(help="How many.", min=1)] = 4,
    jitter: Annotated[float, typer.Option(help="Seconds that one may be late.", min=0)] = 0.0,
    outages: Annotated[int, typer.Option(help="How often one goes offline.", min=0)] = 0,
    repeats: Annotated[float, typer.Option(help="Share that goes out twice.", min=0)] = 0.0,
) -> None:
    """Publish as a plant of gateways would."""
    from gainline.running.telemetry import set_up_logging
    from gainline.trial.simulate import publish_fleet, publish_plant

    set_up_logging("warning")
    settings = settings_of(config, broker)
    if shape == "day":
        done = publish_plant(settings, seconds=seconds, rate=rate, seed=seed)
    else:
        from ingest.fleet import FleetPlan, Shape

        plan = FleetPlan(Shape(shape), gateways, rate, seconds, jitter, outages, repeats, seed)
        done = publish_fleet(settings, plan)
    typer.echo(done.in_words())


@app.command()
def probe(
    topic: Annotated[str, typer.Option(help="The topic it came on.")],
    file: Annotated[
        Path | None, typer.Argument(help="The payload; else standard input.", readable=False)
    ] = None,
    config: ConfigOption = None,
) -> int:
    """Decode one payload as `ingest` would, and store nothing."""
    from gainline.messages.probing import probe_payload

    return 0 if probe_payload(settings_of(config), topic, file) else EXIT_ANSWER_IS_BAD


@app.command()
def sql(
    query: Annotated[
        str | None,
        typer.Argument(help="One SELECT; without it a shell, or the statements of a pipe."),
    ] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    form: FormatOption = "table",
) -> None:
    """Ask the store in SQL, read-only, also while `run` writes."""
    from gainline.sql.asking import answer

    answer(query, form, lambda: settings_of(config, store=store))


@app.command()
def ledger(
    store: StoreOption = None, config: ConfigOption = None, *, as_json: JsonFlag = False
) -> int:
    """Show that received = stored + duplicate + dead letter, for each gateway."""
    from gainline.messages.accounts import show_ledger

    folder = store_folder(config, store)
    balances = interruptible(lambda: show_ledger(folder, in_json=as_json))
    return 0 if balances else EXIT_ANSWER_IS_BAD


@app.command()
def report(
    out: Annotated[Path, typer.Option(help="The HTML file to write.")] = Path("report.html"),
    config: ConfigOption = None,
    store: StoreOption = None,
) -> None:
    """Make the report of a store now."""
    from datetime import UTC, datetime

    from gainline.reports.reporting import Occasion, write_report

    settings = settings_of(config, store=store)
    occasion = Occasion("Report", datetime.now(UTC))
    interruptible(lambda: write_report(settings, out, occasion))
    typer.echo(out)
