"""The files in a folder of templates, of two kinds: `*.j2` is rendered, every other one is copied.

A file's name is its path in the folder, as `a/b.j2` or `a/b`; both make the artifact `a/b`.
"""

import stat
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from mpigen.errors import InputError

SUFFIX = ".j2"

# bytes of a file
_LARGEST = 10_000_000
# what editors, file managers, Python and git leave between files
_LEAVINGS = ("*~", "*.swp", "*.swo", ".#*", "#*#", ".DS_Store", "__pycache__", ".git")


def is_template(name: str) -> bool:
    """Whether the file is rendered. Every other file is copied as it is."""
    return name.endswith(SUFFIX)


def artifact(name: str) -> str:
    """The path below output/ of what the file makes."""
    return name.removesuffix(SUFFIX)


def read(folder: Path) -> dict[str, str]:
    """The text of each file in `folder` by its name, in the order of the names.

    Raises InputError for what is no text or no regular file, for links that lead out of the
    folder, and where two files make the same artifact.
    """
    texts: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if any(fnmatchcase(part, leaving) for part in inside.parts for leaving in _LEAVINGS):
            continue
        if path.is_symlink():
            _refuse_link(path, folder)
        if not path.is_dir():
            _refuse_name(path, inside.as_posix())
            texts[inside.as_posix()] = _text(path)
    _refuse_twice(texts, folder)
    return texts


def _text(path: Path) -> str:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{path}: is no regular file", "Put a text file in its place.")
        if status.st_size > _LARGEST:
            raise InputError(f"{path}: has more than {_LARGEST:,} bytes: is it meant as a source?")
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: cannot be read as UTF-8 text: {error}",
            "Artifacts are text: put other files into image.packages or app/.",
        ) from error
    # Jinja counts lines by \n; a copy keeps each byte
    return text.replace("\r\n", "\n").replace("\r", "\n") if is_template(path.name) else text


def _refuse_link(path: Path, folder: Path) -> None:
    """Raise InputError if the link `path` is one that must not be read through."""
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
    """Raise InputError if the manifest or a terminal could not show the file's name."""
    if not name.isprintable():
        raise InputError(f"{str(path)!a}: has a name with characters that cannot be printed")


def _refuse_twice(names: Iterable[str], folder: Path) -> None:
    """Raise InputError if two files make the same artifact."""
    made: dict[str, str] = {}
    for name in names:
        if other := made.get(artifact(name)):
            raise InputError(
                f"{folder / other} and {folder / name} both make the artifact {artifact(name)}",
                f"Keep one: {SUFFIX} files are rendered, every other file is copied as it is.",
            )
        made[artifact(name)] = name
