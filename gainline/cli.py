"""The command `gainline`: one thin function a verb, which imports what it calls."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from contracts.errors import ConfigError, GainlineError, TransientError, UnreachableError

if TYPE_CHECKING:
    from gainline.config import Settings

EXIT_ANSWER_IS_BAD = 1
EXIT_WRONG_COMMAND_LINE = 2
EXIT_WRONG_CONFIGURATION = 3
EXIT_UNREACHABLE = 4
EXIT_NOT_NOW = 75
EXIT_INTERRUPTED = 130

TRACEBACK_VARIABLE = "GAINLINE_TRACEBACK"

# typer carries a click of its own and does not name this class in public
UsageError = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[1])

app = typer.Typer(
    help="From the messages of sensors to what an upgrade earned.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
dead_letters_app = typer.Typer(no_args_is_help=True)
app.add_typer(dead_letters_app, name="dead-letters", help="What could not be read, and why.")

ConfigOption = Annotated[Path | None, typer.Option("--config", help="The TOML file.")]
BrokerOption = Annotated[str | None, typer.Option("--broker", help="mqtt://HOST:PORT")]
StoreOption = Annotated[Path | None, typer.Option("--store", help="Folder of the lake.")]
TopicOption = Annotated[list[str] | None, typer.Option("--topic", help="Filter; repeatable.")]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]
FormatOption = Annotated[
    Literal["table", "csv", "json", "parquet"], typer.Option("--format", help="How to print it.")
]


def main() -> None:
    """Run the command line and exit with a code of docs/commands.md."""
    sys.exit(run(sys.argv[1:]))


def run(words: list[str]) -> int:
    """Run one command; every error of ours becomes one line and an exit code."""
    try:
        code: int | None = app(words, prog_name="gainline", standalone_mode=False)
    except typer.Exit as done:
        return done.exit_code
    except UsageError as problem:
        problem.show()
        return EXIT_WRONG_COMMAND_LINE
    except (KeyboardInterrupt, typer.Abort):
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone; there is nobody to tell
        return 0
    except Exception as problem:  # noqa: BLE001  # whatever it is, the user gets one line
        return _complain(problem)
    return code or 0


def _complain(problem: Exception) -> int:
    """Say in one line what went wrong, and give the exit code."""
    line = " ".join(str(problem).split())
    if isinstance(problem, GainlineError):
        typer.echo(f"gainline: {line}", err=True)
        return _exit_code(problem)
    if os.environ.get(TRACEBACK_VARIABLE):
        raise problem
    defect = f"{type(problem).__name__}: {line}"
    typer.echo(
        f"gainline: a defect of gainline, please report it: {defect}"
        f" ({TRACEBACK_VARIABLE}=1 shows where)",
        err=True,
    )
    return EXIT_ANSWER_IS_BAD


def _exit_code(problem: GainlineError) -> int:
    if isinstance(problem, ConfigError):
        return EXIT_WRONG_CONFIGURATION
    if isinstance(problem, UnreachableError):
        return EXIT_UNREACHABLE
    return EXIT_NOT_NOW if isinstance(problem, TransientError) else EXIT_ANSWER_IS_BAD


def _settings(
    config: Path | None,
    broker: str | None = None,
    store: Path | None = None,
    topics: list[str] | None = None,
) -> Settings:
    """Load the configuration; the command line has the last word."""
    from gainline.config import load, with_options

    return with_options(load(config), broker=broker, store=store, topics=topics)


@app.command()
def demo(
    replay: Annotated[list[Path] | None, typer.Option(help="A recording; repeatable.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the lake and the report.")] = Path(
        "demo-out"
    ),
    seed: Annotated[int, typer.Option(help="Seed of the simulated plant.")] = 1,
) -> int:
    """Run the main job on an embedded broker: a simulated plant, or recordings."""
    from gainline.demo import run_demo
    from gainline.telemetry import set_up_logging

    set_up_logging("warning")
    is_whole = run_demo(out, recordings=tuple(replay or ()), seed=seed)
    return 0 if is_whole else EXIT_ANSWER_IS_BAD


@app.command()
def init(folder: Annotated[Path, typer.Argument(help="Where to write it.")] = Path()) -> None:
    """Write a commented gainline.toml."""
    from gainline.config import write_example

    typer.echo(write_example(folder))


@app.command("check-config")
def check_config(
    config: ConfigOption = None,
    *,
    live: Annotated[bool, typer.Option("--live", help="Also connect.")] = False,
) -> None:
    """Check the configuration; connects to nothing unless told --live."""
    from gainline.doctor import check_live, check_settings

    settings = _settings(config)
    check_settings(settings)
    if live:
        check_live(settings)
    typer.echo("the configuration is good")


@app.command()
def doctor(config: ConfigOption = None, store: StoreOption = None) -> int:
    """Say what is wrong with this installation, broker, store or clock, and the remedy."""
    from gainline.doctor import examine

    findings = examine(_settings(config, store=store))
    for finding in findings:
        typer.echo(f"{'ok ' if finding.is_good else 'BAD'} {finding.subject}: {finding.words}")
    return 0 if all(finding.is_good for finding in findings) else EXIT_ANSWER_IS_BAD


@app.command("run")
def run_everything(
    config: ConfigOption = None,
    broker: BrokerOption = None,
    store: StoreOption = None,
    topic: TopicOption = None,
) -> int:
    """Run everything: ingest, judge, maintenance, schedule, page."""
    from gainline import services

    settings = _ready_to_serve(_settings(config, broker, store, topic))
    return services.run_until_signalled(settings, services.everything(settings))


@app.command()
def ingest(
    config: ConfigOption = None,
    broker: BrokerOption = None,
    store: StoreOption = None,
    topic: TopicOption = None,
) -> int:
    """Receive, journal, acknowledge, decode and store."""
    return _serve_one("ingest", _settings(config, broker, store, topic))


@app.command()
def judge(config: ConfigOption = None, store: StoreOption = None) -> int:
    """Judge what is stored, as it comes."""
    return _serve_one("judge", _settings(config, store=store))


@app.command()
def maintain(config: ConfigOption = None, store: StoreOption = None) -> int:
    """Keep the store in order."""
    return _serve_one("maintain", _settings(config, store=store))


@app.command()
def schedule(config: ConfigOption = None, store: StoreOption = None) -> int:
    """Make the reports of the schedule, each slot exactly once."""
    return _serve_one("schedule", _settings(config, store=store))


@app.command()
def serve(config: ConfigOption = None, store: StoreOption = None) -> int:
    """Show health, metrics and reports on a page."""
    return _serve_one("serve", _settings(config, store=store))


def _serve_one(name: str, settings: Settings) -> int:
    from gainline import services

    _ready_to_serve(settings)
    return services.run_until_signalled(settings, [getattr(services, name)])


def _ready_to_serve(settings: Settings) -> Settings:
    """Set up the log, and refuse what no service may start with."""
    from gainline.doctor import refuse_start
    from gainline.telemetry import set_up_logging

    set_up_logging(settings.log.level)
    refuse_start(settings)
    return settings


@app.command()
def simulate(
    broker: BrokerOption = "mqtt://127.0.0.1:1883",
    seconds: Annotated[float, typer.Option(help="How long.")] = 60.0,
    rate: Annotated[float, typer.Option(help="Messages a second.")] = 20.0,
    seed: Annotated[int, typer.Option(help="Seed of the plant.")] = 1,
) -> None:
    """Publish as a plant of gateways would."""
    from gainline.simulate import publish_plant
    from gainline.telemetry import set_up_logging

    set_up_logging("warning")
    count = publish_plant(broker or "", seconds=seconds, rate=rate, seed=seed)
    typer.echo(f"published {count} messages, each acknowledged by the broker")


@app.command()
def probe(
    topic: Annotated[str, typer.Option(help="The topic it came on.")],
    file: Annotated[Path | None, typer.Argument(help="The payload; else standard input.")] = None,
    config: ConfigOption = None,
) -> int:
    """Decode one payload as `ingest` would, and store nothing."""
    from gainline.files import probe_payload

    return 0 if probe_payload(_settings(config), topic, file) else EXIT_ANSWER_IS_BAD


@app.command()
def clean(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Parquet or CSV.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Parquet or CSV.")],
    config: ConfigOption = None,
) -> None:
    """Judge the readings of a table and write it back with the verdicts."""
    from gainline.files import clean_file

    clean_file(_settings(config), source, target)


@app.command()
def sql(
    query: Annotated[str, typer.Argument(help="One SELECT.")],
    store: StoreOption = None,
    config: ConfigOption = None,
    form: FormatOption = "table",
) -> None:
    """Ask the store in SQL, read-only, also while `run` writes."""
    from gainline.output import Format, print_answer

    print_answer(_store_folder(config, store), query, Format(form))


@app.command()
def ledger(
    store: StoreOption = None, config: ConfigOption = None, *, as_json: JsonFlag = False
) -> int:
    """Show that received = stored + duplicate + dead letter, for each gateway."""
    from gainline.accounts import show_ledger

    balances = show_ledger(_store_folder(config, store), in_json=as_json)
    return 0 if balances else EXIT_ANSWER_IS_BAD


@dead_letters_app.command("list")
def list_dead_letters(
    store: StoreOption = None, config: ConfigOption = None, form: FormatOption = "table"
) -> None:
    """List what could not be read, newest first."""
    from gainline import accounts
    from gainline.output import Format

    accounts.list_dead_letters(_store_folder(config, store), Format(form))


@dead_letters_app.command("show")
def show_dead_letter(
    position: Annotated[int, typer.Argument(help="As `list` gives it.")],
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Write the payload of one dead letter to standard output, byte for byte."""
    from gainline import accounts

    accounts.show_dead_letter(_store_folder(config, store), position)


