"""What people write by hand: paho, json, pandas, a Parquet file now and then.

    python -m tests.bench.script HOST:PORT FOLDER --messages N

It acknowledges on arrival, as paho does if not told otherwise, syncs nothing to the disk and
recognises no repeat.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path
from typing import Any

import pandas as pd
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

FLUSH_EVERY_S = 1.0  # as often as gainline commits


def main() -> None:
    """Receive until as many messages are in Parquet files."""
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--messages", type=int, required=True)
    told = parser.parse_args()
    rows: list[dict[str, Any]] = []
    count = 0

    def on_message(_client: Client, _: object, message: MQTTMessage) -> None:
        nonlocal count
        body = json.loads(message.payload)
        count += 1
        times = body["ts"]
        if not isinstance(times, list):
            rows.append({"topic": message.topic, "ts": times, "value": body["value"]})
            return
        for name, values in body.items():
            if name not in ("gateway", "epoch", "seq", "ts"):
                topic = f"{message.topic}/{name}"
                pairs = zip(times, values, strict=True)
                rows.extend({"topic": topic, "ts": ts, "value": value} for ts, value in pairs)

    def flush(number: int) -> None:
        table = pd.DataFrame(rows)
        table["ts"] = pd.to_datetime(table["ts"], unit="ms", utc=True)
        table.to_parquet(told.folder / f"{number}.parquet")
        rows.clear()

    host, port = told.address.rsplit(":", 1)
    client = Client(CallbackAPIVersion.VERSION2, "bench-script")
    client.on_message = on_message
    client.connect(host, int(port))
    client.subscribe("bench/#", 1)
    client.on_subscribe = lambda *_: print("ready", flush=True)
    number, flush_at_s = 0, time.monotonic() + FLUSH_EVERY_S
    while count < told.messages:
        client.loop(0.1)
        if time.monotonic() >= flush_at_s and rows:
            flush(number)
            number, flush_at_s = number + 1, time.monotonic() + FLUSH_EVERY_S
    if rows:
        flush(number)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"cpu_s": used.ru_utime + used.ru_stime}), flush=True)
    client.disconnect()


if __name__ == "__main__":
    main()
