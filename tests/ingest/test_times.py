from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.readings import NO_TIME
from ingest.times import EARLIEST_US, LATEST_US, SET_SINCE_US, Stamp, stamp_of, stamps_of

NEW_YEAR_US = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z
SINCE_1970 = datetime(1970, 1, 1, tzinfo=UTC)
good_us = st.integers(SET_SINCE_US, LATEST_US - 1_000_000)


@pytest.mark.parametrize("factor", [1, 1_000, 1_000_000, 1_000_000_000])
def test_the_unit_of_a_count_is_told_by_its_magnitude(factor: int) -> None:
    assert stamp_of(1_767_225_600 * factor) == Stamp(NEW_YEAR_US, is_doubtful=False)
    assert stamp_of(float(1_767_225_600 * factor)) == Stamp(NEW_YEAR_US, is_doubtful=False)
    assert stamp_of(str(1_767_225_600 * factor)) == Stamp(NEW_YEAR_US, is_doubtful=False)


def test_fractions_are_cut_to_microseconds_and_not_rounded() -> None:
    assert stamp_of(1_767_225_600.123).us == NEW_YEAR_US + 123_000
    assert stamp_of("1767225600000.9999").us == NEW_YEAR_US + 999
    assert stamp_of(1_767_225_600_000_000_999).us == NEW_YEAR_US
    assert stamp_of("2026-01-01T00:00:00.123456999Z").us == NEW_YEAR_US + 123_456


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00z",
        "2026-01-01t00:00Z",
        "2026-01-01 00:00:00",
        "2026-01-01T00:00:00.0",
        "2026-01-01T01:00:00+01:00",
        "2026-01-01T01:00:00.000000000+0100",
        "2025-12-31T19:00:00-05",
        " 2026-01-01T00:00:00,0Z ",
        "2025-12-31T23:59:60Z",
        "2025-12-31T24:00:00Z",
        "2025-12-31 24:00+00",
        "2025-12-31T24:00:00,000",
    ],
)
def test_iso_8601_is_read_in_its_many_spellings(text: str) -> None:
    assert stamp_of(text) == Stamp(NEW_YEAR_US, is_doubtful=False)


@given(good_us, st.integers(-14 * 60, 14 * 60))
def test_an_iso_time_of_any_offset_is_read_exactly(us: int, minutes: int) -> None:
    moment = SINCE_1970 + timedelta(microseconds=us)
    text = moment.astimezone(timezone(timedelta(minutes=minutes))).isoformat()
    assert stamp_of(text) == Stamp(us, is_doubtful=False)


@pytest.mark.parametrize("digits", range(1, 10))
def test_one_to_nine_digits_of_fraction_are_read(digits: int) -> None:
    cut = int("123456789"[:digits][:6].ljust(6, "0"))
    assert stamp_of(f"2026-01-01T00:00:00.{'123456789'[:digits]}Z").us == NEW_YEAR_US + cut


def test_a_clock_that_was_never_set_is_kept_and_doubtful() -> None:
    assert stamp_of(0) == Stamp(0, is_doubtful=True)
    assert stamp_of("1970-01-01T00:00:10Z") == Stamp(10_000_000, is_doubtful=True)
    assert stamp_of(-1) == Stamp(-1_000_000, is_doubtful=True)
    assert stamp_of("2000-01-01T00:00:00Z") == Stamp(SET_SINCE_US, is_doubtful=False)


@pytest.mark.parametrize(
    "sent",
    [
        "9999-12-31T23:59:59Z",
        "yesterday",
        "2026-02-30T00:00:00Z",
        "2026-01-01T00:00:00+99:00",
        "2026-W01-1T00:00:00Z",
        "2026-001T00:00:00Z",
        "20260101T000000Z",
        "2025-12-31T24:00:01Z",
        "2025-12-31T24:01Z",
        "9999-12-31T24:00Z",
        "2026-01-01T00:00:61Z",
        "2026-01-01",
        "01.01.2026 00:00:00",
        "2026-01-01T00:00:00 CET",
        "1600-01-01T00:00:00Z",
        10**400,
        -(10**30),
        1e300,
        float("nan"),
        float("-inf"),
        "9" * 20,
        True,
        {"seconds": 1},
        [1],
    ],
)
def test_a_time_that_cannot_be_used_is_none_and_doubtful(sent: object) -> None:
    assert stamp_of(sent) == Stamp(None, is_doubtful=True)


def test_a_time_that_was_not_sent_is_not_doubted() -> None:
    assert stamp_of(None) == Stamp(None, is_doubtful=False)
    assert stamp_of("") == Stamp(None, is_doubtful=False)


def test_a_local_time_is_in_the_zone_of_the_site() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert stamp_of("2026-01-01T01:00:00", berlin) == Stamp(NEW_YEAR_US, is_doubtful=False)
    assert stamp_of("2026-01-01T00:00:00Z", berlin) == Stamp(NEW_YEAR_US, is_doubtful=False)


