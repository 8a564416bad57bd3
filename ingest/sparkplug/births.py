"""Remembers what births have explained: the names and datatypes of an edge node's metrics."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import msgspec

# Of all edge nodes together, each about 100 bytes in memory and less on disk, where they are
# written at every commit; as many as a store may have tags.
DEFINITIONS_MAX = 250_000


class Definition(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What a birth says of one metric."""

    name: str
    datatype: int
    alias: int | None


@dataclass(frozen=True)
class Born:
    """The metrics of an edge node or a device, by alias and by name."""

    definitions: tuple[Definition, ...] = ()
    by_alias: dict[int, Definition] = field(init=False, repr=False, compare=False)
    by_name: dict[str, Definition] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        aliases = {one.alias: one for one in self.definitions if one.alias is not None}
        object.__setattr__(self, "by_alias", aliases)
        object.__setattr__(self, "by_name", {one.name: one for one in self.definitions})


@dataclass(frozen=True)
class EdgeNode:
    """What is known of an edge node: its session's number, its metrics, those of its devices.

    Frozen, so that a copy of all births shares them.
    """

    bd_seq: int | None = None
    own: Born = Born()
    devices: tuple[tuple[str, Born], ...] = ()

    def device(self, name: str) -> Born | None:
        """Give what the birth of a device said, None if there was none since the node's own."""
        return next((born for device, born in self.devices if device == name), None)

    def with_device(self, name: str, born: Born | None) -> EdgeNode:
        """Give the node after the birth of a device, or its death (None)."""
        others = tuple(pair for pair in self.devices if pair[0] != name)
        return replace(self, devices=others if born is None else (*others, (name, born)))

    @property
    def definition_count(self) -> int:
        """How many metrics are remembered."""
        return len(self.own.definitions) + sum(len(born.definitions) for _, born in self.devices)


class Births:
    """All edge nodes that were born and have not died, by `GROUP/NODE`; the oldest birth first.

    `Births.load(births.dump())` remembers exactly the same.
    """

    def __init__(self) -> None:
        self._nodes: dict[str, EdgeNode] = {}
        self._written: dict[str, bytes] = {}  # of each node, made when it is first asked for

    def copy(self) -> Births:
        """Copy it, so that the original stays as it was committed."""
        twin = Births()
        twin._nodes, twin._written = self._nodes.copy(), self._written.copy()
        return twin

    def node(self, name: str) -> EdgeNode | None:
        """Give what is known of an edge node, None if it was not born."""
        return self._nodes.get(name)

    def note(self, name: str, node: EdgeNode | None) -> None:
        """Remember an edge node as it is now; None: it has died."""
        self._nodes.pop(name, None)
        self._written.pop(name, None)
        if node is not None:
            self._nodes[name] = node

    def forget(self) -> None:
        """Forget the oldest births beyond DEFINITIONS_MAX; their nodes must be born again."""
        excess = sum(node.definition_count for node in self._nodes.values()) - DEFINITIONS_MAX
        for name in list(self._nodes):
            if excess <= 0:
                return
            excess -= self._nodes[name].definition_count
            self.note(name, None)

    def dump(self) -> bytes:
        """Write it down."""
        for name, node in self._nodes.items():
            if name not in self._written:
                self._written[name] = msgspec.msgpack.encode(_written(name, node))
        return msgspec.msgpack.encode([self._written[name] for name in self._nodes])

    @staticmethod
    def load(written: bytes) -> Births:
        """Read what `dump` wrote. Raises msgspec.DecodeError if it is not ours."""
        births = Births()
        for part in msgspec.msgpack.decode(written, type=list[bytes]) if written else ():
            read = msgspec.msgpack.decode(part, type=_Written)
            devices = tuple((name, Born(definitions)) for name, definitions in read.devices)
            births._nodes[read.name] = EdgeNode(read.bd_seq, Born(read.own), devices)
            births._written[read.name] = part
        return births


class _Written(msgspec.Struct, array_like=True, frozen=True):
    """An edge node as bytes."""

    name: str
    bd_seq: int | None
    own: tuple[Definition, ...]
    devices: tuple[tuple[str, tuple[Definition, ...]], ...]


def _written(name: str, node: EdgeNode) -> _Written:
    devices = tuple((device, born.definitions) for device, born in node.devices)
    return _Written(name, node.bd_seq, node.own.definitions, devices)
