"""Says verdicts in the words of QARTOD and OPC UA, in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts.flags import FAIL, GENERAL, NO_DATA, NOT_EVALUATED, PASS, STATUSES, SUSPECT
from contracts.quality import Quality, Reason

if TYPE_CHECKING:
    import duckdb


def add_macros(connection: duckdb.DuckDBPyConnection) -> None:
    """Add `qartod(quality, reasons)` and `opcua(quality, reasons)`, of the columns of `readings`.

    They are of the connection, not of the lake, and give what `contracts.flags` gives.
    """
    for name, sql in (("qartod", _qartod()), ("opcua", _opcua())):
        connection.execute(f"CREATE TEMP MACRO {name}(quality, reasons) AS {sql}")


def _qartod() -> str:
    return (
        f"CAST(CASE WHEN {_has(Reason.MISSING)} THEN {NO_DATA}"
        f" WHEN quality = {int(Quality.GOOD)} THEN {PASS}"
        f" WHEN quality = {int(Quality.BAD)} THEN {FAIL}"
        f" WHEN reasons = ['{_word(Reason.LATE)}'] THEN {NOT_EVALUATED} ELSE {SUSPECT} END"
        " AS TINYINT)"
    )


def _opcua() -> str:
    codes = [
        f"WHEN quality = {int(status.severity)} AND {_has(reason)} THEN {status.code}"
        for reason in Reason
        for status in STATUSES.get(reason, ())
    ]
    general = [f"WHEN quality = {int(one.severity)} THEN {one.code}" for one in GENERAL]
    return f"CAST(CASE {' '.join([*codes, *general])} END AS UINTEGER)"


def _has(reason: Reason) -> str:
    return f"list_contains(reasons, '{_word(reason)}')"


def _word(reason: Reason) -> str:
    return str(reason.name).lower()
