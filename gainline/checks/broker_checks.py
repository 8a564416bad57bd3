"""What can be found out about a broker as one of its clients."""

from __future__ import annotations

from pathlib import Path

from contracts.errors import UnreachableError
from gainline.checks.finding import Finding, look
from gainline.config.connection import broker_endpoint, broker_topics, cautions
from gainline.config.loading import Settings
from ingest.mqtt.client import require_reachable
from ingest.mqtt.examination import AWAY_COUNT, keeping, not_granted

CRASH = "whether they outlive a crash of the broker no client can see: docs/brokers.md"


def broker_findings(settings: Settings, config: Path | None) -> list[Finding]:
    """Look at all that a client can see; the rest is left out where the broker is away."""
    doubts = [
        Finding("broker", is_good=True, words=words, is_doubtful=True)
        for words in cautions(settings, config)
    ]
    first = look("broker", lambda: reached(settings))
    if not first.is_good:
        return [first, *doubts]
    topics = look("broker's topics", lambda: granted(settings))
    return [first, *doubts, topics, _kept(settings)]


def reached(settings: Settings) -> str:
    """Connect as ingest does. Raises UnreachableError."""
    endpoint = broker_endpoint(settings)
    require_reachable(endpoint)
    who = f" and lets user {endpoint.username!r} in" if endpoint.username else ""
    return f"{endpoint} answers{who}"


def granted(settings: Settings) -> str:
    """Subscribe as ingest does. Raises UnreachableError naming what is not granted."""
    endpoint, topics = broker_endpoint(settings), broker_topics(settings)
    refused = not_granted(endpoint, topics)
    for topic, why in refused.items():
        raise UnreachableError(
            f"the broker {endpoint} does not grant {topic!r} at QoS 1 ({why}): allow"
            f" {endpoint.username or 'everybody'} to read it there, or change broker.topics"
        )
    return f"{len(topics)} of {len(topics)} filters are granted at QoS 1"


def _kept(settings: Settings) -> Finding:
    """See whether the broker queues for a client that is away."""
    subject, endpoint = "broker's queue", broker_endpoint(settings)
    try:
        found = keeping(endpoint)
    except UnreachableError as problem:
        return Finding(subject, is_good=False, words=str(problem))
    if found is None:
        words = (
            "not looked at, as nobody may write and read $gainline/doctor/# here; where that can be"
            f" allowed, allow it to {endpoint.username or 'everybody'}"
        )
        return Finding(subject, is_good=True, words=words, is_doubtful=True)
    if found.kept_count >= found.sent_count:
        words = f"{AWAY_COUNT} messages were kept for a client that was away; {CRASH}"
        return Finding(subject, is_good=True, words=words)
    what = f"{found.kept_count} of {found.sent_count} messages" if found.kept_count else "nothing"
    remedy = (
        "let it queue without a limit (mosquitto: max_queued_messages 0)"
        if found.is_resumed
        else "let it keep persistent sessions"
    )
    words = (
        f"{endpoint} keeps {what} for a client that is away, although it has acknowledged all:"
        f" {remedy}; docs/brokers.md"
    )
    return Finding(subject, is_good=False, words=words)
