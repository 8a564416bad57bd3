"""The verbs that keep a store from harm: one thin function each."""

from __future__ import annotations

from typing import Annotated

import typer

from gainline.ending import EXIT_ANSWER_IS_BAD
from gainline.options import ConfigOption, JsonFlag, StoreOption, store_folder

keep_app = typer.Typer()


@keep_app.command()
def scrub(
    store: StoreOption = None,
    config: ConfigOption = None,
    rate: Annotated[
        float | None, typer.Option(metavar="MB", help="Read at most so much a second.", min=0.001)
    ] = None,
    *,
    as_json: JsonFlag = False,
) -> int:
    """Find what the disk has altered: every file against its hash and the catalog."""
    from gainline.keeping import scrub_store, show_scrubbed

    found = scrub_store(store_folder(config, store), mb_per_s=rate)
    show_scrubbed(found, in_json=as_json)
    return EXIT_ANSWER_IS_BAD if found.damages else 0
