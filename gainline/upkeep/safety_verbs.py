"""The verbs that keep a store from harm: one thin function each."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from gainline.ending import EXIT_ANSWER_IS_BAD
from gainline.options import (
    ConfigOption,
    FromOption,
    JsonFlag,
    StoreOption,
    ToOption,
    moment,
    store_folder,
)

keep_app = typer.Typer()

RateOption = Annotated[
    float | None, typer.Option(metavar="MB", help="Read at most so much a second.", min=0.001)
]


@keep_app.command()
def scrub(
    store: StoreOption = None,
    config: ConfigOption = None,
    rate: RateOption = None,
    repair_from: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Backups to put damaged files back from.")
    ] = None,
    *,
    as_json: JsonFlag = False,
) -> int:
    """Find what the disk has altered: every file against its hash and the catalog."""
    from gainline.upkeep.safety import repair_store, scrub_store, show_scrubbed

    folder = store_folder(config, store)
    found = scrub_store(folder, mb_per_s=rate)
    if repair_from is not None and found.damages:
        if as_json:
            raise typer.BadParameter("--json goes without --repair-from")
        return EXIT_ANSWER_IS_BAD if repair_store(folder, repair_from, found.damages) else 0
    show_scrubbed(found, in_json=as_json)
    return EXIT_ANSWER_IS_BAD if found.damages else 0


@keep_app.command()
def backup(
    target: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder of backups.", readable=False)
    ],
    store: StoreOption = None,
    config: ConfigOption = None,
    keep: Annotated[
        int | None, typer.Option(metavar="N", help="Then keep the N newest alone.", min=1)
    ] = None,
    rate: RateOption = None,
    *,
    shows_list: Annotated[
        bool, typer.Option("--list", help="Only show the backups that are there.")
    ] = False,
    verifies: Annotated[
        bool, typer.Option("--verify", help="Only read the backups that are there again.")
    ] = False,
    as_json: JsonFlag = False,
) -> int:
    """Keep the state of the store as of now, beside earlier ones; also while `run` writes."""
    from gainline.upkeep import safety as keeping

    if shows_list:
        keeping.list_backups(target, in_json=as_json)
        return 0
    if verifies:
        return 0 if keeping.verify_backups(target, in_json=as_json) else EXIT_ANSWER_IS_BAD
    folder = store_folder(config, store)
    done = keeping.back_up_store(folder, target, keep=keep, mb_per_s=rate)
    keeping.show_backed_up(done, in_json=as_json)
    return EXIT_ANSWER_IS_BAD if done.damages else 0


@keep_app.command()
def restore(
    source: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder of backups.", readable=False)
    ],
    target: Annotated[Path, typer.Argument(metavar="STORE", help="A new folder.", readable=False)],
    at: Annotated[
        datetime | None,
        typer.Option(metavar="TIME", help="As of then; else the newest.", parser=moment),
    ] = None,
    *,
    as_json: JsonFlag = False,
) -> int:
    """Make a store in a new folder from a backup."""
    from gainline.upkeep.safety import restore_store, show_restored

    restored = restore_store(source, target, at)
    show_restored(restored, target, in_json=as_json)
    return EXIT_ANSWER_IS_BAD if restored.lacking else 0


@keep_app.command()
def export(  # noqa: PLR0917  # typer passes options by name
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="A new folder; or .parquet, .csv.", readable=False)
    ],
    store: StoreOption = None,
    config: ConfigOption = None,
    snapshot: Annotated[
        str | None, typer.Option(metavar="ID|TIME", help="As of then; else as of now.")
    ] = None,
    tag: Annotated[str | None, typer.Option(help="Readings of tags that match.")] = None,
    begin: FromOption = None,
    end: ToOption = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Write the lake as plain files: those of a snapshot, or one sorted table of readings."""
    from gainline.upkeep.safety import export_store, show_exported
    from store.safety.export import Range

    folder = store_folder(config, store)
    at = None
    if snapshot is not None:
        at = int(snapshot) if snapshot.isdecimal() else moment(snapshot)
    exported = export_store(folder, out, Range(tag, begin, end), at)
    show_exported(exported, out, in_json=as_json)
