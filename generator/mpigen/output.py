"""{path: File} against a folder: what would change, and what of it somebody else has changed.

The manifest says which files mpigen made and what was in them. A file that somebody changed
since, or that mpigen never made, is not overwritten unless forced.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, Literal

from mpigen import __version__
from mpigen.errors import InputError
from mpigen.keys import FOLDER as KEYS
from mpigen.overrides import Override
from mpigen.render import File

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Change:
    """One file that differs. `edited` tells that mpigen did not write what is there now.

    Of its mode only the executable bit counts, as in git.
    """

    path: str
    kind: Literal["new", "changed", "mode", "removed"]
    edited: bool


def with_manifest(
    files: Mapping[str, File],
    fingerprints: Mapping[str, str] = MappingProxyType({}),
    overrides: Iterable[Override] = (),
) -> dict[str, File]:
    """`files` and the manifest that lists each with its sha256, mode and template.

    Of the keys it has the fingerprints, so that a review sees which they are; and under each of
    the site's `overrides` the built-in text, against which an upgrade of mpigen is held.
    """
    listing = {
        path: {"sha256": _sha256(file.text), "mode": f"{file.mode:o}", "template": file.template}
        for path, file in files.items()
    }
    manifest: dict[str, object] = {
        "mpigen": __version__,
        "keys": dict(fingerprints),
        "files": listing,
    }
    under = [
        {"path": each.path, "block": each.block, "builtin": each.builtin.splitlines()}
        for each in overrides
    ]
    if under:
        manifest["overrides"] = under
    text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    return {**files, MANIFEST: File(text, 0o644, "manifest")}


def recorded_overrides(folder: Path) -> list[Override]:
    """What the manifest of `folder` says of the built-in text under the site's overrides.

    Raises InputError where it is not mpigen's.
    """
    with _manifest(folder) as manifest:
        return [
            Override(each["path"], each["block"], "".join(f"{line}\n" for line in each["builtin"]))
            for each in manifest.get("overrides", [])
        ]


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
        if text != file.text:
            ours = path == MANIFEST or (text is not None and made.get(path) == _sha256(text))
            changes.append(Change(path, "changed", edited=not ours))
        elif executable != bool(file.mode & 0o100):
            changes.append(Change(path, "mode", edited=False))
    for path in sorted(set(made) - set(files)):
        target = folder / path
        if _exists(target) and not _is_folder(target):
            text, _ = _read(target)
            edited = text is None or made[path] != _sha256(text)
            changes.append(Change(path, "removed", edited))
    return changes


def _made(folder: Path) -> dict[str, str]:
    """The sha256 of each file that the manifest of `folder` lists; none without a manifest."""
    with _manifest(folder) as manifest:
        listing = manifest["files"]
        return {path: entry["sha256"] for path, entry in listing.items() if _may_be_made(path)}


@contextmanager
def _manifest(folder: Path) -> Iterator[dict[str, Any]]:
    """What the manifest of `folder` says; whoever misses something in it need not tell."""
    place = folder / MANIFEST
    try:
        yield json.loads(place.read_text(encoding="utf-8")) if place.exists() else {"files": {}}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        hint = "Bring it back with git checkout, or delete it: render writes it anew."
        raise InputError(f"{place} is not a manifest of mpigen's", hint) from error


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


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
