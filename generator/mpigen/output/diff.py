"""Unified diffs as git writes them: `git apply` takes them, in the folder that holds output/."""

import difflib
import io
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from mpigen.artifacts.manifest import File
from mpigen.output.compare import Blob, Change, blob, real

_QUOTED = re.compile(r'[\x00-\x1f"\\\x7f]')


def unified(changes: Iterable[Change], files: Mapping[str, File], folder: Path) -> str:
    """What writing `changes` of `files` to `folder` would do."""
    name = real(folder).name
    return "".join(
        _section(f"{name}/{change.path}", blob(folder / change.path), _blob(files, change))
        for change in changes
    )


def _blob(files: Mapping[str, File], change: Change) -> Blob | None:
    file = files.get(change.path)
    return Blob(0o100000 | file.mode, file.text.encode()) if file else None


def _section(path: str, old: Blob | None, new: Blob | None) -> str:
    """The diff of one file, either side None where there is none."""
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
        # git ends a name that has a space with a tab, for patch(1) not to cut it there
        from_, to = (f"{name}\t" if " " in name else name for name in (from_, to))
        for line in difflib.unified_diff(before, after, from_, to):
            lines.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return "".join(lines)


def _lines(side: Blob | None) -> list[str] | None:
    """Lines with their ends; only \\n ends one. None of what is no text."""
    data = side.data if side else b""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else list(io.StringIO(text, newline="\n"))


def _quoted(name: str) -> str:
    """A name as git has it: in quotes, if something in it would end the line or the quotes."""
    if not _QUOTED.search(name):
        return name
    escaped = _QUOTED.sub(lambda found: _escape(found[0]), name)
    return f'"{escaped}"'


def _escape(character: str) -> str:
    return f"\\{character}" if character in '"\\' else f"\\{ord(character):03o}"
