"""Locks of an output folder: one render at a time, and no check while it is written.

The lock is the kernel's (flock) on the folder that holds output/: no lock file can be committed
or left behind, and a render that is killed releases it.
"""

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mpigen.output.compare import resolve_folder
from mpigen.output.tree import make_folder

# seconds to wait without a message: most renders are over by then
_QUIET = 1.0
_POLL = 0.02
_TRIES = 50


@contextmanager
def write_lock(output: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the exclusive lock of folder `output`; a wait of over a second is announced with `say`.

    The parent folder is created if it is missing, and removed again if nothing is written to it.
    If it cannot be locked (NFS locks only what is open for writing: flock(2)), `say` a warning and
    go on.
    """
    parent = resolve_folder(output).parent
    made: list[Path] = []
    descriptor = None
    try:
        try:
            descriptor = _lock(parent, made, say)
        except OSError as error:
            # a folder that cannot be created has no other render; writing will report the reason
            if parent.is_dir():
                why = f"{parent} cannot be locked ({error.strerror})"
                say(f"warning: {why}: make sure that only one render runs at a time")
        yield
    finally:
        for folder in reversed(made):
            with contextlib.suppress(OSError):  # it is not empty
                folder.rmdir()
        if descriptor is not None:
            os.close(descriptor)


@contextmanager
def read_lock(output: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Hold a shared lock of folder `output`: no render can write it, others can read it.

    Creates and writes nothing. If the parent folder is missing or cannot be locked, go on without
    a lock.
    """
    parent = resolve_folder(output).parent
    try:
        descriptor = os.open(parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        descriptor = None
    try:
        if descriptor is not None:
            with contextlib.suppress(OSError):
                _wait(descriptor, parent, say, shared=True)
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _lock(parent: Path, made: list[Path], say: Callable[[str], None]) -> int:
    """Return the file descriptor that holds the lock. Raises OSError if it cannot be obtained.

    Other renders may create and remove the same folder meanwhile; then it tries again.
    """
    for tries_left in reversed(range(_TRIES)):
        try:
            make_folder(parent, made)
            descriptor = os.open(parent, os.O_RDONLY | os.O_DIRECTORY)
        except (FileNotFoundError, FileExistsError):
            if not tries_left:
                raise
            time.sleep(_POLL)
            continue
        try:
            _wait(descriptor, parent, say)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(parent.stat(), os.fstat(descriptor)):
                    return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), parent)


def _wait(descriptor: int, parent: Path, say: Callable[[str], None], shared: bool = False) -> None:
    import fcntl

    how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    until = time.monotonic() + _QUIET
    while time.monotonic() < until:
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_POLL)
        else:
            return
    say(f"waiting for another render in {parent}")
    fcntl.flock(descriptor, how)
