"""Copies a catalog as it is at one moment, while others write it, as a process of its own.

SQLite's locks belong to a process: in one that has the catalog open through DuckDB too, Python's
own SQLite would undo them. Run by its path, so it imports nothing of ours: SOURCE TARGET; it says
`open`, waits for a line, says `begun` once its snapshot is fixed, and ends when the copy is whole.
"""

import os
import sqlite3
import sys
from contextlib import closing

# Pages that are copied before a look at the clock: all of a small catalog.
_PAGES = 4096


def copy(source: str, target: str) -> int:
    """Copy a catalog, durable but for its name; give the exit code."""
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True, isolation_level=None)) as old,
        closing(sqlite3.connect(target, isolation_level=None)) as new,
    ):
        _say("open")
        if not sys.stdin.readline():
            return 1  # whoever asked is gone
        old.execute("BEGIN")
        old.execute("SELECT count(*) FROM sqlite_master").fetchone()
        _say("begun")
        # within the transaction every page is as of its beginning, whatever is written meanwhile
        old.backup(new, pages=_PAGES)
        new.execute("PRAGMA journal_mode = DELETE")
        found = [words for (words,) in new.execute("PRAGMA integrity_check(1)")]
    descriptor = os.open(target, os.O_RDWR)
    os.fsync(descriptor)
    os.close(descriptor)
    if found != ["ok"]:
        sys.stderr.write(f"{found[0]}\n")
        return 1
    return 0


def _say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(copy(*sys.argv[1:]))
