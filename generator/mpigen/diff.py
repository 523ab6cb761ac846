"""Changes of a folder as a unified diff, in the form that git gives and takes."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from mpigen.output import Change
from mpigen.render import File


def unified(changes: Iterable[Change], files: Mapping[str, File], folder: Path) -> str:
    """What writing `changes` of `files` to `folder` would do; paths are as `folder` is given."""
    return "".join(
        line for change in changes for line in _lines(change, files.get(change.path), folder)
    )


def _lines(change: Change, file: File | None, folder: Path) -> Iterator[str]:
    target = folder / change.path
    path = target.as_posix().lstrip("/")
    yield f"diff --git a/{path} b/{path}\n"
    old, new = f"a/{path}", f"b/{path}"
    if change.kind == "new":
        yield f"new file mode {_git_mode(file)}\n"
        old = "/dev/null"
    elif file is None:
        yield f"deleted file mode {_mode_there(target)}\n"
        new = "/dev/null"
    elif _mode_there(target) != _git_mode(file):
        yield f"old mode {_mode_there(target)}\nnew mode {_git_mode(file)}\n"
    before, after = _text(target), file.text if file else ""
    if before is None:
        yield f"Binary files {old} and {new} differ\n"
        return
    pair = (before.splitlines(keepends=True), after.splitlines(keepends=True))
    for line in difflib.unified_diff(*pair, old, new):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _git_mode(file: File | None) -> str:
    return "100755" if file and file.mode & 0o100 else "100644"


def _mode_there(target: Path) -> str:
    if target.is_symlink():
        return "120000"
    return "100755" if target.exists() and target.stat().st_mode & 0o100 else "100644"


def _text(target: Path) -> str | None:
    """What is there: nothing if there is no file, None if it is no text."""
    if target.is_symlink():
        return str(target.readlink())
    if not target.exists():
        return ""
    try:
        return target.read_bytes().decode() if target.is_file() else None
    except UnicodeDecodeError:
        return None
