"""Takes out of a catalog what was deleted in it, as a process of its own.

SQLite's locks belong to a process: in one that has the catalog open through DuckDB too, Python's
own SQLite would undo them. Run by its path, so it imports nothing of ours: CATALOG SECONDS. The
whole file is written anew, and the log that leads to it emptied: what was deleted is in neither.
The exit code is 1 where a reader has kept the log in use for so many seconds.
"""

import sqlite3
import sys
import time
from contextlib import closing

_PAUSE_S = 0.05


def vacuum(catalog: str, seconds: float) -> int:
    """Write a catalog anew; give the exit code."""
    deadline = time.monotonic() + seconds
    with closing(sqlite3.connect(catalog, timeout=seconds, isolation_level=None)) as connection:
        connection.execute("VACUUM")
        while time.monotonic() < deadline:
            is_busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if not is_busy:
                return 0
            time.sleep(_PAUSE_S)
    return 1


if __name__ == "__main__":
    sys.exit(vacuum(sys.argv[1], float(sys.argv[2])))
