import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingest.readings import Decoded, Limits, Refusal, Rules
from tests.ingest.gateways.probing import (
    lines_of,
    outcome_of,
    refusal_of,
    times_of,
    values_of,
    verdicts_of,
)

NS = 1_637_014_942_460_689_291
TIME = "2021-11-15T22:22:22.460689Z"


def test_each_line_is_a_point() -> None:
    sent = f"# a comment\n\ncpu value=45,test=23i {NS}\r\n  \nmem free=1e3 {NS}\n# the end"
    assert values_of(sent) == {"cpu/value": 45, "cpu/test": 23, "mem/free": 1000}
    assert times_of(sent) == {TIME}


@pytest.mark.parametrize(
    ("token", "value"),
    [
        ("1", 1),
        ("-1.5", -1.5),
        ("+.5e-3", 0.0005),
        ("1.", 1),
        ("23i", 23),
        ("-23i", -23),
        ("18446744073709551615u", 2.0**64),
        *((word, 1) for word in ("t", "T", "true", "True", "TRUE")),
        *((word, 0) for word in ("f", "F", "false", "False", "FALSE")),
        ('"on"', "on"),
        ('""', ""),
        ('"a, b=c # d"', "a, b=c # d"),
        (r'"say \"hi\" C:\\x \n"', r'say "hi" C:\x \n'),
        ('"two\nlines"', "two\nlines"),
        ('"21.5"', 21.5),
    ],
)
def test_a_value_has_its_type(token: str, value: object) -> None:
    assert values_of(f"m a={token},b=2 {NS}") == {"m/a": value, "m/b": 2}


def test_a_number_that_is_not_finite_leaves_its_neighbours_alone() -> None:
    assert verdicts_of("m a=NaN,b=-inf,c=1") == {
        "m/a": ("BAD", ["missing"]),
        "m/b": ("BAD", ["missing"]),
        "m/c": ("GOOD", []),
    }


@pytest.mark.parametrize("token", ["abc", "1x", "12.5i", "1_000", "0x1f", "i", "tru", "-", "1e"])
def test_a_value_of_no_type_breaks_the_message(token: str) -> None:
    assert refusal_of(f"m a=1\nm a={token}").code == "bad_line"


def test_escaped_signs_are_part_of_the_name() -> None:
    sent = r"my\ meas\,ure,k\=1=a\ b wei\ ght\,kg=1,back\slash=2"
    assert values_of(sent) == {
        "k=1=a b/my meas,ure/wei ght,kg": 1,
        r"k=1=a b/my meas,ure/back\slash": 2,
    }


def test_series_that_differ_in_a_tag_alone_have_tags_of_their_own() -> None:
    sent = f"cpu,host=a,cpu=cpu0 load=1 {NS}\ncpu,cpu=cpu1,host=a load=2 {NS}"
    assert values_of(sent) == {"cpu=cpu0/host=a/cpu/load": 1, "cpu=cpu1/host=a/cpu/load": 2}
    assert values_of(sent, "site/a/x") == {"cpu=cpu0/cpu/load": 1, "cpu=cpu1/cpu/load": 2}


@pytest.mark.parametrize("unit", [1, 10**3, 10**6, 10**9])
def test_the_unit_of_the_time_is_known_by_magnitude(unit: int) -> None:
    assert times_of(f"m a=1 {1_637_014_942 * unit}") == {"2021-11-15T22:22:22.000000Z"}


def test_a_point_may_have_no_time_and_each_has_its_own() -> None:
    assert [line["source_time"] for line in lines_of(f"m a=1\nm a=2 {NS}")] == [None, TIME]


@pytest.mark.parametrize(
    "broken",
    [
        "m",
        "m a",
        "m a=",
        "m a=1 x",
        "m a=1 1 2",
        "m a=1,",
        "m,t a=1",
        "m,t= a=1",
        'm a="x',
        "m a=1x",
    ],
)
def test_a_broken_line_breaks_the_message_and_is_named(broken: str) -> None:
    refusal = refusal_of(f"m a=1\n{broken}\nm a=3")
    assert refusal.code == "bad_line"
    assert "line 2" in refusal.words or "value" in refusal.words


@pytest.mark.parametrize(
    "text",
    ["out of order", "<a b=1>", "{'ts': 1, 'a': 2}", "a, b", "2026-01-01 INFO started", "# note"],
)
def test_other_texts_are_not_taken_for_line_protocol(text: str) -> None:
    assert refusal_of(text).code == "not_json"


def test_a_first_line_that_is_meant_as_a_point_says_what_is_wrong() -> None:
    assert refusal_of("cpu,core= load=1").code == "bad_line"


def test_the_limits_hold() -> None:
    rules = Rules(Limits(fields=2, readings=3, string_bytes=4, tag_bytes=40))

    def code(text: str) -> str:
        outcome = outcome_of(text, rules=rules)
        return outcome.code if isinstance(outcome, Refusal) else "read"

    assert code("m a=1 1\nm a=1 2\nm a=1 3") == "read"
    assert code("m a=1 1\nm a=1 2\nm a=1 3\nm a=1 4") == "too_big"
    assert code("m a=1,b=2,c=3") == "too_big"
    assert code('m a="12345"') == "too_big"
    assert code(f"m {'a' * 40}=1") == "too_big"


tokens = st.sampled_from(
    [*'cm,="\\ \n#\r', "m a=1", " 5", "t=", '"x"', "1i", "nan", "é", "\0", "1" * 25]
)


@settings(deadline=None)  # some texts are long
@given(st.lists(tokens, max_size=30).map("".join) | st.text(string.printable))
@example("m " + 'a="' * 10_000)
@example("m" + "\\" * 100_001)
@example("m,a=b" * 20_000)
@example("m a=1" + " " * 100_000 + "x")
@example("\n #" * 30_000 + "x")
def test_any_text_is_read_or_refused(text: str) -> None:
    outcome = outcome_of(text)
    assert isinstance(outcome, Refusal) or (isinstance(outcome, Decoded) and outcome.readings)


# a backslash before a sign that is escaped cannot be told from one that escapes
names = st.text(string.ascii_letters + "é/, =", min_size=1).filter(lambda name: name.strip("/"))
values = st.floats(-1e9, 1e9) | st.booleans() | st.text(max_size=9).map("x{}".format)


def escaped(name: str) -> str:
    return "".join("\\" + one if one in ",= " else one for one in name)


def written(value: object) -> str:
    if isinstance(value, str):
        return '"{}"'.format(value.replace("\\", "\\\\").replace('"', '\\"'))
    return str(value)


@given(names, st.dictionaries(names, values, min_size=1))
def test_a_point_comes_back_as_it_was_written(measurement: str, fields: dict[str, object]) -> None:
    pairs = ",".join(f"{escaped(name)}={written(value)}" for name, value in fields.items())
    found = outcome_of(f"{escaped(measurement)} {pairs} {NS}")
    assert [one.name for one in found.readings] == [
        f"{measurement}/{name}".strip("/") for name in fields
    ]
    assert [one.text if one.value is None else one.value for one in found.readings] == [
        *fields.values()
    ]
