import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.quality import Quality, Reason
from ingest import quality_codes
from ingest.quality_codes import (
    STATUS_CHARACTERS_MAX,
    UNSAID,
    of_boolean,
    of_error,
    of_opc_da,
    of_opc_ua,
    of_sparkplug,
    of_word,
)

STANDARDS = (of_boolean, of_error, of_opc_da, of_opc_ua, of_sparkplug, of_word)
GOOD, UNCERTAIN, BAD = Quality


def test_zero_is_good_in_opc_ua_and_bad_in_opc_da_and_sparkplug() -> None:
    assert of_opc_ua(0).quality == GOOD
    assert of_opc_da(0).quality == BAD
    assert of_sparkplug(0).quality == BAD


@pytest.mark.parametrize(
    ("sent", "quality", "status"),
    [
        (0, GOOD, "0"),
        (0x002F0000, GOOD, "3080192"),  # GoodCompletesAsynchronously
        (0x40920000, UNCERTAIN, "1083310080"),  # UncertainSensorNotAccurate
        (0x80310000, BAD, "2150694912"),  # BadNoCommunication
        (0xC0000000, BAD, "3221225472"),  # reserved
        (-2144272384, BAD, "-2144272384"),  # 0x80310000 as a signed number
        (2150694912.0, BAD, "2150694912.0"),
        ("2150694912", BAD, "2150694912"),
        ("BadNoCommunication", BAD, "BadNoCommunication"),
        ("UncertainLastUsableValue", UNCERTAIN, "UncertainLastUsableValue"),
        ("Good", GOOD, "Good"),
        ({"Code": 2150694912, "Symbol": "BadNoCommunication"}, BAD, "BadNoCommunication"),
        ({"Symbol": "BadNoCommunication"}, BAD, "BadNoCommunication"),
        ({"Code": 0}, GOOD, "0"),
        ({}, GOOD, None),
        (2**40, UNCERTAIN, "1099511627776"),
        (True, UNCERTAIN, "true"),
        ({"code": 2147483648, "symbol": "Bad"}, BAD, "Bad"),
        ({"status": 1}, UNCERTAIN, '{"status": 1}'),
    ],
)
def test_a_status_code_of_opc_ua_has_its_severity_in_the_top_bits(
    sent: object, quality: Quality, status: str | None
) -> None:
    verdict = of_opc_ua(sent)
    assert (verdict.quality, verdict.status) == (quality, status)


@pytest.mark.parametrize(
    ("sent", "quality"),
    [
        (192, GOOD),
        (216, GOOD),
        (255, GOOD),
        ("192", GOOD),
        (0x01C0, GOOD),
        (191, UNCERTAIN),
        (64, UNCERTAIN),
        (70_000, UNCERTAIN),
        (-1, UNCERTAIN),
        (1.5, UNCERTAIN),
        (63, BAD),
        (24, BAD),
        (4, BAD),
        (0, BAD),
        (0x0100, BAD),
        ("Bad, Not Connected", BAD),
    ],
)
def test_a_quality_of_opc_da_is_in_its_low_byte(sent: object, quality: Quality) -> None:
    assert of_opc_da(sent).quality == quality


@pytest.mark.parametrize(
    ("sent", "quality"),
    [
        (192, GOOD),
        (201, GOOD),
        (500, UNCERTAIN),
        (1073742081, UNCERTAIN),
        (0, BAD),
        (2, BAD),
        (410, BAD),
        (-2147483132, BAD),
        ("Bad_Stale", BAD),
    ],
)
def test_a_quality_of_sparkplug_may_be_one_of_ignition(sent: object, quality: Quality) -> None:
    assert of_sparkplug(sent).quality == quality


@pytest.mark.parametrize(
    ("sent", "quality"),
    [
        ("GOOD", GOOD),
        ("UNCERTAIN", UNCERTAIN),
        ("BAD", BAD),
        ("good", GOOD),
        (" Good ", GOOD),
        ("OK", GOOD),
        ("stale", UNCERTAIN),
        ("Good_Provisional", GOOD),
        ("goodish", UNCERTAIN),
        ("", UNCERTAIN),
        ("?", UNCERTAIN),
        (5, UNCERTAIN),
        ([], UNCERTAIN),
    ],
)
def test_a_word_that_is_not_known_is_uncertain(sent: object, quality: Quality) -> None:
    assert of_word(sent).quality == quality


def test_a_boolean_says_good_or_bad() -> None:
    assert [of_boolean(sent).quality for sent in (True, False, 1, "Bad")] == [0, 2, 1, 2]


def test_an_error_code_other_than_zero_is_bad() -> None:
    assert [of_error(sent).quality for sent in (0, 2014, "0", "x", True)] == [0, 2, 0, 2, 2]


@pytest.mark.parametrize("read", STANDARDS)
def test_nothing_said_is_good_in_every_standard(read: type) -> None:
    assert read(None) == UNSAID


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["Code", "Symbol"]), inner),
    max_leaves=6,
)


@given(json_like, st.sampled_from(STANDARDS))
def test_whatever_is_said_has_a_quality_with_its_reason_and_is_kept(
    sent: object, read: type
) -> None:
    verdict = read(sent)
    assert verdict.quality in set(Quality)
    assert verdict.reasons == (0 if verdict.quality == GOOD else Reason.SOURCE)
    if verdict.status is None:
        assert sent is None or (sent == {} and read is of_opc_ua)
    else:
        assert len(verdict.status) <= STATUS_CHARACTERS_MAX


def test_a_status_of_any_length_is_cut() -> None:
    assert quality_codes.of_word("x" * 5000).status == "x" * STATUS_CHARACTERS_MAX
