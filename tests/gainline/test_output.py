import json
from datetime import UTC, datetime

from gainline.output import as_csv, as_json, as_text


def table(**columns: list[object]) -> tuple[list[str], list[tuple[object, ...]]]:
    return list(columns), list(zip(*columns.values(), strict=True))


def test_json_is_a_list_of_objects_with_times_in_rfc_3339() -> None:
    moment = datetime(2026, 1, 1, 0, 0, 0, 5, tzinfo=UTC)
    rows = json.loads(as_json(*table(t=[moment], v=[None], w=[["a", "b"]], p=[b"\xff"])))
    expected = {"t": "2026-01-01T00:00:00.000005Z", "v": None, "w": ["a", "b"], "p": "\\xff"}
    assert rows == [expected]


def test_a_text_that_a_spreadsheet_would_run_is_defused_in_csv() -> None:
    text = as_csv(*table(a=['=HYPERLINK("x")', "@x", "plain"], n=[-1.5, None, 2.0]))
    assert text.splitlines() == ["a,n", '"\'=HYPERLINK(""x"")",-1.5', "'@x,", "plain,2.0"]


def test_a_name_cannot_drive_the_terminal() -> None:
    text = as_text(*table(tag=["\x1b[31mred\x07", "a\nb", "\u202egpj.exe"]))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert len(text.splitlines()) == 5


def test_an_empty_table_still_has_its_head() -> None:
    assert as_text(*table(a=[], b=[])).splitlines()[0] == "a  b"
    assert as_csv(*table(a=[], b=[])) == "a,b\n"
    assert json.loads(as_json(*table(a=[]))) == []
