"""Compares rendered files with a folder, and lists what writing them would change. Reads only.

The manifest records which files mpigen wrote, and their hashes. A file that was edited since, or
that mpigen did not write, is overwritten only if forced.
"""

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from mpigen.artifacts import manifest
from mpigen.artifacts.manifest import File
from mpigen.artifacts.paths import MANIFEST
from mpigen.errors import InputError
from mpigen.untrusted.places import refuse_link
from mpigen.untrusted.reading import MEBIBYTE, read_bytes

# the largest file that is compared, in bytes: no artifact has as many
_MOST_BYTES = 50 * MEBIBYTE


class Change(NamedTuple):
    """One file that differs. `edited` is whether its present content is not mpigen's.

    A file of kind "removed" is listed in the manifest but no longer rendered. `mode` is whether
    the executable bit differs, alone or besides the text; other bits are ignored, as in git.
    `endings` is whether the text differs in its line ends alone, as git's core.autocrlf makes it.
    """

    path: str
    kind: Literal["new", "changed", "mode", "removed"]
    edited: bool
    mode: bool = False
    endings: bool = False


class Blob(NamedTuple):
    """A file as git stores it: mode 0o100644, 0o100755, or 0o120000 for a symlink.

    A symlink's data is its target.
    """

    mode: int
    data: bytes

    @property
    def is_link(self) -> bool:
        """Whether it is a symlink."""
        return stat.S_ISLNK(self.mode)


def compare(files: Mapping[str, File], folder: Path) -> list[Change]:
    """Return the changes that writing `files` to `folder` would make.

    Of a file's mode only the owner's executable bit counts: git stores no more, so the umask makes
    no difference. Raises InputError if the folder's manifest is not mpigen's, or if anything other
    than a file is in the place of a file, or other than a folder in the place of a folder.
    """
    recorded = manifest.read(folder).hashes
    _check_folders((*files, *recorded), folder)
    changes = []
    for path, file in files.items():
        present = read_blob(folder / path)
        if present is None:
            changes.append(Change(path, "new", edited=False))
            continue
        mode = not present.is_link and bool((present.mode ^ file.mode) & stat.S_IXUSR)
        if present.is_link or present.data != file.text.encode():
            edited = path != MANIFEST and _edited(present, recorded, path)
            endings = not present.is_link and _unix(present.data) == _unix(file.text.encode())
            changes.append(Change(path, "changed", edited and not endings, mode, endings))
        elif mode:
            changes.append(Change(path, "mode", edited=False, mode=True))
    for path in sorted(set(recorded) - set(files)):
        target = folder / path
        if target.is_file() or target.is_symlink():
            present = read_blob(target)
            changes.append(
                Change(path, "removed", present is not None and _edited(present, recorded, path))
            )
    return changes


def read_blob(target: Path) -> Blob | None:
    """Read the file or symlink `target`, without following it; None if nothing is there.

    Raises InputError if it is neither, or cannot be read.
    """
    try:
        mode = target.lstat().st_mode
        if stat.S_ISLNK(mode):
            return Blob(stat.S_IFLNK, os.fsencode(target.readlink()))
        if not stat.S_ISREG(mode):
            hint = "Nothing was written. Move it away."
            raise InputError(f"{target} is not a file, but should be one", hint)
        data = read_bytes(target, _MOST_BYTES)
        return Blob(stat.S_IFREG | (0o755 if mode & stat.S_IXUSR else 0o644), data)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InputError(f"{target}: cannot be read: {error.strerror}") from error


def resolve_folder(folder: Path) -> Path:
    """Return the absolute path of `folder`, symlinks resolved. Raises InputError for a loop."""
    try:
        return folder.resolve()
    except (OSError, RuntimeError) as error:  # RuntimeError up to Python 3.12
        raise InputError(f"{folder} is a broken symlink: {error}") from error


def _edited(present: Blob, recorded: Mapping[str, str], path: str) -> bool:
    hashes = {manifest.sha256(present.data), manifest.sha256(_unix(present.data))}
    return present.is_link or recorded.get(path) not in hashes


def _unix(data: bytes) -> bytes:
    """Return `data` with the line ends of Unix."""
    return data.replace(b"\r\n", b"\n")


def _check_folders(paths: Iterable[str], folder: Path) -> None:
    """Refuse a symlink, or a file, in the place of a folder above one of `paths`."""
    parents = {parent for path in paths for parent in PurePosixPath(path).parents}
    for parent in sorted(parents - {PurePosixPath(".")}):
        refuse_link(folder / parent)