def _store_folder(config: Path | None, store: Path | None) -> Path:
    return Path(_settings(config, store=store).store.folder)


@app.command()
def gain(
    panel: Annotated[Path, typer.Argument(help="line, period, output, unit_cost, covariates…")],
    upgrades: Annotated[Path, typer.Option(help="line, upgraded_on")],
    level: Annotated[float, typer.Option(help="Of the intervals.")] = 0.9,
    ramp: Annotated[int, typer.Option(help="Periods left out after an upgrade.")] = 0,
    anticipation: Annotated[int, typer.Option(help="Periods left out before it.")] = 0,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Estimate alpha and beta from a panel of lines and periods."""
    from gainline.conclude import fit_files

    options = {"level": level, "ramp": ramp, "anticipation": anticipation}
    fit_files(panel, upgrades, options, as_json=as_json)


@app.command()
def profit(
    alpha: Annotated[float, typer.Option(help="Multiplier of output.")],
    beta: Annotated[float, typer.Option(help="Fraction of unit variable cost removed.")],
    model: Annotated[
        Literal["cost_plus", "fixed_price"], typer.Option(help="What the price is.")
    ] = "cost_plus",
    config: ConfigOption = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Say what a gain does to profit."""
    from gainline.conclude import profit_of

    profit_of(alpha, beta, model, settings=_settings(config), as_json=as_json)


@app.command()
def report(
    out: Annotated[Path, typer.Option(help="The HTML file to write.")] = Path("report.html"),
    config: ConfigOption = None,
    store: StoreOption = None,
) -> None:
    """Make the report of a store now."""
    from datetime import UTC, datetime

    from gainline.reporting import Occasion, write_report

    settings = _settings(config, store=store)
    write_report(settings, out, Occasion("Report", datetime.now(UTC)))
    typer.echo(out)
