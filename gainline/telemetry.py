"""What the services say of themselves: logs on standard error, a sign of life in a file."""

import logging
import os
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


def show_alive() -> None:
    """Touch the file named by GAINLINE_ALIVE_FILE, if any, so that a container can be judged."""
    name = os.environ.get(ALIVE_VARIABLE)
    if name:
        Path(name).touch()
