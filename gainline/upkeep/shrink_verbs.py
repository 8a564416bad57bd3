"""The verbs that keep a store small: one thin function each, which imports what it calls."""

from __future__ import annotations

from typing import Annotated

import typer

from gainline.options import (
    ConfigOption,
    FromOption,
    JsonFlag,
    StoreOption,
    ToOption,
    checked_settings,
)

store_app = typer.Typer()

DryRunFlag = Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")]


@store_app.command()
def compact(
    store: StoreOption = None, config: ConfigOption = None, *, as_json: JsonFlag = False
) -> None:
    """Make few sorted files of the many that the store has now, also while `run` writes."""
    from gainline.upkeep.shrinking import compact_store, show_compacted

    show_compacted(compact_store(checked_settings(config, store)), in_json=as_json)


@store_app.command()
def retain(
    store: StoreOption = None,
    config: ConfigOption = None,
    *,
    dry_run: DryRunFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Remove what is older than the configuration keeps it, as `maintain` does once a day."""
    from gainline.upkeep.shrinking import retain_in_store, show_retained

    done = retain_in_store(checked_settings(config, store), is_dry_run=dry_run)
    show_retained(done, is_dry_run=dry_run, in_json=as_json)


@store_app.command()
def forget(
    tag: Annotated[str, typer.Option(help="Those that match, such as lyon/badge/*.")],
    begin: FromOption = None,
    end: ToOption = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; else only say what would go.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Remove all that is stored of tags, down to the bytes."""
    from gainline.upkeep.forgetting import forget_tags, show_forgotten

    if begin is not None and end is not None and end <= begin:
        raise typer.BadParameter(f"--to {end} is not after --from {begin}")
    settings = checked_settings(config, store)
    done, beyond = forget_tags(settings, tag, (begin, end), is_dry_run=not yes)
    show_forgotten(done, beyond, is_dry_run=not yes, in_json=as_json)
