"""What a verdict is called in QARTOD and in OPC UA."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from contracts.quality import Quality, Reason

# QARTOD flags: IOOS, Manual for Real-Time Oceanographic Data Quality Control Flags (IOC 54:V3).
PASS: Final = 1
NOT_EVALUATED: Final = 2
SUSPECT: Final = 3
FAIL: Final = 4
NO_DATA: Final = 9


class Status(NamedTuple):
    """A status code of OPC UA; the two highest bits are the severity, which is our Quality."""

    code: int
    name: str

    @property
    def severity(self) -> Quality:
        """GOOD, UNCERTAIN or BAD (OPC 10000-4, 7.39)."""
        return Quality(self.code >> 30)


# OPC 10000-4 (general codes), OPC 10000-8, 7.3.2 (Data Access), OPC 10000-6, A.2 (numbers).
GENERAL: Final = (
    Status(0x00000000, "Good"),
    Status(0x40000000, "Uncertain"),
    Status(0x80000000, "Bad"),
)
_STOPPED = Status(0x40900000, "UncertainLastUsableValue")
_INACCURATE = Status(0x40930000, "UncertainSensorNotAccurate")
_EXCEEDED = Status(0x40940000, "UncertainEngineeringUnitsExceeded")
_SENSOR = Status(0x808C0000, "BadSensorFailure")
# What is not here has the general code of its quality.
STATUSES: Final[Mapping[Reason, tuple[Status, ...]]] = MappingProxyType({
    Reason.MISSING: (Status(0x809B0000, "BadNoData"),),
    Reason.TYPE: (Status(0x80740000, "BadTypeMismatch"),),
    Reason.SENTINEL: (_SENSOR,),
    Reason.RANGE: (Status(0x803C0000, "BadOutOfRange"),),
    Reason.SPIKE: (_SENSOR, _INACCURATE),
    Reason.RATE: (_EXCEEDED,),
    Reason.FLATLINE: (_STOPPED,),
    Reason.NOISE: (_INACCURATE,),
    Reason.COUNTER: (_EXCEEDED,),
    Reason.STATE: (_EXCEEDED,),
    Reason.NEIGHBOUR: (_INACCURATE,),
    Reason.ATTENUATED: (_INACCURATE,),
    Reason.INVENTORY: (_EXCEEDED,),
})  # fmt: skip


def qartod_flag(quality: int, reasons: int) -> int:
    """Give the QARTOD flag of a verdict.

    A reading that is only late passed what can be told of it alone; its neighbours were not asked.

    >>> [qartod_flag(0, 0), qartod_flag(1, Reason.LATE), qartod_flag(1, Reason.NOISE)]
    [1, 2, 3]
    >>> [qartod_flag(2, Reason.SPIKE), qartod_flag(2, Reason.MISSING)]
    [4, 9]
    """
    if reasons & Reason.MISSING:
        return NO_DATA
    if quality == Quality.UNCERTAIN:
        return NOT_EVALUATED if reasons == Reason.LATE else SUSPECT
    return PASS if quality == Quality.GOOD else FAIL


def opcua_status(quality: int, reasons: int) -> Status:
    """Give the OPC UA status of a verdict: that of the first reason with one as severe as it is.

    >>> opcua_status(2, Reason.SPIKE | Reason.LATE).name, f"{opcua_status(1, Reason.SPIKE).code:#x}"
    ('BadSensorFailure', '0x40930000')
    >>> opcua_status(1, Reason.DUPLICATE).name
    'Uncertain'
    """
    found = (status for reason in Reason if reason & reasons for status in STATUSES.get(reason, ()))
    return next((status for status in found if status.severity == quality), GENERAL[quality])
