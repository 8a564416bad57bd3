from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest
import structlog

from contracts.errors import ConfigError
from gainline.running.telemetry import set_up_logging, show_alive, tell_ready


def test_logs_are_json_lines_where_no_terminal_is(capfd: pytest.CaptureFixture[str]) -> None:
    set_up_logging("info")
    structlog.get_logger().info("broker_connected", broker="h:1", name="a\nb")
    structlog.get_logger().debug("too much")
    (line,) = capfd.readouterr().err.splitlines()
    said = json.loads(line)
    assert (said["event"], said["level"], said["name"]) == ("broker_connected", "info", "a\nb")


def test_an_unknown_level_is_named() -> None:
    with pytest.raises(ConfigError, match=r"log\.level: 'loud' is none of"):
        set_up_logging("loud")


def test_whoever_waits_is_told_that_we_are_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"gainline-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as waiting:
        waiting.bind("\0" + name)
        waiting.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name)
        tell_ready()
        assert waiting.recv(64) == b"READY=1"


def test_without_anybody_who_waits_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.delenv("GAINLINE_ALIVE_FILE", raising=False)
    tell_ready()
    show_alive()


def test_the_sign_of_life_is_a_fresh_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sign = tmp_path / "alive"
    monkeypatch.setenv("GAINLINE_ALIVE_FILE", str(sign))
    show_alive()
    os.utime(sign, (0, 0))
    show_alive()
    assert sign.stat().st_mtime > 0
