"""What the verbs that keep a store do, and how they say it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from contracts.errors import ConfigError
from gainline.bar import progress_bar
from gainline.files.outfile import whole_file
from gainline.running.partitions import journals_of_partitions
from ingest.journal_image import inbox_image, journal_faults, journal_image
from store.safety.backup import Done, back_up
from store.safety.export import Exported, Range, export_files, export_readings
from store.safety.restore import Restored, repair, restore, size_of_backup
from store.safety.scrub import CATALOG, Damage, Lost, Scrubbed, scrub, size_of
from store.safety.scrub_rounds import as_dict, note
from store.safety.vault import Backup, Vault

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BYTES_PER_MB = 1_000_000
# Of files that `export` writes; any other name is a folder.
ENDINGS = (".parquet", ".pq", ".csv")


def journals(store: Path) -> list[Path]:
    """Give the folders of all journals of a store."""
    return [store / "journal", *journals_of_partitions(store).values()]


def scrub_store(store: Path, *, mb_per_s: float | None) -> Scrubbed:
    """Check every file of a store, journals included, with a bar on a terminal."""
    with progress_bar("scrub", size_of(store)) as tell:
        pace = None if mb_per_s is None else mb_per_s * BYTES_PER_MB
        found = scrub(store, bytes_per_s=pace, tell=tell)
    found = found._replace(damages=[*found.damages, *_journal_damages(store)])
    note(store, found, now=datetime.now(UTC))
    return found


def repair_store(store: Path, vault: Path, damages: Iterable[Damage]) -> int:
    """Put damaged files back from backups, say so of each, and give the number of the others."""
    left = 0
    for damage, is_back in repair(store, vault, damages):
        left += not is_back
        done = "is put back" if is_back else f"is in no backup of {vault}: {remedy(damage)}"
        typer.echo(f"{damage.file} {done}")
    return left


def back_up_store(store: Path, vault: Path, *, keep: int | None, mb_per_s: float | None) -> Done:
    """Add the state of a store to its backups, then remove all but the newest `keep` of them."""
    if vault.resolve().is_relative_to(store.resolve()):
        raise ConfigError(f"{vault} lies in the store: choose a folder on another disk")
    with progress_bar("backup", size_of(store)) as tell, Vault.open(vault) as opened:
        pace = None if mb_per_s is None else mb_per_s * BYTES_PER_MB
        done = back_up(store, opened, waiting=partial(_waiting, store), bytes_per_s=pace, tell=tell)
        if keep is not None:
            opened.prune(keep)
    return done


def show_backed_up(done: Done, *, in_json: bool) -> None:
    """Print what a backup has done, with a line for each file that was damaged in the store."""
    if in_json:
        damages = [_shown(each) for each in done.damages]
        typer.echo(
            json.dumps(_row(done.backup) | {"new_bytes": done.new_bytes, "damaged": damages})
        )
        return
    for damage in done.damages:
        typer.echo(f"{damage_in_words(damage)} in the store: see `gainline scrub`")
    typer.echo(f"{_line(done.backup)}, {done.new_bytes} bytes of them new")


def list_backups(vault: Path, *, in_json: bool) -> None:
    """Print the backups of a folder, oldest first."""
    found = Vault(vault).backups()
    if in_json:
        typer.echo(json.dumps([_row(each) for each in found]))
        return
    for each in found:
        typer.echo(_line(each))


def verify_backups(vault: Path, *, in_json: bool) -> bool:
    """Read all files of all backups again, and tell whether they are what was written."""
    with Vault.open(vault) as opened:
        names = {each.sha256: each for backup in opened.backups() for each in backup.files}
        with progress_bar("verify", sum(each.byte_count for each in names.values())) as tell:
            bad = opened.verify(tell)
    if in_json:
        typer.echo(json.dumps([each._asdict() for each in bad]))
        return not bad
    for each in bad:
        typer.echo(f"{each.name} is damaged or missing in the backup: the next one keeps it anew")
    typer.echo(f"{len(names)} files read again: {len(bad) or 'none'} damaged")
    return not bad


def restore_store(source: Path, folder: Path, at: datetime | None) -> Restored:
    """Make a store in a new folder from its backups."""
    with progress_bar("restore", size_of_backup(source, at)) as tell:
        return restore(source, folder, at=at, tell=tell)


def show_restored(restored: Restored, folder: Path, *, in_json: bool) -> None:
    """Print which backup has come back, with a line for each file that it has not whole."""
    if in_json:
        typer.echo(json.dumps(_row(restored.backup) | {"lacking": restored.lacking}))
        return
    for name in restored.lacking:
        typer.echo(f"{name} was damaged, in the store or since: `gainline scrub` says what is lost")
    typer.echo(f"{folder}: the store as of {_line(restored.backup)}")


def export_store(store: Path, out: Path, wanted: Range, at: int | datetime | None) -> Exported:
    """Write a snapshot as files in a folder, or readings as one file where OUT's ending says so."""
    ending = out.suffix.lower()
    if ending in ENDINGS:
        with whole_file(out) as part:
            return export_readings(store, part, wanted, at=at, is_csv=ending == ".csv")
    if wanted != Range():
        raise ConfigError(
            f"a folder gets whole files: name {out}.parquet or {out}.csv for a range of readings"
        )
    with progress_bar("export", size_of(store)) as tell:
        return export_files(store, out, at=at, tell=tell)


