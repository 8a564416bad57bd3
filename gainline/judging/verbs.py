"""The verbs that judge files and learn from history: one thin function each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from gainline.options import (
    ConfigOption,
    FromOption,
    JsonFlag,
    StoreOption,
    ToOption,
    settings_of,
)

clean_app = typer.Typer()


@clean_app.command()
def clean(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Parquet or CSV.", readable=False)],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Parquet or CSV.", readable=False)],
    config: ConfigOption = None,
    flags: Annotated[
        Literal["qartod", "opcua"] | None, typer.Option(help="Adds a column in its words.")
    ] = None,
    features: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="For those of waveforms: Parquet or CSV."),
    ] = None,
    *,
    explain: Annotated[
        str | None, typer.Option(metavar="TAG", help="Draw it, and say what each rule saw.")
    ] = None,
    explain_out: Annotated[
        Path | None, typer.Option(help="The picture: .svg or .png; else beside OUT.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Judge the readings of a table and write it back with the verdicts."""
    from gainline.judging.cleaning import clean_file, write_features
    from gainline.judging.flagging import Standard, flag_of

    settings = settings_of(config)
    flag = flag_of(Standard(flags)) if flags else None
    if features is not None:
        if features.resolve() in (source.resolve(), target.resolve()):
            raise typer.BadParameter("--features FILE is a file of its own: neither IN nor OUT")
        write_features(settings, source, features)
    if explain is None:
        if explain_out is not None or as_json:
            raise typer.BadParameter("--explain-out and --json go with --explain TAG")
        clean_file(settings, source, target, flag)
        return
    from gainline.judging import explaining

    picture = explaining.picture_path(explain_out or target.with_suffix(".svg"))
    explained = explaining.explain(settings, source, explain)
    clean_file(settings, source, target, flag)
    explaining.draw_to(explained, picture)
    words = explaining.as_json if as_json else explaining.as_text
    typer.echo(words(explained, picture), nl=False)


@clean_app.command()
def suggest(
    source: Annotated[
        Path | None,
        typer.Argument(metavar="IN", help="Parquet or CSV; else the store.", readable=False),
    ] = None,
    *,
    config: ConfigOption = None,
    store: StoreOption = None,
    begin: FromOption = None,
    end: ToOption = None,
    tag: Annotated[str, typer.Option(help="Those that match, such as lyon/*.")] = "*",
    out: Annotated[
        Path | None, typer.Option(help="The file to write; never over another.", readable=False)
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Learn from history what the configuration may say of tags."""
    from gainline.judging.histories import Wish
    from gainline.judging.suggesting import print_suggestions

    if source is not None and store is not None:
        raise typer.BadParameter("IN and --store are two histories; give one of them")
    settings = settings_of(config, store=store)
    print_suggestions(settings, source, Wish(tag, begin, end), out, in_json=as_json)
