"""{path: File} against a folder: the manifest, and what would change. Reads only.

The manifest says which files mpigen made and what was in them. A file that somebody changed
since, or that mpigen never made, is not overwritten unless forced.
"""

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from mpigen import __version__
from mpigen.errors import InputError
from mpigen.keys import FOLDER as KEYS
from mpigen.overrides import Override
from mpigen.render import File

MANIFEST = "manifest.json"


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


def with_manifest(
    files: Mapping[str, File],
    fingerprints: Mapping[str, str] = MappingProxyType({}),
    overrides: Iterable[Override] = (),
    cluster: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, File]:
    """`files` and the manifest that lists each with its sha256, mode and template.

    Of the keys it has the fingerprints, so that a review sees which they are; and under each of
    the site's `overrides` the built-in text, against which an upgrade of mpigen is held. `cluster`
    is what the verbs that talk to Docker must know of it.
    """
    listing = {
        path: {
            "sha256": _sha256(file.text.encode()),
            "mode": f"{file.mode:o}",
            "template": file.template,
        }
        for path, file in files.items()
    }
    manifest: dict[str, object] = {
        "mpigen": __version__,
        "cluster": dict(cluster),
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


def recorded_version(folder: Path) -> str:
    """Which mpigen wrote the manifest of `folder`; empty if that is not known."""
    with _manifest(folder) as manifest:
        return str(manifest.get("mpigen", ""))


def recorded_fingerprints(folder: Path) -> dict[str, str]:
    """The fingerprints, by "user" and "host", of the keys that `folder` was rendered with."""
    with _manifest(folder) as manifest:
        return dict(manifest.get("keys", {}))


def recorded_cluster(folder: Path) -> dict[str, Any]:
    """What the manifest of `folder` says of the cluster; empty if that is not known."""
    with _manifest(folder) as manifest:
        return dict(manifest.get("cluster", {}))


def recorded_template(folder: Path, path: str) -> str:
    """The template that a file of `folder` came from, as its manifest says; empty if unknown."""
    with _manifest(folder) as manifest:
        return str(manifest["files"].get(path, {}).get("template", ""))


def compare(files: Mapping[str, File], folder: Path) -> list[Change]:
    """What writing `files` to `folder` would change, by path.

    Of a file's mode the owner's executable bit counts alone: git stores no more, so no umask
    makes a difference. Raises InputError where the folder's manifest is not mpigen's, or where
    something is in the way that is neither a file nor, in its place, a folder.
    """
    made = _made(folder)
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
    return there.is_link or made.get(path) != _sha256(there.data)


def _made(folder: Path) -> dict[str, str]:
    """The sha256 of each file that the manifest of `folder` lists; none without a manifest."""
    with _manifest(folder) as manifest:
        listing = manifest["files"]
        return {path: entry["sha256"] for path, entry in listing.items() if _may_be_made(path)}


@contextmanager
def _manifest(folder: Path) -> Iterator[dict[str, Any]]:
    """What the manifest of `folder` says; whoever misses something in it need not tell."""
    place = folder / MANIFEST
    hint = "Bring it back with git checkout, or delete it: render writes it anew."
    if place.is_symlink():
        raise InputError(f"{place} is not a manifest of mpigen's, but a symlink", hint)
    try:
        yield json.loads(place.read_text(encoding="utf-8")) if place.exists() else {"files": {}}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
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


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
