"""Judges the readings in one file, as the services judge a stream."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from clean.columns import refuse_names
from clean.featured import SCHEMA, features_of_batches
from clean.sheet import Sheet, judge_batches
from clean.table import ADDED, ADDED_TYPES, verdict_columns
from contracts.errors import DataError
from gainline.config import wiring
from gainline.config.loading import Settings
from gainline.config.places import rule_finder
from gainline.files.long_tables import LongTable, open_table, write_batches
from gainline.files.tables import refuse_target
from gainline.judging.flagging import Flag, flag_column

READ: Final = ("tag", "source_time", "value")


def clean_file(settings: Settings, source: Path, target: Path, flag: Flag | None = None) -> None:
    """Judge a table of readings and write it back, row for row, with verdicts and maybe a flag.

    The table is read three times, which is faster than to keep it: for the tags, to be judged,
    to be written. In memory are one batch and 13 bytes a row.
    """
    refuse_target(target)
    added = dict(zip(ADDED, ADDED_TYPES, strict=True)) | ({flag.name: flag.kind} if flag else {})
    with open_table(source, numbered=["tag"]) as table:
        with naming(source):
            refuse_names(table.schema.names, tuple(added))
            rules = rule_finder(settings, {})
            sheet = judge_batches(lambda: table.batches(READ), table.count, rules)
        schema = table.schema
        for name, kind in added.items():
            schema = schema.append(pa.field(name, kind))
        write_batches(_with_verdicts(table, sheet, flag), schema, target)


def write_features(settings: Settings, source: Path, target: Path) -> None:
    """Judge the features of the waveforms in a table, and write them as a table of their own."""
    refuse_target(target)
    with open_table(source, numbered=["tag"]) as table, naming(source):
        refuse_names(table.schema.names, ())
        rules = rule_finder(settings, {})
        made = features_of_batches(table.batches(READ), rules, wiring.judge_settings(settings))
        write_batches(made, SCHEMA, target)


@contextmanager
def naming(file: Path) -> Iterator[None]:
    """Say of which file something is wrong, if that is not said yet."""
    try:
        yield
    except UnicodeDecodeError:
        raise DataError(
            f"{file}: a tag or a column has a name that is not UTF-8; save the file as UTF-8"
        ) from None
    except DataError as problem:
        words = str(problem)
        if words.startswith(f"{file}: "):
            raise
        raise DataError(f"{file}: {words}") from None


def _with_verdicts(table: LongTable, sheet: Sheet, flag: Flag | None) -> Iterator[pa.Table]:
    names = [*table.schema.names, *ADDED, *([flag.name] if flag else [])]
    first = 0
    for batch in table.batches():
        rows = slice(first, first + batch.num_rows)
        columns: list[Any] = [*batch.columns, *verdict_columns(sheet, rows)]
        columns += [flag_column(flag, sheet, rows)] if flag else []
        yield pa.Table.from_arrays(columns, names=names)
        first = rows.stop
