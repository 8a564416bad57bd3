"""The verbs `note …`: one thin function each, which imports what it calls."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from gainline.options import (
    ConfigOption,
    FormatOption,
    FromOption,
    JsonFlag,
    StoreOption,
    ToOption,
    settings_of,
)

note_app = typer.Typer(no_args_is_help=True)

SiteOption = Annotated[str | None, typer.Option("--site", help="Of one site.")]
AreaOption = Annotated[str | None, typer.Option("--area", help="Of one area.")]
LineOption = Annotated[str | None, typer.Option("--line", help="Of one line.")]
MachineOption = Annotated[str | None, typer.Option("--machine", help="Of one machine.")]
AuthorOption = Annotated[
    str | None, typer.Option("--author", help="Who says it; else the name of the login.")
]
TextOption = Annotated[str | None, typer.Option("--text", help="What else is to be said.")]
# As they are written: the clock at the site tells which moment it is.
Begins = Annotated[
    str, typer.Option("--from", metavar="TIME", help="When it began, by the clock at the site.")
]
Ends = Annotated[str, typer.Option("--to", metavar="TIME", help="When it was over.")]
BeginsOption = Annotated[
    str | None, typer.Option("--from", metavar="TIME", help="From when on; else since ever.")
]
EndsOption = Annotated[
    str | None, typer.Option("--to", metavar="TIME", help="Before when; else it stays so.")
]


@note_app.command("downtime-reason")
def downtime_reason(
    reason: Annotated[str, typer.Option("--reason", help="A word or a few: jam, no material.")],
    begins: Begins,
    ends: EndsOption = None,
    *,
    site: SiteOption = None,
    area: AreaOption = None,
    line: LineOption = None,
    machine: MachineOption = None,
    text: TextOption = None,
    author: AuthorOption = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Say why a line or a machine stood still."""
    from gainline.notes.noting import say

    words = {"kind": "downtime_reason", "name": reason, "text": text, "author": author}
    words |= {"site": site, "area": area, "line": line, "machine": machine}
    words |= {"begins": begins, "ends": ends}
    say(settings_of(config, store=store), words, in_json=as_json)


@note_app.command("planned-stop")
def planned_stop(
    begins: Begins,
    ends: Ends,
    *,
    reason: Annotated[str | None, typer.Option("--reason", help="A word or a few.")] = None,
    site: SiteOption = None,
    area: AreaOption = None,
    line: LineOption = None,
    machine: MachineOption = None,
    text: TextOption = None,
    author: AuthorOption = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Say that a time is not planned to produce."""
    from gainline.notes.noting import say

    words = {"kind": "planned_stop", "name": reason, "text": text, "author": author}
    words |= {"site": site, "area": area, "line": line, "machine": machine}
    words |= {"begins": begins, "ends": ends}
    say(settings_of(config, store=store), words, in_json=as_json)


@note_app.command("upgrade")
def upgrade(
    line: Annotated[str, typer.Option("--line", help="That was upgraded.")],
    day: Annotated[str, typer.Option("--on", metavar="DATE", help="When.")],
    *,
    site: SiteOption = None,
    area: AreaOption = None,
    text: TextOption = None,
    author: AuthorOption = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Say when a line was upgraded; it wins over the configuration."""
    from gainline.notes.noting import say

    words = {"kind": "upgrade", "begins": day, "text": text, "author": author}
    words |= {"site": site, "area": area, "line": line}
    say(settings_of(config, store=store), words, in_json=as_json)


@note_app.command("price")
def price(
    name: Annotated[str, typer.Argument(help="energy_per_kwh, or another of [prices].")],
    value: Annotated[float, typer.Argument(help="In the currency of [prices].")],
    begins: BeginsOption = None,
    ends: EndsOption = None,
    *,
    site: SiteOption = None,
    text: TextOption = None,
    author: AuthorOption = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Say what something costs; it wins over the configuration."""
    from gainline.notes.noting import say

    words = {"kind": "price", "name": name, "value": value, "text": text, "author": author}
    words |= {"site": site, "begins": begins, "ends": ends}
    say(settings_of(config, store=store), words, in_json=as_json)


@note_app.command("target")
def target(
    name: Annotated[str, typer.Argument(help="A KPI, such as oee.")],
    value: Annotated[float, typer.Argument(help="What it is to be, such as 0.8.")],
    begins: BeginsOption = None,
    ends: EndsOption = None,
    *,
    site: SiteOption = None,
    area: AreaOption = None,
    line: LineOption = None,
    text: TextOption = None,
    author: AuthorOption = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Say what a KPI is to be."""
    from gainline.notes.noting import say

    words = {"kind": "target", "name": name, "value": value, "text": text, "author": author}
    words |= {"site": site, "area": area, "line": line, "begins": begins, "ends": ends}
    say(settings_of(config, store=store), words, in_json=as_json)


@note_app.command("remark")
def remark(
    text: Annotated[str, typer.Argument(help="What is to be said.")],
    begins: BeginsOption = None,
    ends: EndsOption = None,
    *,
    site: SiteOption = None,
    area: AreaOption = None,
    line: LineOption = None,
    machine: MachineOption = None,
    author: AuthorOption = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Say anything."""
    from gainline.notes.noting import say

    words = {"kind": "remark", "text": text, "author": author}
    words |= {"site": site, "area": area, "line": line, "machine": machine}
    words |= {"begins": begins, "ends": ends}
    say(settings_of(config, store=store), words, in_json=as_json)


@note_app.command("retract")
def retract(
    note_id: Annotated[str, typer.Argument(metavar="ID", help="Of the note, or how it begins.")],
    text: TextOption = None,
    author: AuthorOption = None,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Take a note back; it stays to be seen."""
    from gainline.notes.noting import take_back

    take_back(settings_of(config, store=store), note_id, {"text": text, "author": author})


@note_app.command("import")
def import_notes(
    file: Annotated[Path, typer.Argument(help="CSV, as `note list` writes it.", readable=False)],
    author: AuthorOption = None,
    store: StoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Store the notes of a table, all of them or none."""
    from gainline.notes import noting

    count, new = noting.import_notes(settings_of(config, store=store), file, author)
    typer.echo(f"{new} of {count} notes are new")


@note_app.command("list")
def list_notes(
    kind: Annotated[
        Literal[
            "downtime_reason", "planned_stop", "upgrade", "price", "target", "remark", "retraction"
        ]
        | None,
        typer.Option(help="Of one kind."),
    ] = None,
    line: LineOption = None,
    begin: FromOption = None,
    end: ToOption = None,
    *,
    store: StoreOption = None,
    config: ConfigOption = None,
    form: FormatOption = "table",
) -> None:
    """List what was said, with who said it and whether it was taken back."""
    from gainline.notes.noting import Wish, list_notes
    from gainline.output import Format

    list_notes(settings_of(config, store=store), Wish(kind, line, begin, end), Format(form))
