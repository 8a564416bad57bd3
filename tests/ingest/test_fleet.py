import json
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import ConfigError
from ingest.decode import decode
from ingest.fleet import FleetPlan, Shape, sendings
from ingest.readings import Decoded

START_US = 1_767_225_600_000_000


def readings_in(payload: bytes, topic: str) -> int:
    decoded = decode(topic, payload)
    assert isinstance(decoded, Decoded)
    columns = decoded.columns
    in_columns = len(columns.times) * len(columns.columns) if columns else 0
    return len(decoded.readings) + in_columns


@pytest.mark.parametrize("shape", list(Shape))
def test_every_message_is_read_and_holds_what_it_says(shape: Shape) -> None:
    plan = FleetPlan(shape, gateways=3, rate=30, seconds=2)
    sent = list(sendings(plan, start_us=START_US))
    assert len(sent) == 60
    for one in sent:
        assert readings_in(one.message.payload, one.message.topic) == one.reading_count


def test_the_mixed_fleet_sends_every_shape() -> None:
    sent = list(sendings(FleetPlan(rate=40, seconds=1), start_us=START_US))
    assert {one.reading_count for one in sent} == {1, 5, 200}
    assert any(one.message.payload[:1] != b"{" for one in sent)


@settings(max_examples=30)
@given(
    st.integers(1, 5),
    st.floats(0, 3),
    st.integers(0, 4),
    st.floats(0, 0.5),
    st.integers(0, 5),
)
def test_a_gateway_counts_without_gaps_in_the_order_it_sends_whatever_delays_it(
    gateways: int, jitter_s: float, outages: int, repeat_share: float, seed: int
) -> None:
    plan = FleetPlan(
        Shape.READING, gateways, 20, 3, jitter_s, outages, repeat_share=repeat_share, seed=seed
    )
    sent = list(sendings(plan, start_us=START_US))
    assert [one.at_s for one in sent] == sorted(one.at_s for one in sent)
    counts = defaultdict(list)
    for one in sent:
        body = json.loads(one.message.payload)
        assert one.at_s >= (body["ts"] - START_US // 1000) / 1000 - 0.001
        if not one.is_repeat:
            counts[body["gateway"]].append(body["seq"])
    assert len(counts) == gateways
    assert all(seqs == list(range(len(seqs))) for seqs in counts.values())


def test_who_is_offline_sends_nothing_and_then_everything() -> None:
    plan = FleetPlan(Shape.READING, gateways=1, rate=20, seconds=10, outages=1)
    times = [one.at_s for one in sendings(plan, start_us=START_US)]
    back_at = max(times, key=times.count)
    assert times.count(back_at) == pytest.approx(20, abs=1)
    assert not [time for time in times if back_at - 0.95 < time < back_at]


def test_the_same_seed_sends_the_same() -> None:
    plan = FleetPlan(jitter_s=1, outages=1, seconds=3)
    assert list(sendings(plan, start_us=0)) == list(sendings(plan, start_us=0))


def test_a_plan_that_makes_no_fleet_is_refused() -> None:
    with pytest.raises(ConfigError, match="gateways must be 1"):
        FleetPlan(gateways=0)
    with pytest.raises(ConfigError, match="share of repeats"):
        FleetPlan(repeat_share=1)
