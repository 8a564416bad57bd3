"""The verbs that keep a store: one thin function each, which imports what it calls."""

from __future__ import annotations

import typer

from gainline.options import ConfigOption, JsonFlag, StoreOption, checked_settings

store_app = typer.Typer()


@store_app.command()
def compact(
    store: StoreOption = None, config: ConfigOption = None, *, as_json: JsonFlag = False
) -> None:
    """Make few sorted files of the many that the store has now, also while `run` writes."""
    from gainline.upkeep import compact_store, show_compacted

    show_compacted(compact_store(checked_settings(config, store)), in_json=as_json)