# zone, what its clocks show, what that is in UTC; the clocks skip or repeat half an hour, an hour,
# a day
CHANGES = [
    ("Europe/Berlin", "2026-03-29T02:00:00", "2026-03-29T01:00:00Z"),
    ("Europe/Berlin", "2026-03-29T02:59:59", "2026-03-29T01:59:59Z"),
    ("Europe/Berlin", "2026-10-25T02:00:00", "2026-10-25T00:00:00Z"),
    ("Europe/Berlin", "2026-10-25T02:59:59", "2026-10-25T00:59:59Z"),
    ("America/New_York", "2026-03-08T02:30:00", "2026-03-08T07:30:00Z"),
    ("America/New_York", "2026-11-01T01:30:00", "2026-11-01T05:30:00Z"),
    ("Australia/Lord_Howe", "2026-10-04T02:15:00", "2026-10-03T15:45:00Z"),
    ("Australia/Lord_Howe", "2026-04-05T01:45:00", "2026-04-04T14:45:00Z"),
    ("Pacific/Apia", "2011-12-30T12:00:00", "2011-12-30T22:00:00Z"),
]


@pytest.mark.parametrize(("zone", "local", "utc"), CHANGES)
def test_a_local_time_that_the_clocks_skip_or_repeat_is_doubtful(
    zone: str, local: str, utc: str
) -> None:
    assert stamp_of(local, ZoneInfo(zone)) == Stamp(stamp_of(utc).us, is_doubtful=True)
    assert not stamp_of(local, UTC).is_doubtful


@pytest.mark.parametrize(
    ("zone", "local", "utc"),
    [
        ("Europe/Berlin", "2026-03-29T01:59:59", "2026-03-29T00:59:59Z"),
        ("Europe/Berlin", "2026-03-29T03:00:00", "2026-03-29T01:00:00Z"),
        ("Europe/Berlin", "2026-10-25T01:59:59", "2026-10-24T23:59:59Z"),
        ("Europe/Berlin", "2026-10-25T03:00:00", "2026-10-25T02:00:00Z"),
        ("Europe/Berlin", "2026-03-28T24:00:00", "2026-03-28T23:00:00Z"),
        ("Europe/Berlin", "2026-03-29T24:00:00", "2026-03-29T22:00:00Z"),
        ("Europe/Berlin", "2026-10-25T24:00:00", "2026-10-25T23:00:00Z"),
        ("Australia/Lord_Howe", "2026-10-04T01:59:59", "2026-10-03T15:29:59Z"),
        ("Australia/Lord_Howe", "2026-10-04T02:30:00", "2026-10-03T15:30:00Z"),
        ("Australia/Lord_Howe", "2026-04-05T02:00:00", "2026-04-04T15:30:00Z"),
        ("Pacific/Apia", "2011-12-31T00:00:00", "2011-12-30T10:00:00Z"),
        ("Asia/Kolkata", "2026-06-01T05:30:00", "2026-06-01T00:00:00Z"),
    ],
)
def test_a_local_time_beside_a_change_of_the_clocks_is_sure(
    zone: str, local: str, utc: str
) -> None:
    assert stamp_of(local, ZoneInfo(zone)) == Stamp(stamp_of(utc).us, is_doubtful=False)


@given(good_us, st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca"]))
def test_a_local_time_that_is_not_doubtful_is_exact(us: int, name: str) -> None:
    local = (SINCE_1970 + timedelta(microseconds=us)).astimezone(ZoneInfo(name))
    stamp = stamp_of(local.replace(tzinfo=None).isoformat(), ZoneInfo(name))
    assert stamp.is_doubtful or stamp.us == us


times = st.one_of(
    st.integers(),
    st.integers(-(10**19), 10**19),
    st.floats(),
    st.text(),
    st.datetimes().map(datetime.isoformat),
    st.from_regex(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d*)?)?(Z|[+-]\d\d:?(\d\d)?)?"),
    st.booleans(),
    st.none(),
)


zones = st.sampled_from([UTC, *(ZoneInfo(name) for name, _, _ in CHANGES)])


@given(st.lists(times) | st.lists(st.integers(0, 10**19)), zones)
def test_a_column_of_times_is_read_as_each_time_alone(sent: list[object], zone: tzinfo) -> None:
    column = stamps_of(sent, zone)
    doubtful = [False] * len(sent) if column.doubtful is None else column.doubtful.tolist()
    alone = [stamp_of(one, zone) for one in sent]
    assert column.us.tolist() == [NO_TIME if one.us is None else one.us for one in alone]
    assert doubtful == [one.is_doubtful for one in alone]


@given(st.sampled_from([1, 1_000, 1_000_000]), st.lists(good_us, min_size=1))
def test_a_column_of_counts_of_one_unit_is_read_exactly(unit: int, moments: list[int]) -> None:
    whole = [us // unit * unit for us in moments if us < 10**11 * 1_000_000]
    column = stamps_of([us // unit for us in whole])
    assert column.us.tolist() == whole


@given(times, zones)
def test_any_time_is_within_what_the_lake_can_hold(sent: object, zone: tzinfo) -> None:
    us = stamp_of(sent, zone).us
    assert us is None or EARLIEST_US <= us <= LATEST_US
