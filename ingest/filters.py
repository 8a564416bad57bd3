"""Topic filters of MQTT: whether one is valid, and whether two can match the same topic."""

from __future__ import annotations

FILTER_BYTES_MAX = 65_535  # of MQTT


def is_filter(text: str) -> bool:
    """Tell whether MQTT takes this as a filter: + is a whole level, # the last one.

    >>> [is_filter(text) for text in ("a/+/b", "a/#", "#", "a/b+", "a/#/b", "")]
    [True, True, True, False, False, False]
    """
    levels = text.split("/")
    return (
        0 < len(text.encode()) <= FILTER_BYTES_MAX
        and "\0" not in text
        and "#" not in "".join(levels[:-1])
        and all(level in {"+", "#"} or not {"+", "#"} & set(level) for level in levels)
    )


def overlap(one: str, other: str) -> bool:
    """Tell whether a topic exists that both filters match.

    `a/#` matches `a` as well; a wildcard at the beginning matches no topic that begins with $
    (MQTT 5.0, 4.7.1 and 4.7.2).

    >>> overlap("a/+/b", "a/c/#"), overlap("a/#", "a"), overlap("a/+", "b/+"), overlap("#", "$x")
    (True, True, False, False)
    """
    first, second = one.split("/"), other.split("/")
    if _is_hidden(first[0]) != _is_hidden(second[0]) and {first[0], second[0]} & {"+", "#"}:
        return False
    for left, right in zip(first, second, strict=False):
        if "#" in (left, right):
            return True
        if "+" not in (left, right) and left != right:
            return False
    longer = first if len(first) > len(second) else second
    shorter_length = min(len(first), len(second))
    return len(longer) == shorter_length or longer[shorter_length:] == ["#"]


def _is_hidden(level: str) -> bool:
    return level.startswith("$")
