"""{path: File} against a folder: what would change, and writing it without losing anything.

The manifest says which files mpigen made and what was in them. A file that somebody changed
since, or that mpigen never made, is not overwritten unless forced.
"""

import contextlib
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from mpigen import __version__
from mpigen.errors import InputError
from mpigen.keys import FOLDER as KEYS
from mpigen.render import File

MANIFEST = "manifest.json"
_STAGING = ".mpigen-staging"


@dataclass(frozen=True)
class Change:
    """One file that differs. `edited` tells that mpigen did not write what is there now."""

    path: str
    kind: Literal["new", "changed", "removed"]
    edited: bool


def with_manifest(files: Mapping[str, File]) -> dict[str, File]:
    """`files` and the manifest that lists each with its sha256, mode and template."""
    listing = {
        path: {"sha256": _sha256(file.text), "mode": f"{file.mode:o}", "template": file.template}
        for path, file in files.items()
    }
    text = json.dumps({"mpigen": __version__, "files": listing}, indent=2) + "\n"
    return {**files, MANIFEST: File(text, 0o644, "manifest")}


def compare(files: Mapping[str, File], folder: Path) -> list[Change]:
    """What writing `files` to `folder` would change, by path. Reads only.

    Raises InputError where the folder's manifest is not mpigen's, or where something other than a
    folder is in the way.
    """
    made = _made(folder)
    _check_folders((*files, *made), folder)
    changes = []
    for path, file in files.items():
        target = folder / path
        if not _exists(target):
            changes.append(Change(path, "new", edited=False))
            continue
        text, executable = _read(target)
        if text != file.text or executable != bool(file.mode & 0o100):
            ours = path == MANIFEST or (text is not None and made.get(path) == _sha256(text))
            changes.append(Change(path, "changed", edited=not ours))
    for path in sorted(set(made) - set(files)):
        target = folder / path
        if _exists(target) and not _is_folder(target):
            text, _ = _read(target)
            edited = text is None or made[path] != _sha256(text)
            changes.append(Change(path, "removed", edited))
    return changes


def apply(
    changes: list[Change], files: Mapping[str, File], private: Mapping[str, str], folder: Path
) -> None:
    """Write `changes` and the new private keys (mode 0600) to `folder`.

    Everything is written beside its place first and then renamed, the manifest last: where the
    disk is full or read-only, or a folder has a file's name, nothing is changed. Raises InputError
    then.
    """
    writes = {c.path: files[c.path] for c in changes if c.kind != "removed"}
    if not (changes or private):
        return
    staging = folder / _STAGING
    made: list[Path] = []
    try:
        shutil.rmtree(staging, ignore_errors=True)
        _make_folder(folder, made)
        staging.mkdir()
        for path, text in private.items():
            _write(staging / path, text, 0o600)
        for path, file in writes.items():
            _write(staging / path, file.text, file.mode)
        for path in (*private, *writes):
            _make_folder((folder / path).parent, made)
            if _is_folder(folder / path):
                raise IsADirectoryError(errno.EISDIR, "a folder is in its way", folder / path)
        for path in sorted((*private, *writes), key=lambda path: path == MANIFEST):
            (staging / path).replace(folder / path)
        for change in changes:
            if change.kind == "removed":
                _remove(folder, change.path)
    except OSError as error:
        shutil.rmtree(staging, ignore_errors=True)
        for parent in reversed(made):
            with contextlib.suppress(OSError):
                parent.rmdir()
        where = error.filename or folder
        raise InputError(f"{where}: cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _make_folder(folder: Path, made: list[Path]) -> None:
    """Make `folder` and those above it that are missing, and note them in `made`."""
    for missing in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
        missing.mkdir()
        made.append(missing)


def _made(folder: Path) -> dict[str, str]:
    """The sha256 of each file that the manifest of `folder` lists; none without a manifest."""
    manifest = folder / MANIFEST
    if not manifest.exists():
        return {}
    try:
        listing = json.loads(manifest.read_text(encoding="utf-8"))["files"]
        return {path: entry["sha256"] for path, entry in listing.items() if _may_be_made(path)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        hint = "Bring it back with git checkout, or delete it: render writes it anew."
        raise InputError(f"{manifest} is not a manifest of mpigen's", hint) from error


def _may_be_made(path: str) -> bool:
    """Whether a manifest may name `path`: it is below the folder, and no private key."""
    parts = PurePosixPath(path).parts
    return (
        "/".join(parts) == path != ""
        and ".." not in parts
        and (parts[0] != KEYS or path.endswith(".pub"))
    )


def _check_folders(paths: Iterable[str], folder: Path) -> None:
    """Refuse to go through a symlink, or a file where a folder should be."""
    parents = {parent for path in paths for parent in PurePosixPath(path).parents}
    for parent in sorted(parents - {PurePosixPath(".")}):
        place = folder / parent
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            hint = "Nothing was written. Move it out of the way."
            raise InputError(f"{place} is a file or a symlink, and should be a folder", hint)


def _is_folder(target: Path) -> bool:
    return target.is_dir() and not target.is_symlink()


def _exists(target: Path) -> bool:
    return target.exists() or target.is_symlink()


def _read(target: Path) -> tuple[str | None, bool]:
    """Text (None if it is no UTF-8 file) and whether the owner may execute it."""
    if target.is_symlink() or not target.is_file():
        return None, False
    try:
        return target.read_bytes().decode(), os.access(target, os.X_OK)
    except UnicodeDecodeError:
        return None, os.access(target, os.X_OK)


def _write(target: Path, text: str, mode: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        os.fchmod(descriptor, mode)
        file.write(text)


def _remove(folder: Path, path: str) -> None:
    """Remove the file, and the folders above it that are empty then."""
    target = folder / path
    target.unlink()
    for parent in target.relative_to(folder).parents:
        if parent == Path() or any((folder / parent).iterdir()):
            return
        (folder / parent).rmdir()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
