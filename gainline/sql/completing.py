"""What Tab offers in the shell: commands, tables, columns, functions, keywords, tags."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from prompt_toolkit.completion import Completer, Completion

from contracts.errors import GainlineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prompt_toolkit.completion import CompleteEvent
    from prompt_toolkit.document import Document

    from gainline.sql.contained import Cell

COMMANDS = (".tables", ".schema", ".format", ".help", ".quit")
FORMS = ("table", "csv", "json")
# More than this nobody looks through: a letter more finds fewer.
OFFERED_MAX = 100
_OURS = ("around", "align", "asof", "downsample")
_VOCABULARY = (
    "WITH shown AS (SELECT if(schema_name = 'main', '', schema_name || '.') || table_name AS name,"
    " column_name FROM duckdb_columns() WHERE database_name = 'lake' AND NOT internal"
    " AND (schema_name = 'main' OR (schema_name, table_name) = ('raw', 'readings')))"
    " SELECT DISTINCT 'table' AS kind, name AS word FROM shown"
    " UNION ALL SELECT DISTINCT 'column', column_name FROM shown"
    " UNION ALL SELECT DISTINCT 'function', function_name FROM duckdb_functions()"
    " WHERE function_type IN ('scalar', 'aggregate', 'macro') AND function_name ~ '^[a-z]\\w*$'"
    " UNION ALL SELECT 'keyword', upper(keyword_name) FROM duckdb_keywords()"
    " WHERE keyword_category IN ('reserved', 'type_function') ORDER BY ALL"
)
_WORD = re.compile(r"[\w.]+")


class Vocabulary(NamedTuple):
    """The words of the store and of the language, each sort in order."""

    tables: list[str]
    columns: list[str]
    functions: list[str]
    keywords: list[str]


class _Word(msgspec.Struct):
    kind: str
    word: str


class _Tag(msgspec.Struct):
    tag: str


def vocabulary_of(cell: Cell) -> Vocabulary:
    """Ask which words there are. Raises as `Cell.ask`."""
    words = msgspec.json.decode(_asked(cell, _VOCABULARY), type=list[_Word])
    kinds = ("table", "column", "function", "keyword")
    found = Vocabulary(*([one.word for one in words if one.kind == kind] for kind in kinds))
    return found._replace(functions=sorted({*found.functions, *_OURS}))


class WordCompleter(Completer):
    """Offers what the word before the cursor may become; tags are asked for when they are."""

    def __init__(self, words: Vocabulary, cell: Cell) -> None:
        self._words = words
        self._cell = cell

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        """Give completions, the likeliest first."""
        del complete_event  # whether Tab was pressed: it was
        before = document.text_before_cursor
        if before.count("'") % 2:
            begun = before.rpartition("'")[2]
            return [Completion(tag, -len(begun), display_meta="tag") for tag in self._tags(begun)]
        found = _WORD.search(before[::-1])
        word = before[len(before) - found.end() :] if found and not found.start() else ""
        offered = self._offered(before.split(), word)
        return [Completion(one, -len(word), display_meta=kind) for one, kind in offered]

    def _offered(self, words: list[str], word: str) -> Iterator[tuple[str, str]]:
        if words and words[0].startswith("."):
            argument = {".schema": self._words.tables, ".format": list(FORMS)}
            choices = list(COMMANDS) if words == [word] else argument.get(words[0], [])
            yield from ((one, "") for one in choices if one.startswith(word))
            return
        sorts = [("table", self._words.tables), ("column", self._words.columns)]
        if word:
            sorts += [("function", self._words.functions), ("keyword", self._words.keywords)]
        for kind, choices in sorts:
            for one in choices:
                if one.lower().startswith(word.lower()):
                    yield (one.lower() if kind == "keyword" and word.islower() else one), kind

    def _tags(self, begun: str) -> list[str]:
        """Give the tags that begin so; where they are many, up to their next slash."""
        literal = "'" + begun.replace("'", "''") + "'"
        tags = f"FROM tags WHERE starts_with(tag, {literal})"
        level = f"regexp_extract(tag[{len(begun) + 1}:], '^[^/]*/?')"
        for what in ("tag", f"{literal} || {level}"):
            found = self._rows(
                f"SELECT DISTINCT {what} AS tag {tags} ORDER BY 1 LIMIT {OFFERED_MAX + 1}"
            )
            if len(found) <= OFFERED_MAX:
                break
        return found[:OFFERED_MAX]

    def _rows(self, sql: str) -> list[str]:
        try:
            found = _asked(self._cell, sql)
        except GainlineError:
            return []  # the next statement says what is wrong
        return [one.tag for one in msgspec.json.decode(found, type=list[_Tag])]


def _asked(cell: Cell, sql: str) -> bytes:
    sink = io.BytesIO()
    cell.ask(sql, "json", sink)
    return sink.getvalue()
