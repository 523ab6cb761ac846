"""What all tests share: the golden files, and the real command in this process."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from mpigen.cli import main

ROOT = Path(__file__).parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="Write what mpigen says now into the golden files, to be read in the diff.",
    )


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