def show_exported(exported: Exported, out: Path, *, in_json: bool) -> None:
    """Print of which snapshot it is, and how many rows each table has."""
    if in_json:
        words = exported._asdict() | {"made_at": exported.made_at.isoformat()}
        typer.echo(json.dumps(words))
        return
    made_at = exported.made_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    rows = ", ".join(f"{count} rows of {table}" for table, count in exported.row_counts.items())
    typer.echo(f"{out}: snapshot {exported.snapshot} of {made_at}: {rows}")


def show_scrubbed(found: Scrubbed, *, in_json: bool) -> None:
    """Print what a scrub has found: a line for each damage, then one that sums up."""
    if in_json:
        words = found._asdict() | {"damages": [_shown(each) for each in found.damages]}
        typer.echo(json.dumps(words))
        return
    for damage in found.damages:
        typer.echo(f"{damage_in_words(damage)}: {remedy(damage)}")
    unhashed = f", of {len(found.unhashed)} of them only the size" if found.unhashed else ""
    state = f"{len(found.damages)} damaged" if found.damages else "none is damaged"
    typer.echo(f"{found.file_count} files, {found.byte_count} bytes checked{unhashed}: {state}")


def damage_in_words(damage: Damage) -> str:
    """Name the file, what is wrong, and what is lost."""
    return f"{damage.file} {damage.fault}" + (f" (lost: {damage.lost})" if damage.lost else "")


def remedy(damage: Damage) -> str:
    """Say what can be done about a damage."""
    if damage.file == CATALOG or damage.sha256 is None:
        return "restore the store from a backup by `gainline restore`"
    return "put it back from a backup by `gainline scrub --repair-from`"


def _waiting(store: Path) -> Iterator[tuple[str, bytes]]:
    """Give what the lake has not, in the order in which messages pass through it."""
    for name, content in inbox_image(store / "inbox"):
        yield f"inbox/{name}", content
    for folder in journals(store):
        for name, content in journal_image(folder):
            yield f"{folder.name}/{name}", content


def _line(backup: Backup) -> str:
    damaged = f", {len(backup.damaged)} damaged" if backup.damaged else ""
    made_at = backup.made_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        f"{made_at}, snapshot {backup.snapshot}: {len(backup.files)} files,"
        f" {backup.byte_count} bytes{damaged}"
    )


def _row(backup: Backup) -> dict[str, object]:
    return {
        "made_at": backup.made_at.isoformat(),
        "snapshot": backup.snapshot,
        "files": len(backup.files),
        "bytes": backup.byte_count,
        "damaged": list(backup.damaged),
    }


def _shown(damage: Damage) -> dict[str, object]:
    return as_dict(damage) | {"remedy": remedy(damage)}


def _journal_damages(store: Path) -> Iterator[Damage]:
    for folder in journals(store):
        for name, fault in journal_faults(folder):
            lost = Lost("messages that are not in the lake yet", None, None, None, None, None)
            yield Damage(f"{folder.name}/{name}", fault, lost, None)
