"""Unified diffs in git's format; `git apply` accepts them in the folder that holds output/."""

import difflib
import io
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from mpigen.artifacts.manifest import File
from mpigen.output.compare import Blob, Change, read_blob, resolve_folder

# difflib takes seconds for more lines: its time grows with their square
_MOST_LINES = 20_000
_QUOTED = re.compile(r'[\x00-\x1f"\\\x7f]')


def unified(changes: Iterable[Change], files: Mapping[str, File], folder: Path) -> str:
    """Return the diff that writing `changes` of `files` to `folder` would make.

    A text that differs in its line ends alone is left out: each of its lines would be there twice.
    """
    name = resolve_folder(folder).name
    return "".join(
        _section(f"{name}/{change.path}", read_blob(folder / change.path), _blob(files, change))
        for change in changes
        if not change.endings
    )


def _blob(files: Mapping[str, File], change: Change) -> Blob | None:
    file = files.get(change.path)
    return Blob(0o100000 | file.mode, file.text.encode()) if file else None


def _section(path: str, old: Blob | None, new: Blob | None) -> str:
    """Return the diff of one file; a side is None if the file does not exist there."""
    if old and new and old.is_link != new.is_link:
        return _section(path, old, None) + _section(path, None, new)
    a, b = _quoted(f"a/{path}"), _quoted(f"b/{path}")
    lines = [f"diff --git {a} {b}\n"]
    if old is None and new:
        lines.append(f"new file mode {new.mode:o}\n")
    elif new is None and old:
        lines.append(f"deleted file mode {old.mode:o}\n")
    elif old and new and old.mode != new.mode:
        lines += [f"old mode {old.mode:o}\n", f"new mode {new.mode:o}\n"]
    before, after = _lines(old), _lines(new)
    from_, to = a if old else "/dev/null", b if new else "/dev/null"
    if before is None or after is None:
        lines.append(f"Binary files {from_} and {to} differ\n")
    else:
        # git ends a name that contains a space with a tab, so that patch(1) does not cut it short
        from_, to = (f"{name}\t" if " " in name else name for name in (from_, to))
        for line in _hunks(before, after, from_, to):
            lines.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return "".join(lines)


def _hunks(before: list[str], after: list[str], from_: str, to: str) -> Iterable[str]:
    """Return the lines of a unified diff; of very long texts all lines are taken out and put in."""
    if len(before) + len(after) <= _MOST_LINES:
        return difflib.unified_diff(before, after, from_, to)
    counts = [f"{min(len(lines), 1)},{len(lines)}" for lines in (before, after)]
    head = [f"--- {from_}\n", f"+++ {to}\n", f"@@ -{counts[0]} +{counts[1]} @@\n"]
    return [*head, *(f"-{line}" for line in before), *(f"+{line}" for line in after)]


def _lines(side: Blob | None) -> list[str] | None:
    """Return the lines with their line ends, which are \\n only; None if it is no text."""
    data = side.data if side else b""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else list(io.StringIO(text, newline="\n"))


def _quoted(name: str) -> str:
    """Quote a name as git does, if it has control characters, double quotes or backslashes."""
    if not _QUOTED.search(name):
        return name
    escaped = _QUOTED.sub(lambda found: _escape(found[0]), name)
    return f'"{escaped}"'


def _escape(character: str) -> str:
    return f"\\{character}" if character in '"\\' else f"\\{ord(character):03o}"
