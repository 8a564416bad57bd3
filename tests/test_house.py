"""The rules of the house that no linter knows: sizes, names, the tree, one sentence a file."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import shutil
import statistics
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGES = ("analytics", "clean", "contracts", "gainline", "ingest", "store")
TOP_FOLDERS = {*PACKAGES, "tests", "docs", "deploy", ".ci"}

# Above these a reader loses the thread: a function fits on a screen, a module in one sitting.
FUNCTION_LINES_MAX = 60
MODULE_LINES_MAX = 400
FUNCTION_LINES_MEDIAN_MAX = 12
PARAMETERS_MAX = 5
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "base", "manager"}
# A file of these sizes is data or a picture, and has no sentences to check.
TEXT_BYTES_MAX = 2_000_000

FUNCTION_TYPES = (ast.FunctionDef, ast.AsyncFunctionDef)
ROOM_FILES = sorted(path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py"))
TEST_FILES = sorted((REPOSITORY / "tests").rglob("*.py"))


@dataclass(frozen=True)
class Function:
    """One function of a module, as the rules see it."""

    where: str
    node: ast.FunctionDef | ast.AsyncFunctionDef

    @property
    def line_count(self) -> int:
        first = min([self.node.lineno, *(word.lineno for word in self.node.decorator_list)])
        return (self.node.end_lineno or first) - first + 1

    @property
    def body_line_count(self) -> int:
        """Lines of the function without its docstring, which promises rather than does."""
        first = self.node.body[0]
        if not ast.get_docstring(self.node) or len(self.node.body) == 1:
            return self.line_count
        return self.line_count - ((first.end_lineno or first.lineno) - first.lineno + 1)

    @property
    def parameter_count(self) -> int:
        given = self.node.args
        names = [word.arg for word in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
        return len(names) - (names[:1] in (["self"], ["cls"]))

    @property
    def is_command(self) -> bool:
        """A verb has as many parameters as SURFACE gives it options."""
        return any("command" in ast.unparse(word) for word in self.node.decorator_list)


def _name(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _functions(paths: list[Path]) -> list[Function]:
    return [
        Function(f"{_name(path)}:{node.lineno} {node.name}", node)
        for path in paths
        for node in ast.walk(_tree(path))
        if isinstance(node, FUNCTION_TYPES)
    ]


def _tracked_files() -> list[Path]:
    if not (REPOSITORY / ".git").exists() or shutil.which("git") is None:
        pytest.skip("no git repository: the tracked files are unknown")
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
        timeout=30,
    )
    paths = [REPOSITORY / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


def _expect_none(offenders: list[str]) -> None:
    assert not offenders, "\n" + "\n".join(offenders)


def test_no_function_is_longer_than_a_screen() -> None:
    long = [one.where for one in _functions(ROOM_FILES) if one.line_count > FUNCTION_LINES_MAX]
    _expect_none(long)


def test_the_usual_function_is_about_ten_lines() -> None:
    lengths = [one.body_line_count for one in _functions(ROOM_FILES)]
    assert statistics.median(lengths) <= FUNCTION_LINES_MEDIAN_MAX


def test_no_module_is_too_long_to_read_in_one_sitting() -> None:
    _expect_none(
        [
            _name(path)
            for path in (*ROOM_FILES, *TEST_FILES)
            if len(path.read_text(encoding="utf-8").splitlines()) > MODULE_LINES_MAX
        ]
    )


def test_no_function_takes_more_parameters_than_a_hand_has_fingers() -> None:
    many = [
        one.where
        for one in _functions(ROOM_FILES)
        if one.parameter_count > PARAMETERS_MAX and not one.is_command
    ]
    _expect_none(many)


def test_no_module_is_named_for_nothing_in_particular() -> None:
    _expect_none([_name(path) for path in ROOM_FILES if path.stem in BANNED_NAMES])


def test_no_module_shares_the_name_of_a_library() -> None:
    installed = set(importlib.metadata.packages_distributions()) - set(PACKAGES)
    taken = set(sys.stdlib_module_names) | installed
    named = [path for path in ROOM_FILES if not path.stem.startswith("__")]
    _expect_none([_name(path) for path in named if path.stem in taken])


def test_every_module_opens_with_one_sentence() -> None:
    wrong = []
    for path in ROOM_FILES:
        words = (ast.get_docstring(_tree(path)) or "").split("\n\n")[0]
        sentence = " ".join(words.split())
        if not sentence.endswith((".", "!", "?")) or re.search(r"\w\w[.!?] [A-Z]", sentence):
            wrong.append(f"{_name(path)}: {sentence}")
    _expect_none(wrong)


def test_nothing_is_left_to_be_done_in_the_code() -> None:
    marker = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3)) + r")\b")
    found = [
        f"{_name(path)}:{number}"
        for path in (*ROOM_FILES, *TEST_FILES)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if marker.search(line)
    ]
    _expect_none(found)


def test_what_others_import_has_a_test_or_an_example() -> None:
    tests = "\n".join(path.read_text(encoding="utf-8") for path in TEST_FILES)
    _expect_none(sorted(path for path in _public_modules() if not _is_shown(path, tests)))


def _public_modules() -> set[str]:
    """Modules with functions that another package or the command line imports, as `room.file`."""
    modules = {
        _name(path).removesuffix(".py").replace("/", ".")
        for path in ROOM_FILES
        if not path.stem.startswith("__") and _functions([path])
    }
    imported = set()
    for path in ROOM_FILES:
        room = _name(path).partition("/")[0]
        own = "gainline.cli" if _name(path) == "gainline/cli.py" else room
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.ImportFrom) and node.module:
                names = {node.module, *(f"{node.module}.{word.name}" for word in node.names)}
                imported |= {name for name in names if name.partition(".")[0] != own}
    return modules & imported


def _is_shown(module: str, tests: str) -> bool:
    """Whether a test imports or names the module, or the module carries examples."""
    parent, _, name = module.rpartition(".")
    from_parent = rf"from {re.escape(parent)} import (?:\([^)]*|[^\n]*)\b{name}\b"
    source = (REPOSITORY / module.replace(".", "/")).with_suffix(".py")
    return re.search(
        rf"\b{re.escape(module)}\b|{from_parent}", tests
    ) is not None or ">>>" in source.read_text(encoding="utf-8")


def test_the_folders_at_the_top_are_the_house() -> None:
    found = {path.relative_to(REPOSITORY).parts[0] for path in _tracked_files()}
    assert {name for name in found if (REPOSITORY / name).is_dir()} <= TOP_FOLDERS


def test_every_room_is_typed() -> None:
    _expect_none([name for name in PACKAGES if not (REPOSITORY / name / "py.typed").exists()])


def test_no_file_names_a_machine_or_a_package_registry() -> None:
    folders = ("work", "root", "home/[a-z]+", "opt/(?:wheels|pypi)", "Users/[a-z]+")
    hosts = ("pypi", "pythonhosted", "download.pytorch", "testpypi")
    pattern = re.compile(
        rf"(?<![\w.)}}])/(?:{'|'.join(folders)})/|(?:{'|'.join(hosts)})\.(?:org|com)"
    )
    found = [
        f"{_name(path)}: {match.group()}"
        for path in _tracked_files()
        if path.stat().st_size < TEXT_BYTES_MAX
        for match in pattern.finditer(path.read_text(encoding="utf-8", errors="replace"))
    ]
    _expect_none(found)


def test_every_exception_to_a_lint_rule_has_its_reason() -> None:
    bare = []
    for path in ROOM_FILES:
        above = ""
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            is_said = re.search(r"# noqa: [A-Z0-9, ]+[#-] \w", line) or above.startswith("# ")
            if re.search(r"#\s*noqa", line) and not is_said:
                bare.append(f"{_name(path)}:{number}")
            above = line.strip()
    _expect_none(bare)


def test_every_lint_rule_that_is_off_has_its_reason() -> None:
    text = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    section = text.split("[tool.ruff.lint]", 1)[1].split("[tool.ruff.lint.pydocstyle]", 1)[0]
    rules = [line for line in section.splitlines() if re.match(r'\s+"[A-Z]+[0-9]*",', line)]
    assert rules
    _expect_none([line.strip() for line in rules if not re.search(r"# \w", line)])


def test_the_lock_names_every_dependency_with_its_hash() -> None:
    for name in ("requirements.lock", "requirements-test.lock"):
        locked = _locked(name)
        assert locked
        for package, hashes in locked.items():
            assert hashes, f"{name}: {package} has no hash"
            assert not re.match(r"nvidia|cuda|triton|torch$", package)


def test_the_lock_is_what_the_project_asks_for() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {
        "requirements.lock": project["dependencies"],
        "requirements-test.lock": project["optional-dependencies"]["test"],
    }
    for name, requirements in wanted.items():
        names = {re.split(r"[^A-Za-z0-9_.-]", one)[0].lower() for one in requirements} - {"torch"}
        assert names - _locked(name).keys() == set()


def test_the_lock_holds_what_torch_needs() -> None:
    needed = [one for one in importlib.metadata.requires("torch") or () if ";" not in one]
    names = {re.split(r"[^A-Za-z0-9_.-]", one)[0].lower() for one in needed}
    assert names - _locked("requirements.lock").keys() == set()


def _locked(name: str) -> dict[str, list[str]]:
    """Each package of a lock file with its hashes."""
    locked: dict[str, list[str]] = {}
    for line in (REPOSITORY / name).read_text(encoding="utf-8").splitlines():
        if match := re.match(r"([a-z0-9-]+)==\S+ \\", line):
            package = match[1]
            locked[package] = []
        elif match := re.match(r"    --hash=(sha256:[0-9a-f]{64})", line):
            locked[package].append(match[1])
    return locked
