"""The verbs `tags …`: one thin function each, which imports what it calls."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from gainline.options import (
    ConfigOption,
    FormatOption,
    FromOption,
    StoreOption,
    settings_of,
    store_folder,
)

tags_app = typer.Typer(no_args_is_help=True)

Word = Annotated[str | None, typer.Option(help="An empty text for none.")]


@tags_app.command("list")
def list_tags(
    store: StoreOption = None, config: ConfigOption = None, form: FormatOption = "table"
) -> None:
    """List the tags that the store knows: place, unit, kind, and what was set by hand."""
    from gainline.output import Format
    from gainline.tags import tagging

    tagging.list_tags(store_folder(config, store), Format(form))


@tags_app.command("set")
def set_tag(
    tag: Annotated[str, typer.Argument(help="As `tags list` gives it.")],
    *,
    site: Word = None,
    area: Word = None,
    line: Word = None,
    machine: Word = None,
    metric: Word = None,
    unit: Word = None,
    kind: Annotated[
        Literal["gauge", "counter", "inventory", "state", "waveform"] | None,
        typer.Option(help="What its values are."),
    ] = None,
    since: FromOption = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    as_configured: Annotated[
        bool, typer.Option("--as-configured", help="Forget what was set by hand before.")
    ] = False,
) -> None:
    """Set what is known of a tag; it wins over topics and the configuration."""
    from gainline.tags import tagging

    given = {"site": site, "area": area, "line": line, "machine": machine}
    given |= {"metric": metric, "unit": unit, "kind": kind}
    words = {name: word for name, word in given.items() if word is not None}
    if not words and not as_configured:
        raise typer.BadParameter("nothing to set; give --unit, --line or another of the options")
    if since is not None and (set(words) != {"unit"} or as_configured):
        raise typer.BadParameter("--from is for --unit alone: all else holds for all readings")
    settings = settings_of(config, store=store)
    tagging.set_tag(settings, tag, words, as_configured=as_configured, unit_from=since)


@tags_app.command("rename")
def rename_tag(
    old: Annotated[str, typer.Argument(help="A tag, or all below one: lyon/line1/*")],
    new: Annotated[
        str | None, typer.Argument(help="Its new name; of all below: turin/l1/*")
    ] = None,
    *,
    undo: Annotated[bool, typer.Option("--undo", help="Show it under its own name again.")] = False,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Show what is stored of a tag under another name; no file is written anew."""
    if (new is None) != undo:
        raise typer.BadParameter("name the new tag, or --undo")
    from gainline.tags import renaming

    renaming.rename_tags(settings_of(config, store=store), old, new)


@tags_app.command("import")
def import_tags(
    file: Annotated[Path, typer.Argument(help="CSV, as `tags list` writes it.", readable=False)],
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Set what is known of many tags by a table: the cells that differ."""
    from gainline.tags import tagging

    known, changed = tagging.import_tags(store_folder(config, store), file)
    typer.echo(f"{changed} of {known} tags changed")
