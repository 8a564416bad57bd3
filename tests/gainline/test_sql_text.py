"""gainline.sql.text cuts SQL where DuckDB's parser does."""

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gainline.sql.text import split

# Each stands for a value in a SELECT; what is in it must end nothing.
VALUES = [
    "1",
    "';'",
    "'it''s; -- '",
    "'\\'",
    "E'a\\';b'",
    "e'\\\\'",
    "x'a;'",
    "$$ ; ' $$",
    "$a$ ; $$ $b$ $a$",
    '1 AS "a;""b"',
    "1 AS x$y$",
    "1 AS é",
    "[1, 2]",
    "1 -- ; '\n",
    "1 -- ;\r",
    "1 /* ; ' */",
    "1 /* ; /* ; */ ; */",
    "1 - 2 / 3 * 4",
    "'a' || ';' || 'b'",
]
BETWEEN = [";", " ; ", ";;", "; -- x\n;", ";\n/* ; */;"]


@given(st.lists(st.tuples(st.sampled_from(VALUES), st.sampled_from(BETWEEN)), max_size=6))
def test_statements_are_those_of_the_parser(parts: list[tuple[str, str]]) -> None:
    text = "".join(f"SELECT {value}{between}" for value, between in parts)
    statements, rest = split(text)
    # the parser leaves some of what follows a statement with it
    parsed = [one.query for one in duckdb.extract_statements(text)]
    assert len(statements) == len(parsed)
    assert all(one in other for one, other in zip(statements, parsed, strict=True))
    assert rest == ""


@given(st.text(alphabet=";'\"$aE\\/*- \n", max_size=40))
def test_no_text_is_cut_into_more_than_the_parser_finds(text: str) -> None:
    statements, rest = split(text)
    for one in [*statements, rest]:
        try:
            assert len(duckdb.extract_statements(one)) <= 1
        except duckdb.Error:
            continue


@pytest.mark.parametrize(
    "end", ["'", "'''", '"', "$$", "$a$ $$", "/*", "/* /* */", "E'\\'", "E'\\"]
)
def test_what_has_no_end_waits_for_more(end: str) -> None:
    assert split(f"SELECT 1 {end} ; SELECT 2") == ([], f"SELECT 1 {end} ; SELECT 2")
    assert split(f"SELECT 1; {end}")[0] == ["SELECT 1"]
    assert split(f"SELECT 1; {end}")[1]


def test_a_long_text_is_cut_in_one_pass() -> None:
    text = "SELECT 'a''b' /* c */ -- d\n;" * 20_000
    assert len(split(text)[0]) == 20_000
    assert split("'" * 1_000_001)[0] == []
    assert split("E'" + "\\'" * 500_000)[0] == []
