"""What all tests share: the golden files, and the real command in this process."""

import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mpigen.cli import main
from tests import figures

ROOT = Path(__file__).parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="Write what mpigen says now into the golden files, to be read in the diff.",
    )
    parser.addoption(
        "--fuzz-minutes",
        type=float,
        default=0.0,
        help="Make up hostile sites for so long: pytest tests/fuzz --fuzz-minutes 10",
    )
    parser.addoption(
        "--kills",
        type=int,
        default=1,
        help="Kill each verb at so many moments: pytest tests/faults/test_killed.py --kills 20",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """The figures of a test go with its report, which may go to another process."""
    report = yield
    report.user_properties += [("figure", line) for line in figures.FOUND]
    figures.FOUND.clear()
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was measured, whether the tests passed or not."""
    reports = [each for those in terminalreporter.stats.values() for each in those]
    told = [pair for each in reports for pair in getattr(each, "user_properties", [])]
    if found := [line for what, line in told if what == "figure"]:
        terminalreporter.section("figures")
        for line in dict.fromkeys(found):
            terminalreporter.write_line(line)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """Compare a text with a golden file; with --update-golden write it there."""

    def check(file: Path, text: str) -> None:
        if request.config.getoption("--update-golden"):
            file.write_text(text, encoding="utf-8")
        assert file.is_file(), f"{file} is missing: pytest --update-golden writes it"
        assert text == file.read_text(encoding="utf-8")

    return check


@dataclass(frozen=True)
class Done:
    """A command that ended: its exit code and what it printed."""

    code: int
    out: str
    err: str


Mpigen = Callable[..., Done]


@pytest.fixture
def mpigen(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Mpigen:
    """The `mpigen` command, run in this process."""

    def run(*words: str | Path) -> Done:
        monkeypatch.setattr(sys, "argv", ["mpigen", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Done(int(ended.value.code or 0), printed.out, printed.err)

    return run


def snapshot(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Mode, modification time (ns) and content of every file and folder below `folder`."""
    return {
        path.relative_to(folder).as_posix(): (
            path.lstat().st_mode,
            path.lstat().st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted(folder.rglob("*"))
    }
