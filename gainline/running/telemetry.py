"""What the services say of themselves: logs on standard error, a sign of life in a file."""

import logging
import os
import socket
import sys
from pathlib import Path

import structlog

from contracts.errors import ConfigError

ALIVE_VARIABLE = "GAINLINE_ALIVE_FILE"


def set_up_logging(level: str) -> None:
    """Log for people on a terminal, as JSON lines otherwise."""
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ConfigError(f"log.level: {level!r} is none of debug, info, warning, error")
    human = sys.stderr.isatty()
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer() if human else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )


def tell_ready() -> None:
    """Tell whoever started us that the service is up: systemd's protocol, Type=notify.

    See sd_notify(3): one datagram to the socket named by NOTIFY_SOCKET; "@" stands for the null
    byte of an abstract name. Without that variable nothing happens.
    """
    name = os.environ.get("NOTIFY_SOCKET", "")
    if not name:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"READY=1", "\0" + name[1:] if name.startswith("@") else name)


def show_alive() -> None:
    """Touch the file named by GAINLINE_ALIVE_FILE, if any, so that a container can be judged."""
    name = os.environ.get(ALIVE_VARIABLE)
    if name:
        Path(name).touch()
