"""A lab's folder on this machine: its sockets, and the record that it is up."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mpigen.errors import ClusterError
from mpigen.lab import machine

RECORD = "lab.json"
"""The file in the folder that is written last: its presence means that the lab is up."""


def folder(name: str) -> Path:
    """The lab's folder, which need not exist."""
    return machine.state_root() / name


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Lock the lab's folder, so that no other mpigen works on the same lab."""
    locked = folder(name)
    locked.mkdir(parents=True, exist_ok=True)
    handle = os.open(locked, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise ClusterError(
            f"another mpigen is working on the lab {name}", "Wait until it ends."
        ) from None
    try:
        yield
    finally:
        with suppress(OSError):  # they stay unless they are empty
            locked.rmdir()
            locked.parent.rmdir()
        os.close(handle)
