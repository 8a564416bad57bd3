"""Writes the file with all keys of the configuration, to begin with."""

from __future__ import annotations

from pathlib import Path

from contracts.errors import ConfigError
from gainline.files.outfile import whole_file

EXAMPLE = Path(__file__).with_name("example.toml")


def write_example(folder: Path) -> Path:
    """Write gainline.toml, every key at its default. Raises ConfigError where one is there."""
    path = folder / "gainline.toml"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise ConfigError(f"{folder}: cannot be made: {problem.strerror}") from None
    if path.exists():
        raise ConfigError(f"{path}: is there already; it is not overwritten")
    with whole_file(path) as part:
        part.write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    return path
