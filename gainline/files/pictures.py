"""Writes charts as SVG files into a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from contracts.errors import ConfigError
from gainline.files.outfile import whole_file

HEAD = '<?xml version="1.0" encoding="utf-8"?>\n'


def write_pictures(folder: Path, drawn: Mapping[str, str]) -> None:
    """Write each chart as NAME.svg, in the place of an earlier one.

    Raises ConfigError where the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise ConfigError(f"--charts: {folder} cannot be made: {problem.strerror}") from None
    for name, svg in drawn.items():
        with whole_file(folder / f"{name}.svg") as part:
            part.write_text(HEAD + svg, encoding="utf-8")
