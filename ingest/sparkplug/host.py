"""Reads the messages of Sparkplug edge nodes as a host application does.

Births name the metrics and their datatypes, data may name them by alias alone, deaths make them
stale. Source: Eclipse Sparkplug 3.0.0. A tag is GROUP/NODE[/DEVICE]/METRIC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from contracts.quality import Quality, Reason
from ingest.quality_codes import UNSAID, Verdict, of_sparkplug
from ingest.readings import Decoded, PayloadError, Reading, Refusal
from ingest.sparkplug.births import Births, Born, Definition, EdgeNode
from ingest.sparkplug.datatypes import Datatype, is_ambiguous, leaves_of
from ingest.sparkplug.payload import Part, parse_payload, value_field_of
from ingest.times import Stamp, stamp_of
from ingest.values import value_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ingest.readings import Limits

PREFIX = "spBv1.0/"

_NODE_VERBS = frozenset({"NBIRTH", "NDATA", "NDEATH", "NCMD"})
_DEVICE_VERBS = frozenset({"DBIRTH", "DDATA", "DDEATH", "DCMD"})
_HOST = "STATE"
_BD_SEQ = "bdSeq"
_CONTROLS = ("Node Control/", "Device Control/")  # commands that a birth offers: no measurements
_STALE = "STALE"
NAME_BYTES_MAX = 256  # of a gateway, as in ingest/native.py: GROUP/NODE


class Outcome(NamedTuple):
    """The readings of a message, and what is known of its edge node afterwards."""

    decoded: Decoded | Refusal
    node_name: str = ""  # "": nothing changes
    node: EdgeNode | None = None
    # where a rule of ingest/privacy.py makes tags begin in several ways: each part with its topic
    apart: tuple[tuple[str, Decoded], ...] = ()


class Sender(NamedTuple):
    """An edge node, and the beginning of its tags or of those of one of its devices."""

    gateway: str
    stem: str


class _Address(NamedTuple):
    """Who sends what."""

    group: str
    verb: str
    node: str
    device: str | None

    @property
    def gateway(self) -> str:
        return f"{self.group}/{self.node}"

    @property
    def stem(self) -> str:
        """The beginning of its tags."""
        return f"{self.gateway}/{self.device}" if self.device else self.gateway


def read(
    topic: str, payload: bytes, births: Births, *, received_us: int, limits: Limits
) -> Outcome:
    """Read one message on a topic that begins with PREFIX; never an exception.

    Host states and commands have no readings. `births` stays as it is: note `node` in it once the
    message is stored. `received_us` is when the metrics of a node that died became stale.
    """
    address = _address_of(topic)
    if address is None:
        words = "the topic is none of Sparkplug's: spBv1.0/GROUP/VERB/NODE[/DEVICE]"
        return Outcome(Refusal("sparkplug", words, ""))
    if address.verb == _HOST or address.verb.endswith("CMD"):
        return Outcome(Decoded(topic, None, None, None, (), level="D"))
    known = births.node(address.gateway)
    try:
        return _Reader(address, known, limits).read(payload, received_us)
    except PayloadError as problem:
        return Outcome(Refusal(problem.code, problem.words, address.gateway))


def sender_of(topic: str) -> Sender | None:
    """Tell who sends births or data on a topic; None for what else there is on it.

    >>> sender_of("spBv1.0/G1/DDATA/E1/D1")
    Sender(gateway='G1/E1', stem='G1/E1/D1')
    """
    address = _address_of(topic)
    if address is None or not address.verb.endswith(("BIRTH", "DATA")):
        return None
    return Sender(address.gateway, address.stem)


def stem_of(topic: str) -> str:
    """Give what the tags of a topic begin with, whoever sends on it.

    >>> stem_of("spBv1.0/G1/DDATA/E1/D1"), stem_of("lyon/press")
    ('G1/E1/D1', 'lyon/press')
    """
    address = _address_of(topic) if topic.startswith(PREFIX) else None
    return address.stem if address and address.node else topic


def topic_with(topic: str, stem: str) -> str:
    """Give the topic whose tags begin in another way, with as many levels.

    >>> topic_with("spBv1.0/G1/DDATA/E1/D1", "G1/E1/D2"), topic_with("lyon/press", "lyon/oven")
    ('spBv1.0/G1/DDATA/E1/D2', 'lyon/oven')
    """
    if stem_of(topic) == topic:
        return stem
    first, _, verb, *_ = topic.split("/")
    group, *rest = stem.split("/")
    return "/".join((first, group, verb, *rest))


def node_of(stem: str) -> str:
    """Give the edge node, GROUP/NODE, that tags begin with."""
    return "/".join(stem.split("/")[:2])


def _address_of(topic: str) -> _Address | None:
    levels = topic.split("/")
    if len(levels) == 3 and levels[1] == _HOST:
        return _Address("", _HOST, "", None)
    if len(levels) not in (4, 5) or not all(levels):
        return None
    _, group, verb, node, *device = levels
    if verb not in (_DEVICE_VERBS if device else _NODE_VERBS):
        return None
    if len(f"{group}/{node}".encode()) > NAME_BYTES_MAX:
        return None
    return _Address(group, verb, node, device[0] if device else None)


class _Reader:
    """Reads one message in the light of what is known of its edge node."""

    def __init__(self, address: _Address, known: EdgeNode | None, limits: Limits) -> None:
        self._address = address
        self._known = known
        self._limits = limits
        self._is_birth = address.verb.endswith("BIRTH")

    def read(self, payload: bytes, received_us: int) -> Outcome:
        if not payload:
            raise PayloadError("sparkplug", "the Sparkplug payload is empty")
        if len(payload) > self._limits.payload_bytes:
            raise PayloadError(
                "too_big", f"{len(payload)} bytes, the limit is {self._limits.payload_bytes}"
            )
        message = parse_payload(payload)
        if len(message.metrics) > self._limits.fields:
            raise PayloadError(
                "too_big", f"{len(message.metrics)} metrics, the limit is {self._limits.fields}"
            )
        if self._address.verb.endswith("DEATH"):
            readings, node = self._death(message, received_us)
            bd_seq = self._known.bd_seq if self._known else None
        else:
            readings = list(self._readings(message))
            node = self._after(message)
            bd_seq = node.bd_seq if node else None
        if len(readings) > self._limits.readings:
            raise PayloadError("too_big", f"more readings than the limit, {self._limits.readings}")
        decoded = Decoded(
            self._address.stem,
            self._address.gateway,
            None if bd_seq is None else str(bd_seq),
            message.seq if message.HasField("seq") and message.seq <= 0xFF else None,
            readings,
            # with its time a repeat can be told from a successor; the count is one of 256
            level="B" if message.HasField("timestamp") else "D",
        )
        changed = self._address.gateway if node != self._known else ""
        return Outcome(decoded, changed, node)

    def _after(self, message: Part) -> EdgeNode | None:
        """Give what is known of the edge node after a birth; data changes nothing."""
        if not self._is_birth:
            return self._known
        born = Born(tuple(_definitions_of(message)))
        if self._address.device is None:
            return EdgeNode(_bd_seq_of(message), born)
        return (self._known or EdgeNode()).with_device(self._address.device, born)

    def _readings(self, message: Part) -> Iterator[Reading]:
        for metric in message.metrics:
            name, datatype = self._meaning_of(metric)
            if metric.is_transient or name == _BD_SEQ or name.startswith(_CONTROLS):
                continue
            sent = metric.timestamp if metric.HasField("timestamp") else None
            if sent is None and message.HasField("timestamp"):
                sent = message.timestamp
            yield from self._metric(metric, name, datatype, stamp_of(sent))

    def _metric(
        self,
        metric: Part,
        name: str,
        datatype: int,
        stamp: Stamp,
    ) -> Iterator[Reading]:
        if datatype == Datatype.TEMPLATE or value_field_of(metric) == "template_value":
            if not metric.template_value.is_definition:
                for inner in metric.template_value.metrics:
                    yield from self._metric(
                        inner, f"{name}/{inner.name}", inner.datatype, _own_stamp(inner, stamp)
                    )
            return
        if not metric.is_null and is_ambiguous(metric, datatype):
            raise self._no_birth(f"the datatype of {name[:64]!r}")
        said = _quality_of(metric)
        quality, reasons = said.quality, said.reasons
        if stamp.is_doubtful:
            quality, reasons = max(quality, int(Quality.UNCERTAIN)), reasons | int(Reason.TIME)
        leaves = ((name, None),) if metric.is_null else leaves_of(metric, datatype, name)
        for leaf, sent in leaves:
            one = value_of(sent, self._limits)
            status = said.status or one.status
            yield Reading(leaf, stamp.us, one.value, one.text, quality, reasons, status)

    def _meaning_of(self, metric: Part) -> tuple[str, int]:
        """Give name and datatype: of the metric itself, else of the birth."""
        known = None if self._is_birth else self._definition_of(metric)
        name = metric.name or (known.name if known else "")
        if not name:
            raise self._no_birth(f"the alias {metric.alias}")
        return name, metric.datatype or (known.datatype if known else Datatype.UNKNOWN)

    def _definition_of(self, metric: Part) -> Definition | None:
        """Look a metric up: aliases are unique in an edge node, names in a device."""
        if self._known is None:
            return None
        device = self._address.device
        born = self._known.own if device is None else self._known.device(device) or Born()
        if metric.name:
            return born.by_name.get(metric.name)
        if not metric.HasField("alias"):
            return None
        return born.by_alias.get(metric.alias) or self._known.own.by_alias.get(metric.alias)

    def _no_birth(self, what: str) -> PayloadError:
        return PayloadError(
            "no_birth",
            f"no birth of {self._address.stem[:200]!r} has explained {what}: ask for a rebirth,"
            " then replay the dead letters",
        )

    def _death(
        self,
        message: Part,
        received_us: int,
    ) -> tuple[Sequence[Reading], EdgeNode | None]:
        """Make the metrics stale: of a device at the payload's time, of a node at the host's.

        The death of an earlier session, told by its bdSeq, changes nothing.
        """
        known, device = self._known, self._address.device
        if known is None:
            return (), None
        if device is None:
            if _bd_seq_of(message) != known.bd_seq:
                return (), known
            names = [one.name for one in known.own.definitions]
            for name, born in known.devices:
                names += [f"{name}/{one.name}" for one in born.definitions]
            return _stale(names, Stamp(received_us, is_doubtful=False)), None
        born_device = known.device(device)
        if born_device is None:
            return (), known
        stamp = stamp_of(message.timestamp if message.HasField("timestamp") else None)
        stale = _stale([one.name for one in born_device.definitions], stamp)
        return stale, known.with_device(device, None)


def _stale(names: list[str], stamp: Stamp) -> list[Reading]:
    reasons = int(Reason.SOURCE) | (int(Reason.TIME) if stamp.is_doubtful else 0)
    return [
        Reading(name, stamp.us, None, None, int(Quality.BAD), reasons, _STALE) for name in names
    ]


def _definitions_of(message: Part) -> Iterator[Definition]:
    for metric in message.metrics:
        if metric.name and metric.name != _BD_SEQ and not metric.name.startswith(_CONTROLS):
            alias = metric.alias if metric.HasField("alias") else None
            yield Definition(metric.name, metric.datatype, alias)


def _bd_seq_of(message: Part) -> int | None:
    """Read the number of the edge node's session from a birth or death."""
    for metric in message.metrics:
        if metric.name == _BD_SEQ:
            return int(metric.long_value or metric.int_value)
    return None


def _own_stamp(metric: Part, stamp: Stamp) -> Stamp:
    return stamp_of(metric.timestamp) if metric.HasField("timestamp") else stamp


def _quality_of(metric: Part) -> Verdict:
    """Read the property Quality, which some write in small letters."""
    properties = metric.properties
    for key, value in zip(properties.keys, properties.values, strict=False):
        if key.lower() == "quality":
            field = value_field_of(value)
            sent = getattr(value, field) if field else None
            return of_sparkplug(_as_signed(value.int_value) if field == "int_value" else sent)
    return UNSAID


def _as_signed(code: int) -> int:
    """Read a code as Int32, which is the datatype of Quality."""
    return code - (1 << 32) if code >= 1 << 31 else code
