"""A folder of templates: `*.j2` files are rendered, all others are copied.

A file's name is its path in the folder, as `a/b.j2` or `a/b`; both make the artifact `a/b`.
"""

import os
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from mpigen.errors import InputError
from mpigen.untrusted.places import refuse_leading_out
from mpigen.untrusted.quoting import LONGEST_REASON, clip
from mpigen.untrusted.reading import read_bytes

SUFFIX = ".j2"
BUILTIN = "builtin/"
"""Prefix of a built-in template's name in `extends`, `include` and messages."""

# The largest file, in bytes.
_MAX_BYTES = 10_000_000
# All files together, in characters, their number, and the levels of folders.
_MAX_TOTAL = 50_000_000
_MAX_FILES = 5_000
_MAX_LEVELS = 20
# Files that editors, file managers, Python and git leave behind.
_IGNORED = ("*~", "*.swp", "*.swo", ".#*", "#*#", ".ds_store", "__pycache__", ".git")


def is_template(name: str) -> bool:
    """Whether the file is rendered; all other files are copied unchanged."""
    return name.endswith(SUFFIX)


def artifact(name: str) -> str:
    """The path below output/ of the artifact that the file makes."""
    return name.removesuffix(SUFFIX)


def read(folder: Path) -> dict[str, str]:
    """The text of each file in `folder` by its name, sorted by name.

    Raises InputError for a file that is not UTF-8 text or not regular, for a link to a folder or
    out of `folder`, for an unprintable name, for two files that make the same artifact, and for
    more files, bytes or levels than a render takes.
    """
    texts: dict[str, str] = {}
    total = 0
    for path in _paths(folder):
        name = path.relative_to(folder).as_posix()
        _refuse_name(path, name)
        if path.is_symlink():
            _refuse_link(path, folder)
        texts[name] = _text(path)
        total += len(texts[name])
        if total > _MAX_TOTAL:
            raise InputError(f"{folder}: its files have more than {_MAX_TOTAL:,} characters")
    _refuse_duplicates(texts, folder)
    return texts


def read_site(folder: Path) -> dict[str, str]:
    """The site's own files in templates/, as `read` gives them; empty if there is no such folder.

    Raises InputError as well if `folder` is no folder, or leads out of the site that holds it.
    """
    if not os.path.lexists(folder):
        return {}
    refuse_leading_out(folder, folder.parent)
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder", "Templates are files in a folder.")
    return read(folder)


def _paths(folder: Path) -> list[Path]:
    """The files in `folder` and below, sorted; a link to a folder counts as a file."""
    found: list[Path] = []
    folders = [folder]
    for here in folders:  # the list grows in the loop
        try:
            if len(here.relative_to(folder).parts) > _MAX_LEVELS:
                raise InputError(f"{folder}: has more than {_MAX_LEVELS} levels of folders")
            entries = list(os.scandir(here))
        except OSError as error:
            raise InputError(f"{clip(str(here))}: cannot be read: {error.strerror}") from error
        for entry in entries:
            if any(fnmatchcase(entry.name.lower(), pattern) for pattern in _IGNORED):
                continue
            is_folder = entry.is_dir(follow_symlinks=False)
            (folders if is_folder else found).append(here / entry.name)
        if len(found) + len(folders) > _MAX_FILES:
            raise InputError(f"{folder}: has more than {_MAX_FILES:,} files and folders")
    return sorted(found)


def _text(path: Path) -> str:
    """The text of a file, as UTF-8. Raises InputError if it is none, is too large or no file."""
    try:
        text = read_bytes(path, _MAX_BYTES).decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = clip(str(error), LONGEST_REASON)
        raise InputError(
            f"{path}: cannot be read as UTF-8 text: {reason}",
            "Artifacts are text: put other files into image.packages or app/.",
        ) from error
    # Jinja counts lines by \n alone; copied files keep every byte.
    return text.replace("\r\n", "\n").replace("\r", "\n") if is_template(path.name) else text


def _refuse_link(path: Path, folder: Path) -> None:
    """Raise InputError for a link to a folder, a loop of links, or a link out of `folder`."""
    hint = "Replace it with a copy: only what is committed may be rendered."
    if path.is_dir():
        raise InputError(f"{path}: is a link to a folder, which is not followed", hint)
    try:
        within = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError) as error:
        raise InputError(f"{path}: is a link that leads back to itself", hint) from error
    if not within:
        raise InputError(f"{path}: is a link that leads out of the site's templates", hint)


def _refuse_name(path: Path, name: str) -> None:
    """Raise InputError for a file name that the manifest or a terminal could not show."""
    if not name.isprintable():
        raise InputError(f"{str(path)!a}: has a name with characters that cannot be printed")


def _refuse_duplicates(names: Iterable[str], folder: Path) -> None:
    """Raise InputError if two files make the same artifact."""
    made: dict[str, str] = {}
    for name in names:
        if other := made.get(artifact(name)):
            raise InputError(
                f"{folder / other} and {folder / name} both make the artifact {artifact(name)}",
                f"Keep one: {SUFFIX} files are rendered, every other file is copied unchanged.",
            )
        made[artifact(name)] = name
