"""A folder of templates: `*.j2` files are rendered, all others are copied.

A file's name is its path in the folder, as `a/b.j2` or `a/b`; both make the artifact `a/b`.
"""

import stat
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from mpigen.errors import InputError

SUFFIX = ".j2"
BUILTIN = "builtin/"
"""Prefix of a built-in template's name in `extends`, `include` and messages."""

# The largest file, in bytes.
_MAX_BYTES = 10_000_000
# Files that editors, file managers, Python and git leave behind.
_IGNORED = ("*~", "*.swp", "*.swo", ".#*", "#*#", ".DS_Store", "__pycache__", ".git")


def is_template(name: str) -> bool:
    """Whether the file is rendered; all other files are copied unchanged."""
    return name.endswith(SUFFIX)


def artifact(name: str) -> str:
    """The path below output/ of the artifact that the file makes."""
    return name.removesuffix(SUFFIX)


def read(folder: Path) -> dict[str, str]:
    """The text of each file in `folder` by its name, sorted by name.

    Raises InputError for a file that is not UTF-8 text or not regular, for a link to a folder or
    out of `folder`, for an unprintable name, and for two files that make the same artifact.
    """
    texts: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if any(fnmatchcase(part, pattern) for part in inside.parts for pattern in _IGNORED):
            continue
        if path.is_symlink():
            _refuse_link(path, folder)
        if not path.is_dir():
            _refuse_name(path, inside.as_posix())
            texts[inside.as_posix()] = _text(path)
    _refuse_duplicates(texts, folder)
    return texts


def _text(path: Path) -> str:
    """The text of a file, as UTF-8. Raises InputError if it is none, is too large or no file."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{path}: is no regular file", "Put a text file in its place.")
        if status.st_size > _MAX_BYTES:
            raise InputError(
                f"{path}: has more than {_MAX_BYTES:,} bytes: is it meant as a source?"
            )
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: cannot be read as UTF-8 text: {error}",
            "Artifacts are text: put other files into image.packages or app/.",
        ) from error
    # Jinja counts lines by \n alone; copied files keep every byte.
    return text.replace("\r\n", "\n").replace("\r", "\n") if is_template(path.name) else text


def _refuse_link(path: Path, folder: Path) -> None:
    """Raise InputError for a link to a folder, a loop of links, or a link out of `folder`."""
    hint = "Put a copy in its place: what is rendered is what is committed."
    if path.is_dir():
        raise InputError(f"{path}: is a link to a folder, and would not be looked into", hint)
    try:
        within = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError) as error:
        raise InputError(f"{path}: is a link that leads back to itself", hint) from error
    if not within:
        raise InputError(f"{path}: is a link out of the site's templates", hint)


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
                f"Keep one: {SUFFIX} files are rendered, every other file is copied as it is.",
            )
        made[artifact(name)] = name
