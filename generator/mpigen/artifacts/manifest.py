"""The manifest of a rendered folder: mpigen's files, their templates, and the cluster."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, NamedTuple

from mpigen import __version__
from mpigen.artifacts.paths import KEYS, MANIFEST
from mpigen.errors import InputError
from mpigen.untrusted.faults import DATA_FAULTS
from mpigen.untrusted.places import is_git
from mpigen.untrusted.quoting import shown
from mpigen.untrusted.reading import MEBIBYTE, read_bytes

# the largest manifest, in bytes; one of a large site has 50,000
_MOST_BYTES = 50 * MEBIBYTE
# the longest path of an artifact, and the longest name in it, in bytes (linux/limits.h: NAME_MAX)
_MOST_PATH = 1024
_MOST_NAME = 255


class File(NamedTuple):
    """An artifact: its text, its mode (0o644 or 0o755), and its template."""

    text: str
    mode: int
    template: str


class Override(NamedTuple):
    """Built-in text that a site overrides: a block of `path`, or all of it if `block` is empty.

    `path` is the artifact's; `builtin` is the overridden text.
    """

    path: str
    block: str
    builtin: str

    def __str__(self) -> str:
        return f"the block {self.block} of {self.path}" if self.block else self.path


class Manifest(NamedTuple):
    """A manifest as read from a folder; everything is empty if there is none.

    `hashes` and `templates` have the sha256 and the template of each file that mpigen wrote,
    `keys` the fingerprints by "user" and "host", `cluster` the fields of `folder.Artifacts`.
    """

    version: str = ""
    cluster: Mapping[str, Any] = MappingProxyType({})
    keys: Mapping[str, str] = MappingProxyType({})
    hashes: Mapping[str, str] = MappingProxyType({})
    templates: Mapping[str, str] = MappingProxyType({})
    overrides: tuple[Override, ...] = ()


def with_manifest(
    files: Mapping[str, File],
    fingerprints: Mapping[str, str] = MappingProxyType({}),
    overrides: Iterable[Override] = (),
    cluster: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, File]:
    """Return `files` and the manifest that lists each with its sha256, mode and template.

    It has the fingerprints of the keys, so that reviewers can identify them, and the built-in text
    under each of the site's `overrides`, for comparison after an upgrade of mpigen.
    """
    listing = {
        path: {
            "sha256": sha256(file.text.encode()),
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
    overridden = [
        {"path": each.path, "block": each.block, "builtin": each.builtin.splitlines()}
        for each in overrides
    ]
    if overridden:
        manifest["overrides"] = overridden
    text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    return {**files, MANIFEST: File(text, 0o644, "manifest")}


def read(folder: Path) -> Manifest:
    """Read the manifest of `folder`; empty if there is none. Raises InputError if not mpigen's."""
    place = folder / MANIFEST
    hint = "Restore it with git checkout, or delete it: render writes a new one."
    if place.is_symlink():
        raise InputError(f"{place} is a symlink, not a manifest of mpigen", hint)
    try:
        data = read_bytes(place, _MOST_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return Manifest()
    try:
        return _parsed(json.loads(data.decode()))
    except DATA_FAULTS as error:
        why = f": {error}" if isinstance(error, _Odd) else ""
        raise InputError(f"{place} is not a manifest of mpigen{why}", hint) from error


class _Odd(ValueError):
    """A value that no render writes into a manifest."""


def sha256(data: bytes) -> str:
    """Return the hash of a file's content, as in the manifest."""
    return hashlib.sha256(data).hexdigest()


def _parsed(document: Mapping[str, Any]) -> Manifest:
    for path in document["files"]:
        _check_path(path)
    files = {path: entry for path, entry in document["files"].items() if _is_generated_path(path)}
    return Manifest(
        version=_text(document.get("mpigen", "")),
        cluster=dict(document.get("cluster", {})),
        keys={name: _text(each) for name, each in document.get("keys", {}).items()},
        hashes={path: _text(entry["sha256"]) for path, entry in files.items()},
        templates={path: _text(entry.get("template", "")) for path, entry in files.items()},
        overrides=tuple(
            Override(
                _text(each["path"]),
                _text(each["block"]),
                "".join(f"{_encodable(line)}\n" for line in each["builtin"]),
            )
            for each in document.get("overrides", [])
        ),
    )


def _text(value: object) -> str:
    """Return a name, path, version or hash. Raises _Odd if it is none."""
    if not isinstance(value, str) or not value.isprintable() or len(value) > _MOST_PATH:
        raise _Odd(f"{shown(value)} is where a name should be")
    return value


def _encodable(line: object) -> str:
    """Return a line of a template. Raises _Odd if it is no text that UTF-8 can write."""
    if not isinstance(line, str) or any("\ud800" <= each <= "\udfff" for each in line):
        raise _Odd(f"{shown(line)} is where a line should be")
    return line


def _check_path(path: str) -> None:
    """Raise _Odd for a path that is longer than file systems take, or that cannot be printed."""
    if len(path) > _MOST_PATH or any(
        len(part.encode(errors="replace")) > _MOST_NAME for part in path.split("/")
    ):
        raise _Odd(f"the path {shown(path)} is too long")
    if not path.isprintable():
        raise _Odd(f"the path {shown(path)} has characters that cannot be printed")


def _is_generated_path(path: str) -> bool:
    """Whether a manifest may list `path`: it is below the folder, no private key, not git's."""
    parts = PurePosixPath(path).parts
    return (
        "/".join(parts) == path != ""
        and ".." not in parts
        and not any(map(is_git, parts))
        and (parts[0] != KEYS or path.endswith(".pub"))
    )
