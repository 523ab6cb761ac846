"""The standard streams of a job on this machine."""

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import IO


@dataclass(frozen=True)
class Streams:
    """A job's standard streams. With `terminal`, all three are this process's own."""

    stdin: int | IO[bytes] | None
    stdout: int | IO[bytes] | None = None
    terminal: bool = False


def own() -> Streams:
    """This process's standard streams; `terminal` if input and output are one."""
    if sys.stdin is None or not _open(0):
        return Streams(subprocess.DEVNULL)
    terminal = os.isatty(0) and _open(1) and os.isatty(1)
    # a job in the shell's background must not read input that is typed for the foreground
    if os.isatty(0) and os.tcgetpgrp(0) != os.getpgrp():
        return Streams(subprocess.DEVNULL)
    return Streams(None, None, terminal)


def _open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
