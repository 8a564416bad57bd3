"""A store that comes back from its backups: whole, or single files of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from contracts.errors import ConfigError, DataError
from store import failures
from store.place.durable import (
    blocks_of,
    copy_blocks,
    make_folder,
    remove_file,
    sync_folder,
    write_file,
)
from store.place.folder import FORMAT_VERSION
from store.safety.scrub import CATALOG
from store.safety.vault import Backup, Vault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from store.safety.scrub import Damage
    from store.safety.vault import Kept

# A file that is there until a folder holds a whole store: without it nobody takes it for one.
MARKER = "restoring"
# These two make a store of a folder, and come last, in this order.
_LAST = (CATALOG, "format_version")


class Restored(NamedTuple):
    """What has come back."""

    backup: Backup
    lacking: list[str]  # files that the backup does not have whole: see `gainline scrub`


def restore(
    source: Path,
    folder: Path,
    *,
    at: datetime | None = None,
    tell: Callable[[int], object] = lambda _: None,
) -> Restored:
    """Make a store in a new folder, as of the newest backup, or the newest one not after `at`.

    Each file is compared with its hash as it is copied. Cut off, it goes on when it is done again.
    Raises ConfigError for a folder that is not empty, DataError where the backup lacks what a store
    cannot do without, TransientError on a full disk.
    """
    vault, target = Vault(source), folder.absolute()
    backup = _chosen(vault, at)
    _begin(target, backup, vault)
    try:
        lacking = _copied(vault, target, backup, tell)
        remove_file(target / MARKER)
    except OSError as error:
        raise failures.of_disk(error) from error
    return Restored(backup, lacking)


def size_of_backup(source: Path, at: datetime | None) -> int:
    """Give the bytes of the store that `restore` would make. Raises as it does."""
    return _chosen(Vault(source), at).byte_count


def repair(folder: Path, source: Path, damages: Iterable[Damage]) -> Iterator[tuple[Damage, bool]]:
    """Put damaged files back from backups, in place; tell of each whether it was there.

    Files are taken by their hash, so it matters not of which backup. Works beside writers: a file
    is replaced at once, by what it was. Raises ConfigError without backups, TransientError.
    """
    vault = Vault(source)
    vault.backups()  # there are some
    for damage in damages:
        yield damage, _put_back(vault, folder / damage.file, damage.sha256)


def _put_back(vault: Vault, target: Path, sha256: str | None) -> bool:
    if sha256 is None or not vault.has(sha256, None):
        return False
    try:
        make_folder(target.parent)
        if copy_blocks(blocks_of(vault.path(sha256)), target, sha256) != sha256:
            return False
        sync_folder(target.parent)
    except OSError as error:
        raise failures.of_disk(error) from error
    return True


def _chosen(vault: Vault, at: datetime | None) -> Backup:
    found = vault.backups()
    fitting = [each for each in found if at is None or each.made_at <= at]
    if not found:
        raise ConfigError(f"there is no backup in {vault.folder} yet: none has come to its end")
    if not fitting:
        raise ConfigError(
            f"the first backup in {vault.folder} is of {found[0].made_at}: name a later time"
        )
    return fitting[-1]


def _begin(target: Path, backup: Backup, vault: Vault) -> None:
    """Mark the folder, which is empty, or was left by the same restore before its end."""
    words = json.dumps({"from": str(vault.folder), "of": backup.made_at.isoformat()})
    try:
        names = {entry.name for entry in target.iterdir()} if target.exists() else set()
        if names - {MARKER, f"{MARKER}.part"}:
            marker = target / MARKER
            if MARKER not in names or marker.read_text() != words:
                raise ConfigError(f"{target} is not empty: choose a new folder")
    except OSError as error:
        raise ConfigError(f"{target} cannot be used ({error.strerror}): choose a folder") from error
    make_folder(target)
    write_file(target / MARKER, lambda sink: sink.write(words.encode()))


def _copied(vault: Vault, target: Path, backup: Backup, tell: Callable[[int], object]) -> list[str]:
    lacking = list(backup.damaged)
    for name in ("data", "state"):
        make_folder(target / name)
    folders = {target}
    for each in backup.files:
        if each.name in _LAST:
            continue
        path = target / each.name
        make_folder(path.parent)
        folders.add(path.parent)
        if not _copy(vault, each, path, tell) and each.name not in lacking:
            lacking.append(each.name)
    for folder in folders:
        sync_folder(folder)
    last = {each.name: each for each in backup.files if each.name in _LAST}
    for name in _LAST:
        if name == "format_version":
            _require_format(vault, last[name])
        if not _copy(vault, last[name], target / name, tell):
            raise DataError(f"{name} of the backup is damaged: restore an older one with --at")
        sync_folder(target)
    return lacking


def _copy(vault: Vault, kept: Kept, target: Path, tell: Callable[[int], object]) -> bool:
    """Copy a file unless an earlier try has; tell whether it is what was kept."""
    tell(kept.byte_count)
    if target.exists() and target.stat().st_size == kept.byte_count:
        return True
    if not vault.has(kept.sha256, kept.byte_count):
        return False
    return copy_blocks(blocks_of(vault.path(kept.sha256)), target, kept.sha256) == kept.sha256


def _require_format(vault: Vault, kept: Kept) -> None:
    words = vault.path(kept.sha256).read_text().strip()
    if not words.isdecimal() or int(words) > FORMAT_VERSION:
        raise ConfigError(f"the backup is of a store of format {words}: install a newer gainline")
