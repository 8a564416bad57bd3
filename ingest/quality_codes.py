"""Reads a source's own word for the quality of a reading, by the standard that it speaks.

The same number means opposite things: 0 is good in OPC UA and bad in OPC DA and Sparkplug. So
there is a function for each standard, and a decoder calls that of its shape; nothing is guessed
from the number. None means that nothing was said, which is good. What is said and not understood
is UNCERTAIN. Whatever was said is kept as `status`.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from contracts.quality import Quality, Reason


class Verdict(NamedTuple):
    """What a source says of its reading, and in which words; a BAD one is kept like any other."""

    quality: int  # contracts.quality.Quality
    reasons: int  # bits of contracts.quality.Reason
    status: str | None


UNSAID = Verdict(int(Quality.GOOD), 0, None)

STATUS_CHARACTERS_MAX = 256  # the longest symbol of OPC UA has 60; what is longer is no status

# the two top bits of 32, OPC 10000-4, 7.39.1; 11 is reserved, "treat as Bad"
_SEVERITIES = (Quality.GOOD, Quality.UNCERTAIN, Quality.BAD, Quality.BAD)
# the two top bits of 8, OPC Data Access 3.0, OPC Quality flags; 10 is not used
_DA_SEVERITIES = (Quality.BAD, Quality.UNCERTAIN, Quality.UNCERTAIN, Quality.GOOD)
_SPARKPLUG_GOOD, _SPARKPLUG_STALE = 192, 500

_WORDS = {
    "good": Quality.GOOD,
    "ok": Quality.GOOD,
    "uncertain": Quality.UNCERTAIN,
    "stale": Quality.UNCERTAIN,  # the last value, no longer kept up
    "bad": Quality.BAD,
    "error": Quality.BAD,
}
# BadNoCommunication, Bad_Stale, "Good, non-specific": the severity is the prefix (OPC 10000-6, A.2)
_PREFIX = re.compile(r"(good|uncertain|bad)(?![a-z])", re.IGNORECASE | re.ASCII)
_SYMBOL = re.compile(r"(Good|Uncertain|Bad)(?=[A-Z_]|$)", re.ASCII)
_COUNT = re.compile(r"-?\d{1,10}", re.ASCII)


def of_opc_ua(sent: object) -> Verdict:
    """Read a StatusCode of OPC UA: its number, its symbol, or an object of Code and Symbol.

    >>> of_opc_ua(0).quality, of_opc_ua(0x40000000).quality, of_opc_ua(2150694912)
    (0, 1, Verdict(quality=2, reasons=32768, status='2150694912'))
    >>> of_opc_ua({"Code": 2150694912, "Symbol": "BadNoCommunication"}).status
    'BadNoCommunication'
    """
    if sent is None:
        return UNSAID
    if isinstance(sent, dict):
        return _of_ua_object(sent)
    code = _count_of(sent)
    if code is not None:
        return _verdict(_severity_of(code), sent)
    return of_word(sent)


def of_opc_da(sent: object) -> Verdict:
    """Read a quality of OPC DA: the low byte counts, 192 and up GOOD, below 64 BAD.

    The high byte is the vendor's own.

    >>> [of_opc_da(code).quality for code in (192, 216, 64, 24, 0, 0x01C0)]
    [0, 0, 1, 2, 2, 0]
    """
    if sent is None:
        return UNSAID
    code = _count_of(sent)
    if code is None:
        return of_word(sent)
    if not 0 <= code <= 0xFFFF:
        return _verdict(Quality.UNCERTAIN, sent)
    return _verdict(_DA_SEVERITIES[(code & 0xFF) >> 6], sent)


def of_sparkplug(sent: object) -> Verdict:
    """Read a Quality property of Sparkplug: 0 BAD, 192 GOOD, 500 STALE, which is UNCERTAIN.

    (Sparkplug 3.0, tck-id-payloads-propertyset-quality-value-value.) Ignition 8 sends codes of its
    own: the two top bits of 32 are those of OPC UA, and 192 to 255 are good (Cirrus Link,
    "Ignition 8 Quality codes").

    >>> [of_sparkplug(code).quality for code in (192, 500, 0, 200, 1073742080, -2147483136)]
    [0, 1, 2, 0, 1, 2]
    """
    if sent is None:
        return UNSAID
    code = _count_of(sent)
    if code is None:
        return of_word(sent)
    severity = _severity_of(code)
    if severity != Quality.GOOD:
        return _verdict(severity, sent)
    if code == _SPARKPLUG_STALE:
        return _verdict(Quality.UNCERTAIN, sent)
    return _verdict(Quality.GOOD if _SPARKPLUG_GOOD <= code <= 0xFF else Quality.BAD, sent)


def of_boolean(sent: object) -> Verdict:
    """Read a quality that is true or false, as Kepware's.

    >>> of_boolean(True).quality, of_boolean(False)
    (0, Verdict(quality=2, reasons=32768, status='false'))
    """
    if isinstance(sent, bool):
        return _verdict(Quality.GOOD if sent else Quality.BAD, sent)
    return of_word(sent)


def of_error(sent: object) -> Verdict:
    """Read an error code: 0 is none, any other is BAD, as Neuron's.

    >>> of_error(0).quality, of_error(2014)
    (0, Verdict(quality=2, reasons=32768, status='2014'))
    """
    if sent is None:
        return UNSAID
    return _verdict(Quality.GOOD if _count_of(sent) == 0 else Quality.BAD, sent)


def of_word(sent: object) -> Verdict:
    """Read a word: GOOD, UNCERTAIN, BAD (SiteWise), or a symbol that begins with one of them.

    >>> [of_word(word).quality for word in ("GOOD", "Bad_Stale", "UncertainSubNormal", "badger")]
    [0, 2, 1, 1]
    """
    if sent is None:
        return UNSAID
    if not isinstance(sent, str):
        return _verdict(Quality.UNCERTAIN, sent)
    word = sent.strip()
    found = _SYMBOL.match(word) or _PREFIX.match(word)
    return _verdict(_WORDS.get((found[1] if found else word).lower(), Quality.UNCERTAIN), sent)


def _of_ua_object(sent: dict[str, object]) -> Verdict:
    """Read {"Code", "Symbol"}, or the same in small letters; one of them will do.

    An empty object is the code 0 (OPC 10000-6, 5.4.2.12).
    """
    code = sent.get("Code", sent.get("code"))
    symbol = sent.get("Symbol", sent.get("symbol"))
    named = of_word(symbol) if isinstance(symbol, str) and symbol else None
    if isinstance(code, (int, float, str)):
        verdict = of_opc_ua(code)
        return verdict if named is None else verdict._replace(status=named.status)
    if named is not None:
        return named
    return _verdict(Quality.UNCERTAIN, sent) if sent else UNSAID


def _count_of(sent: object) -> int | None:
    """Read a whole number, also one sent as text; a boolean is none."""
    if isinstance(sent, str):
        return int(sent) if _COUNT.fullmatch(sent) else None
    if isinstance(sent, float):
        return int(sent) if sent.is_integer() else None
    return sent if isinstance(sent, int) and not isinstance(sent, bool) else None


def _severity_of(code: int) -> Quality:
    """Read the two top bits of 32; a code that has more bits is none."""
    if not -(2**31) <= code < 2**32:
        return Quality.UNCERTAIN
    return _SEVERITIES[code >> 30 & 3]


def _verdict(quality: Quality, sent: object) -> Verdict:
    reasons = 0 if quality == Quality.GOOD else int(Reason.SOURCE)
    return Verdict(int(quality), reasons, _status_of(sent))


def _status_of(sent: object) -> str:
    text = sent if isinstance(sent, str) else json.dumps(sent, ensure_ascii=False)
    return text[:STATUS_CHARACTERS_MAX]
