"""How fast messages become the Arrow table of a commit, beside what scripts do.

    python -m tests.bench.decoding [--readings 100000] [--repeats 7] [--private] [--json]

Each row decodes the same messages three ways on one core, in turns, so that what else the machine
does meets all of them: `decode_messages`, which also recognises duplicates, counts the ledger and
flags what is odd; orjson into a list of dicts, one a reading with its topic and when it came, made
into a table; the same with the standard library. `parsed` is orjson alone, payload by payload,
into nothing. Rates are medians; trust the ratios, which come from one run. Needs orjson, which
gainline itself does not: install it beside. With `--private` a level of every topic becomes a
pseudonym, every gateway one, and one metric is dropped.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from contracts.message import Message
from ingest.catalogue import Catalogue
from ingest.commit import Knowledge, decode_messages
from ingest.identity import Memory
from ingest.privacy import Privacy, PrivateTags
from ingest.readings import Rules

TOPIC_COUNT = 1_000
GATEWAY_COUNT = 50
SINCE_MS = 1_767_225_600_000
ROWS = {
    "single readings": (1, 1, False),
    "single readings, counted": (1, 1, True),
    "machines of 2 metrics": (1, 2, False),
    "machines of 10 metrics": (1, 10, False),
    "machines of 10 metrics, counted": (1, 10, True),
    "columns of 50 readings": (50, 1, False),
    "columns of 200 readings": (200, 1, False),
    "columns of 200 readings, counted": (200, 1, True),
}
PRIVACY = Privacy(
    [PrivateTags("plant/*", levels=(4,)), PrivateTags("*/metric_9", is_dropped=True)],
    secret=b"of a length that is long enough.",
    gateways=["*"],
)
NAMES = "value", *(f"metric_{number}" for number in range(10))
SAME = {"topic", "received_us", "gateway", "epoch", "seq"}  # in all readings of a message


@dataclass(frozen=True)
class Row:
    """One kind of message: readings a second of each way, and how often ours has theirs."""

    name: str
    readings: int
    ours: float
    orjson_table: float
    json_table: float
    orjson_parsed: float
    ratio_orjson: float
    ratio_json: float
    ratio_parsed: float


def messages_of(times: int, metrics: int, reading_count: int, *, counted: bool) -> list[Message]:
    """Make messages of so many times and metrics each, on as many topics as there are."""
    chance = random.Random(1)  # noqa: S311  # the same messages in each run
    names = NAMES[:1] if metrics == 1 else NAMES[1 : metrics + 1]
    messages = []
    for number in range(reading_count // (times * metrics)):
        machine = 617 * number % TOPIC_COUNT  # all of them, then all of them again
        topic = f"plant/area{machine % 7}/line{machine % 20}/machine{machine}"
        sent = SINCE_MS + 37 * number
        stamps = [sent + 10 * later for later in range(times)]
        fields: dict[str, object] = {"ts": stamps if times > 1 else sent}
        for name in names:
            values = [round(chance.gauss(50, 9), 2) for _ in stamps]
            fields[name] = values if times > 1 else values[0]
        if counted:
            gateway, seq = number % GATEWAY_COUNT, number // GATEWAY_COUNT
            fields |= {"gateway": f"gw{gateway}", "epoch": "2026-01-01T00:00:00Z", "seq": seq}
        payload = json.dumps(fields, separators=(",", ":")).encode()
        messages.append(Message(number, topic, payload, 1000 * sent + 5_000, retained=False))
    return messages


class Intake:
    """Decodes as the intake does, commit by commit: what was seen and which tags are known."""

    def __init__(self, rules: Rules) -> None:
        self._memory = Memory()
        self._rules = rules
        self._catalogue = Catalogue({}, rules.limits)

    def __call__(self, messages: list[Message]) -> pa.Table:
        known = Knowledge(self._memory, self._catalogue, self._rules)
        commit = decode_messages(messages, known, first_arrival=0)
        assert commit.ledger[0].stored == commit.ledger[0].received
        self._catalogue.settle()
        assert known.next_memory is not None
        self._memory = known.next_memory
        return commit.readings.table


def script(loads: Callable[[bytes], Any]) -> Callable[[list[Message]], pa.Table]:
    """Decode as a script does: a dict a reading, all of them made into a table."""

    def decoded(messages: list[Message]) -> pa.Table:
        return pa.Table.from_pylist([row for message in messages for row in rows_of(message)])

    def rows_of(message: Message) -> Iterator[dict[str, object]]:
        document = loads(message.payload)
        document["topic"], document["received_us"] = message.topic, message.received_us
        if NAMES[0] in document and not isinstance(document["ts"], list):
            yield document
            return
        same = {name: sent for name, sent in document.items() if name in SAME}
        for name in document.keys() - SAME - {"ts"}:
            if not isinstance(document["ts"], list):
                yield {**same, "ts": document["ts"], "metric": name, "value": document[name]}
                continue
            for ts, value in zip(document["ts"], document[name], strict=True):
                yield {**same, "ts": ts, "value": value}

    return decoded


def parsed(loads: Callable[[bytes], Any]) -> Callable[[list[Message]], object]:
    """Parse alone."""

    def decoded(messages: list[Message]) -> object:
        for message in messages:
            loads(message.payload)
        return None

    return decoded


def seconds_of(
    ways: list[Callable[[list[Message]], object]], batches: list[list[Message]]
) -> list[float]:
    """Time each way in turns, batch by batch; the median of its processor time, but for the first.

    In the first batch all tags are new.
    """
    taken: list[list[float]] = [[] for _ in ways]
    for messages in batches:
        for way, times in zip(ways, taken, strict=True):
            gc.collect()
            began = time.process_time()
            way(messages)
            times.append(time.process_time() - began)
    return [statistics.median(times[1:]) for times in taken]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--readings", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", action="store_true", help="print one JSON object a row")
    parser.add_argument("--private", action="store_true", help="with rules of privacy")
    asked = parser.parse_args()
    rules = Rules(privacy=PRIVACY if asked.private else None)
    try:
        import orjson  # noqa: PLC0415  # so that its absence can be told
    except ImportError:
        sys.exit("this benchmark compares with orjson: pip install orjson")
    pa.set_cpu_count(1)
    scripts = [script(orjson.loads), script(json.loads), parsed(orjson.loads)]
    if not asked.json:
        print(
            f"{'thousand readings/s':34s} {'ours':>7s} {'orjson':>7s} {'json':>7s} {'parsed':>7s}"
        )
    for name, (times, metrics, counted) in ROWS.items():
        total = asked.readings * (asked.repeats + 1)
        messages = messages_of(times, metrics, total, counted=counted)
        size = asked.readings // (times * metrics)
        batches = [messages[start : start + size] for start in range(0, len(messages), size)]
        count = size * times * metrics
        taken = seconds_of([Intake(rules), *scripts], batches)
        rates = [count / seconds for seconds in taken]
        ratios = [seconds / taken[0] for seconds in taken[1:]]
        row = Row(name, count, *rates, *ratios)
        if asked.json:
            print(json.dumps(asdict(row)), flush=True)
            continue
        shown = " ".join(f"{rate / 1000:7.0f}" for rate in rates)
        print(f"{name:34s} {shown}   {ratios[0]:.1f}x orjson, {ratios[1]:.1f}x json", flush=True)


if __name__ == "__main__":
    main()
