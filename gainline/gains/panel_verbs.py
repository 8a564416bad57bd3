"""The verb `panel`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from gainline.ending import interruptible
from gainline.options import ConfigOption, JsonFlag, StoreOption, settings_of

panel_app = typer.Typer()


@panel_app.command()
def panel(
    out: Annotated[Path, typer.Argument(help="The Parquet or CSV file to write.", readable=False)],
    upgrades: Annotated[
        Path | None, typer.Option(help="Write the upgrades there, too.", readable=False)
    ] = None,
    every: Annotated[
        Literal["day", "week", "month"], typer.Option(help="How long a period is.")
    ] = "week",
    store: StoreOption = None,
    config: ConfigOption = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Write the panel of lines and periods that the readings of a store make."""
    from gainline.gains.panels import Wish, write_panel

    settings, wish = settings_of(config, store=store), Wish(out, upgrades, every)
    interruptible(lambda: write_panel(settings, wish, in_json=as_json))
