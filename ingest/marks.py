"""Writes a commit mark as the message that tells a gateway what it may delete from its spool."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from ingest.commit import OWN_TOPICS

if TYPE_CHECKING:
    from contracts.batches import Mark

# No level of a topic may hold "/", "+", "#" or NUL, and brokers refuse control characters; "%" is
# encoded so that no two gateways share a topic.
_NO_LEVEL = re.compile(r"[/+#%\x00-\x1f\x7f-\x9f]")


def topic_of(gateway: str) -> str:
    """Give the topic of a gateway's marks; what no level may hold is percent-encoded.

    >>> topic_of("gw1"), topic_of("site 1/gw")
    ('gainline/commit/gw1', 'gainline/commit/site 1%2Fgw')
    """
    return OWN_TOPICS + _NO_LEVEL.sub(_percent, gateway)


def payload_of(mark: Mark) -> bytes:
    """Write a mark as JSON; `earlier` is left out where there is none.

    >>> from contracts.batches import Mark
    >>> payload_of(Mark("gw1", "e2", 17, (("e1", 4999),)))
    b'{"epoch": "e2", "seq": 17, "earlier": {"e1": 4999}}'
    """
    said: dict[str, object] = {"epoch": mark.epoch, "seq": mark.seq}
    if mark.earlier:
        said["earlier"] = dict(mark.earlier)
    return json.dumps(said, ensure_ascii=False).encode()


def _percent(odd: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in odd[0].encode())
