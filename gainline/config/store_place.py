"""Where the store of a configuration is: its folder, and what that folder is told of the rest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from store.place.location import Location, settle

if TYPE_CHECKING:
    from gainline.config.loading import Settings


def store_folder(settings: Settings) -> Path:
    """Give the folder of the store; one that has something elsewhere notes where.

    Raises ConfigError where the folder has another store already.
    """
    folder = Path(settings.store.folder)
    settle(folder, location(settings))
    return folder


def location(settings: Settings) -> Location:
    """Say where catalog and data are. Files with secrets are named by their whole path."""
    store = settings.store
    return Location(
        catalog=store.catalog or "",
        catalog_password_file=_absolute(store.catalog_password_file),
        data=store.data or "",
        s3_endpoint=store.s3_endpoint or "",
        s3_region=store.s3_region,
        s3_access_key=store.s3_access_key or "",
        s3_secret_key_file=_absolute(store.s3_secret_key_file),
    )


def check_location(settings: Settings) -> None:
    """Raise ConfigError, naming the key, for a place that cannot be."""
    there = location(settings)
    there.server()
    there.bucket()


def _absolute(file: str | None) -> str:
    return str(Path(file).absolute()) if file else ""
