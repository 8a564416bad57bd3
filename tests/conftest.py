"""What every test may ask for: the broker, the recordings, and where the repository is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import structlog

from contracts.message import Address
from ingest.broker import embedded_broker
from ingest.journal import Journal
from tests.authority import Authority

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED_DATA = REPOSITORY.parent / "shared" / "data"
# Debian puts the broker where only root's PATH leads
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])

# How long an example takes says nothing on a machine that others use too.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the repository."""
    return REPOSITORY


@pytest.fixture(scope="session")
def mosquitto() -> str:
    """Path of the broker's program. Skips without it; in continuous integration that fails."""
    return _program("mosquitto", remedy="install Debian's package mosquitto")


@pytest.fixture(scope="session")
def strace() -> str:
    """Path of the program that kills another at a call of the kernel; missing as `mosquitto`."""
    return _program("strace", remedy="install Debian's package strace")


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Signs certificates. Needs openssl; missing as `mosquitto`."""
    openssl = _program("openssl", remedy="install Debian's package openssl")
    return Authority(openssl, tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of recordings and payloads beside the repository; they are too big to be in it."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no folder ../{SHARED_DATA.relative_to(REPOSITORY.parent)} beside this one")
    return SHARED_DATA


@pytest.fixture
def broker() -> Iterator[Address]:
    """Address of an embedded broker."""
    with embedded_broker() as address:
        yield address


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An open journal that takes whatever a test sends."""
    with Journal.open(tmp_path / "journal", limit_bytes=1 << 30) as journal:
        yield journal


@pytest.fixture(autouse=True)
def _log_of_one_test() -> Iterator[None]:
    """Forget how a test set up the log: it may have named that test's own standard error."""
    yield
    structlog.reset_defaults()


def _program(name: str, *, remedy: str) -> str:
    path = shutil.which(name, path=SEARCH_PATH)
    if path:
        return path
    words = f"{name} is missing: {remedy}"
    if os.environ.get("CI"):
        pytest.fail(words)
    pytest.skip(words)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Repeat at the end which checks of tests/check.sh failed before pytest began."""
    failed = _failed_checks()
    if failed:
        terminalreporter.section("checks that failed before the tests", red=True)
        terminalreporter.write_line(failed)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail as a whole where one of those checks has failed."""
    if _failed_checks() and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _failed_checks() -> str:
    return os.environ.get("GAINLINE_FAILED_CHECKS", "")
