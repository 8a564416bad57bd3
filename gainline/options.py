"""The options that several verbs share, and the configuration that comes of them."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from gainline.config.loading import Settings


def moment(text: str) -> datetime:
    """Read a time, in UTC where it has no offset. Raises typer.BadParameter.

    >>> moment("2026-03-02T06:00").isoformat(), moment("2026-03-02T06:00+01:00").isoformat()
    ('2026-03-02T06:00:00+00:00', '2026-03-02T06:00:00+01:00')
    """
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time; write 2026-03-02T06:00:00Z") from None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def above_0(value: float) -> float:
    """Refuse what is not above 0."""
    return checked(value, value > 0 and math.isfinite(value), "give a number above 0")


def share(value: float) -> float:
    """Refuse what is no share of a whole."""
    return checked(value, 0 < value < 1, "give a number between 0 and 1, such as 0.9")


def checked(value: float, is_good: bool, fix: str) -> float:  # noqa: FBT001  # a claim on value
    """Give the value of an option, or say how to mend it. Raises typer.BadParameter."""
    if not is_good:
        raise typer.BadParameter(f"{value:g} cannot be; {fix}")
    return value


# Paths are readable=False: what cannot be read is found, said and given its exit code by the verb.
ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="The TOML file.", readable=False)
]
BrokerOption = Annotated[
    str | None, typer.Option("--broker", help="mqtt://HOST:PORT, mqtts://…, ws://…, wss://…")
]
StoreOption = Annotated[
    Path | None, typer.Option("--store", help="Folder of the lake.", readable=False)
]
TopicOption = Annotated[list[str] | None, typer.Option("--topic", help="Filter; repeatable.")]
ChartsOption = Annotated[
    Path | None, typer.Option("--charts", help="Folder to draw into, as SVG.", readable=False)
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]
FromOption = Annotated[
    datetime | None,
    typer.Option("--from", metavar="TIME", help="From this time on.", parser=moment),
]
ToOption = Annotated[
    datetime | None, typer.Option("--to", metavar="TIME", help="Before this time.", parser=moment)
]
FormatOption = Annotated[
    Literal["table", "csv", "json", "parquet", "arrow"],
    typer.Option("--format", help="How to print it."),
]


def settings_of(
    config: Path | None,
    broker: str | None = None,
    store: Path | None = None,
    topics: list[str] | None = None,
) -> Settings:
    """Load the configuration; the command line has the last word."""
    from gainline.config.loading import load, with_options  # noqa: PLC0415  # help does without it

    return with_options(load(config), broker=broker, store=store, topics=topics)


def checked_settings(config: Path | None, store: Path | None) -> Settings:
    """Load the configuration for a command that stores, checked, and set up the log for it."""
    from gainline.checks.doctor import check_settings  # noqa: PLC0415  # loads what ingest needs
    from gainline.config.mistakes import naming_place  # noqa: PLC0415  # the same
    from gainline.running.telemetry import set_up_logging  # noqa: PLC0415  # the same

    settings = settings_of(config, store=store)
    set_up_logging("warning")
    with naming_place(config):
        check_settings(settings)
    return settings


def store_folder(config: Path | None, store: Path | None) -> Path:
    """Give the folder of the store that is asked.

    >>> str(store_folder(None, Path("lake")))
    'lake'
    """
    from gainline.config import store_place  # noqa: PLC0415  # help does without it

    return store_place.store_folder(settings_of(config, store=store))
