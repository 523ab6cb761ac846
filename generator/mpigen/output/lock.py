"""One render of a folder at a time, and no check while it is written.

The lock is the kernel's (flock) on the folder that holds output/: there is no lock file to
commit or to forget, and a render that is killed lets go of it.
"""

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mpigen.output.compare import real
from mpigen.output.tree import make_folder

# seconds: another render is over before anybody would wonder
_QUIET = 1.0
_POLL = 0.02
_TRIES = 50


@contextmanager
def alone(output: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of folder `output`; wait for whoever holds it, and `say` so after a second.

    The folder above it is made if it is missing, and removed again if nothing is written to it.
    Where a folder cannot be locked (NFS locks only what is open for writing: flock(2)), `say` that
    too, and go on.
    """
    above = real(output).parent
    made: list[Path] = []
    descriptor = None
    try:
        try:
            descriptor = _lock(above, made, say)
        except OSError as error:
            # where it cannot even be made there is no other render; writing will say why
            if above.is_dir():
                why = f"{above} cannot be locked ({error.strerror})"
                say(f"warning: {why}: see to it that one render runs at a time")
        yield
    finally:
        for folder in reversed(made):
            with contextlib.suppress(OSError):  # which is: it is not empty
                folder.rmdir()
        if descriptor is not None:
            os.close(descriptor)


@contextmanager
def unchanged(output: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Keep renders of folder `output` away while it is read; others may read it too.

    Nothing is made or written. Where the folder above is missing or cannot be locked there is
    nothing to keep away, or no way to: then go on.
    """
    above = real(output).parent
    try:
        descriptor = os.open(above, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        descriptor = None
    try:
        if descriptor is not None:
            with contextlib.suppress(OSError):
                _wait(descriptor, above, say, shared=True)
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _lock(above: Path, made: list[Path], say: Callable[[str], None]) -> int:
    """The open file that holds the lock. Raises OSError where it cannot be had.

    Other renders may make and remove the same folder meanwhile: then it is begun again.
    """
    for tries_left in reversed(range(_TRIES)):
        try:
            make_folder(above, made)
            descriptor = os.open(above, os.O_RDONLY | os.O_DIRECTORY)
        except (FileNotFoundError, FileExistsError):
            if not tries_left:
                raise
            time.sleep(_POLL)
            continue
        try:
            _wait(descriptor, above, say)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(above.stat(), os.fstat(descriptor)):
                    return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), above)


def _wait(descriptor: int, above: Path, say: Callable[[str], None], shared: bool = False) -> None:
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
    say(f"waiting for another render in {above}")
    fcntl.flock(descriptor, how)
