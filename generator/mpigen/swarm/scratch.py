"""Temporary folders that are removed in any case: by the next one, if this process is killed."""

import atexit
import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_PREFIX, _LOCK = "mpigen-", "lock"
_held: dict[Path, object] = {}


def make(purpose: str, below: str | None = None) -> Path:
    """A new folder in `below`, or in TMPDIR, that no other user can read; it goes at exit.

    First removes the folders of processes that were killed: nobody holds their locks any more. In
    `below`, which may be a user's own folder, only those of this purpose.
    """
    _sweep(Path(below or tempfile.gettempdir()), f"{_PREFIX}{f'{purpose}-' if below else ''}*")
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{purpose}-", dir=below))
    atexit.register(_remove, folder)
    # whoever sees the lock by its name sees it held
    lock = (folder / "new").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    (folder / "new").rename(folder / _LOCK)
    _held[folder] = lock
    return folder


@contextlib.contextmanager
def folder(purpose: str, below: str | None = None) -> Iterator[Path]:
    """A folder of `make` that is gone at the end of the block."""
    made = make(purpose, below)
    try:
        yield made
    finally:
        _remove(made)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    _held.pop(folder, None)


def _sweep(below: Path, names: str) -> None:
    for lock in below.glob(f"{names}/{_LOCK}"):
        with contextlib.suppress(OSError):
            if lock.parent.lstat().st_uid == os.getuid():
                with lock.open() as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(lock.parent)
