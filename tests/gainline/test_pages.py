"""What profit.md, plan.md and worked-example.md of docs/ show is what their commands print."""

from __future__ import annotations

import re
from itertools import zip_longest
from pathlib import Path

import pytest

from tests.pages import DEMO, DOCS, WORKED_PAGE, Example, examples, make_plant, printed

EXAMPLES = examples()
# The profit model is plain arithmetic. What is fitted to a simulated plant has last digits that
# are another machine's own.
GAPS = re.compile(r"[\s,]+")
TOLERANCES = {True: (0.02, 0.02), False: (1e-5, 0.0)}


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plant")
    make_plant(folder)
    return folder


@pytest.mark.parametrize("example", EXAMPLES, ids=[one.command for one in EXAMPLES])
def test_the_page_shows_what_the_command_prints(example: Example, plant: Path) -> None:
    expect_shown(example, printed(example, plant))


@pytest.mark.timeout(300)
def test_the_worked_example_can_be_followed_from_readings_to_money(tmp_path: Path) -> None:
    for example in examples([WORKED_PAGE]):
        said = printed(example, tmp_path)
        if example.answer is not None:
            expect_shown(example, said)


def expect_shown(example: Example, said: str) -> None:
    """Compare the end of what was printed with what the page shows, word by word."""
    words, shown = (GAPS.split(text.strip()) for text in (said, example.answer or ""))
    assert shown != [""]
    is_fitted = ".csv" in example.command or example.command == DEMO
    relative, absolute = TOLERANCES[is_fitted]
    for word, there in zip_longest(words[-len(shown) :], shown, fillvalue=""):
        number = _number(there)
        if number is None:
            assert set(word) == set(there) == {"-"} or word == there, example.command
        else:
            near = pytest.approx(number, rel=relative, abs=absolute)
            assert _number(word) == near, example.command


def test_the_python_of_the_page_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    text = (DOCS / "profit.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    exec(program, {})  # noqa: S102 - the page's own words
    assert capsys.readouterr().out.split() == re.findall(r"\)  # (\S+)", program)


def test_both_pages_have_examples() -> None:
    assert {one.page for one in EXAMPLES} == {"profit.md", "plan.md"}


def _number(word: str) -> float | None:
    try:
        return float(word.strip("[],;%"))
    except ValueError:
        return None
