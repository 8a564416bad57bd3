"""The verbs `dead-letters …`: what could not be read, and why."""

from __future__ import annotations

from typing import Annotated

import typer

from gainline.ending import EXIT_ANSWER_IS_BAD
from gainline.options import (
    ConfigOption,
    FormatOption,
    StoreOption,
    checked_settings,
    store_folder,
)

dead_letters_app = typer.Typer(no_args_is_help=True)

ReasonOption = Annotated[str | None, typer.Option("--reason", help="A code, such as too_big.")]


@dead_letters_app.command("list")
def list_dead_letters(
    store: StoreOption = None,
    config: ConfigOption = None,
    form: FormatOption = "table",
    reason: ReasonOption = None,
) -> None:
    """List what could not be read, newest first."""
    from gainline.messages import accounts
    from gainline.output import Format

    accounts.list_dead_letters(store_folder(config, store), Format(form), reason)


@dead_letters_app.command("show")
def show_dead_letter(
    position: Annotated[int, typer.Argument(help="As `list` gives it.")],
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Write the payload of one dead letter to standard output, byte for byte."""
    from gainline.messages import accounts

    accounts.show_dead_letter(store_folder(config, store), position)


@dead_letters_app.command("replay")
def replay_dead_letters(
    positions: Annotated[
        list[int] | None, typer.Argument(metavar="POSITION", help="As `list` gives them.")
    ] = None,
    reason: ReasonOption = None,
    gateway: Annotated[str | None, typer.Option(help="That sent them.")] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> int:
    """Send dead letters again: those that can be read by now are stored, once."""
    is_chosen = [bool(positions), reason is not None or gateway is not None, every]
    if sum(is_chosen) != 1:
        raise typer.BadParameter("name positions, or --reason, --gateway or both, or --all")
    from gainline.messages.replaying import Choice, replay_dead_letters

    choice = Choice(tuple(positions or ()), reason, gateway)
    none_remains = replay_dead_letters(checked_settings(config, store), choice)
    return 0 if none_remains else EXIT_ANSWER_IS_BAD
