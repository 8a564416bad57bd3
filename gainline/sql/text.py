"""Cuts SQL into statements, at the semicolons that end them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# What DuckDB's parser takes for one piece, so that a semicolon in it ends nothing: comments to the
# end of the line, strings with their doubled quotes, backslashes (after E) or dollars, names. What
# has no end is open until the end of the text.
_PIECE = re.compile(
    r"""
    (?P<end> ; )
    | (?P<blank> \s++ | --[^\n\r]*+ )
    | (?P<comment> /\* )
    | [eE]'(?: [^'\\] | \\. | '' )*+(?: ' | \\?\Z )
    | '[^']*+(?: ' | \Z )
    | "[^"]*+(?: " | \Z )
    | (?P<dollar> \$(?: [^\W\d] \w*+ )?\$ )
    | [^\W\d][\w$]*+
    | .
    """,
    re.VERBOSE | re.DOTALL,
)
# What is read of a statement that does not end: more is refused by `store.views.statements`.
STATEMENT_CHARS_MAX = 1 << 20
_COMMENT_EDGE = re.compile(r"/\*|\*/")


def statements_of(lines: Iterable[bytes]) -> Iterator[str]:
    r"""Give each statement of a text as soon as its semicolon has come; the last may lack it.

    >>> list(statements_of([b"SELECT 1; SELECT -- ;\n", b"2"]))
    ['SELECT 1', ' SELECT -- ;\n2']
    """
    text = ""
    for line in lines:
        text += line.decode("utf-8", "replace")
        if b";" in line:
            statements, text = split(text)
            yield from statements
        if len(text) > STATEMENT_CHARS_MAX:
            break
    if split(text)[1]:
        yield text


def split(text: str) -> tuple[list[str], str]:
    r"""Give the statements that a semicolon ends, and the rest as it is; what is blank is left out.

    >>> split("SELECT ';' -- a;\n; ; FROM tags /* ; */;SELECT 1")
    (["SELECT ';' -- a;", 'FROM tags /* ; */'], 'SELECT 1')
    >>> split("SELECT 'it''s;")
    ([], "SELECT 'it''s;")
    """
    statements = []
    begin = at = 0
    is_blank = True
    while at < len(text):
        piece = _PIECE.match(text, at)
        assert piece is not None
        at = piece.end()
        if piece["end"]:
            if not is_blank:
                statements.append(text[begin : piece.start()].strip())
            begin, is_blank = at, True
        elif piece["comment"]:
            at, is_closed = _end_of_comment(text, at)
            is_blank &= is_closed
        elif not piece["blank"]:
            is_blank = False
            if dollars := piece["dollar"]:
                end = text.find(dollars, at)
                at = end + len(dollars) if end >= 0 else len(text)
    return statements, "" if is_blank else text[begin:]


def _end_of_comment(text: str, at: int) -> tuple[int, bool]:
    """Find where a comment ends, which may hold others; tell whether it does."""
    depth = 1
    while depth:
        edge = _COMMENT_EDGE.search(text, at)
        if edge is None:
            return len(text), False
        depth += 1 if edge[0] == "/*" else -1
        at = edge.end()
    return at, True
