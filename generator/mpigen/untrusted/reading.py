"""Reading regular files, never more than a bound, and only where they may lie."""

import os
import stat
from pathlib import Path

from mpigen.errors import InputError
from mpigen.untrusted.places import refuse_leading_out

MEBIBYTE = 1024**2


def read_bytes(path: Path, most: int, root: Path | None = None) -> bytes:
    """Return the content of the file `path`, of at most `most` bytes.

    Symlinks are followed, but not out of the folder `root`, if given. Raises FileNotFoundError or
    NotADirectoryError if there is no file, and InputError if it is a folder, a pipe or a device,
    leads out of `root`, is larger, or cannot be read.
    """
    try:
        if root is not None:
            refuse_leading_out(path, root)
        # before it is opened: opening a device can have effects, and a pipe would wait
        _refuse_irregular(path, path.stat().st_mode)
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
        with os.fdopen(os.open(path, flags), "rb") as file:
            _refuse_irregular(path, os.fstat(file.fileno()).st_mode)
            data = file.read(most + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise
    except (OSError, ValueError) as error:  # ValueError: NUL in the path
        reason = getattr(error, "strerror", None) or error
        if path.is_symlink() and not path.exists():
            raise InputError(f"{path}: is a broken symlink: {reason}") from error
        raise InputError(f"{path}: cannot be read: {reason}") from error
    if len(data) > most:
        raise InputError(f"{path}: has more than {most:,} bytes", "It was not read any further.")
    return data


def _refuse_irregular(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise InputError(f"{path}: is not a regular file", "Replace it with a regular file.")
