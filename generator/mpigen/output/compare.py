"""{path: File} against a folder: what writing it would change. Reads only.

The manifest says which files mpigen made and what was in them. A file that somebody changed
since, or that mpigen never made, is not overwritten unless forced.
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


class Change(NamedTuple):
    """One file that differs. `edited` tells that mpigen did not write what is there now.

    A file is `removed` that the manifest lists and that is rendered no more; of a `mode` only the
    executable bit counts, as in git. `mode` tells that it differs, alone or beside the text.
    """

    path: str
    kind: Literal["new", "changed", "mode", "removed"]
    edited: bool
    mode: bool = False


class Blob(NamedTuple):
    """A file as git stores it: mode 0o100644, 0o100755, or 0o120000 for a symlink.

    A symlink's data is where it points to.
    """

    mode: int
    data: bytes

    @property
    def is_link(self) -> bool:
        """Whether it is a symlink."""
        return stat.S_ISLNK(self.mode)


def compare(files: Mapping[str, File], folder: Path) -> list[Change]:
    """What writing `files` to `folder` would change, by path.

    Of a file's mode the owner's executable bit counts alone: git stores no more, so no umask
    makes a difference. Raises InputError where the folder's manifest is not mpigen's, or where
    something is in the way that is neither a file nor, in its place, a folder.
    """
    made = manifest.read(folder).hashes
    _check_folders((*files, *made), folder)
    changes = []
    for path, file in files.items():
        there = blob(folder / path)
        if there is None:
            changes.append(Change(path, "new", edited=False))
            continue
        mode = not there.is_link and bool((there.mode ^ file.mode) & stat.S_IXUSR)
        if there.is_link or there.data != file.text.encode():
            edited = path != MANIFEST and _edited(there, made, path)
            changes.append(Change(path, "changed", edited, mode))
        elif mode:
            changes.append(Change(path, "mode", edited=False, mode=True))
    for path in sorted(set(made) - set(files)):
        target = folder / path
        if target.is_file() or target.is_symlink():
            there = blob(target)
            changes.append(
                Change(path, "removed", there is not None and _edited(there, made, path))
            )
    return changes


def blob(target: Path) -> Blob | None:
    """What lies at `target`, a symlink not followed; None if nothing does.

    Raises InputError where it is neither file nor symlink, or cannot be read.
    """
    try:
        mode = target.lstat().st_mode
        if stat.S_ISLNK(mode):
            return Blob(stat.S_IFLNK, os.fsencode(target.readlink()))
        if not stat.S_ISREG(mode):
            hint = "Nothing was written. Move it out of the way."
            raise InputError(f"{target} is not a file, and should be one", hint)
        return Blob(stat.S_IFREG | (0o755 if mode & stat.S_IXUSR else 0o644), target.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InputError(f"{target}: cannot be read: {error.strerror}") from error


def real(folder: Path) -> Path:
    """The folder that `folder` is, absolute: where it is itself a symlink, what it points to."""
    try:
        return folder.resolve()
    except (OSError, RuntimeError) as error:  # RuntimeError up to Python 3.12
        raise InputError(f"{folder} is a symlink that leads nowhere: {error}") from error


def _edited(there: Blob, made: Mapping[str, str], path: str) -> bool:
    return there.is_link or made.get(path) != manifest.sha256(there.data)


def _check_folders(paths: Iterable[str], folder: Path) -> None:
    """Refuse to go through a symlink, or a file where a folder should be."""
    parents = {parent for path in paths for parent in PurePosixPath(path).parents}
    for parent in sorted(parents - {PurePosixPath(".")}):
        place = folder / parent
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            hint = "Nothing was written. Move it out of the way."
            raise InputError(f"{place} is a file or a symlink, and should be a folder", hint)
