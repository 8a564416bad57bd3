"""The shared tools that break things, for a short time: their full runs take minutes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.pipeline import REPOSITORY, free_port

CHAOS = REPOSITORY.parent / "shared" / "tools" / "chaos"
LIMIT_S = 110
PATIENT_S = "30"  # what is lost is judged here; how fast it recovers, by the lab on a quiet machine


def break_things(tool: str, *words: str, folder: Path) -> str:
    """Run a tool on this gainline; give what it says, fail if it is not content."""
    if not (CHAOS / tool).exists():
        pytest.skip(f"{tool} of ../shared is not there")
    program = folder / "gainline"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m gainline "$@"\n')
    program.chmod(0o755)
    found = subprocess.run(
        [sys.executable, CHAOS / tool, *words],
        cwd=REPOSITORY,
        env={
            **os.environ,
            "GAINLINE": str(program),
            "PYTHONPATH": str(REPOSITORY),
            "TMPDIR": str(folder),
            "GAINLINE__PAGE__PORT": str(free_port()),
        },
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout + found.stderr


@pytest.mark.usefixtures("mosquitto")
def test_nothing_is_lost_or_doubled_while_ingest_and_the_network_fail(tmp_path: Path) -> None:
    said = break_things(
        "chaos.py",
        *("--points", "1000", "--rate", "100", "--every", "2", "--hold", "0.7", "--seed", "11"),
        *("--max-recovery", PATIENT_S),
        folder=tmp_path,
    )
    assert "lost=0" in said
    assert "duplicated=0" in said


@pytest.mark.usefixtures("mosquitto")
def test_no_malformed_message_harms_its_neighbours(tmp_path: Path) -> None:
    # the first memory may be taken before the judge is compiled, which takes as much as the bar
    said = break_things("poison_run.py", "--max-growth", "250", folder=tmp_path)
    assert "ledger balanced" in said
