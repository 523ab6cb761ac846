"""A key that is held down: a signal that comes again until the command has ended."""

import signal
import subprocess
import time
from collections.abc import Callable
from typing import AnyStr

_EVERY = 0.01
_LIMIT = 60.0


def until(begun: Callable[[], object]) -> None:
    """Wait until a command has begun what is to be interrupted, a minute at most."""
    deadline = time.monotonic() + _LIMIT
    while not begun():
        assert time.monotonic() < deadline, "it has not begun"
        time.sleep(0.1)


def until_it_ends(command: "subprocess.Popen[AnyStr]", number: signal.Signals) -> int:
    """Send a signal a hundred times a second; the exit code, a minute later at most."""
    deadline = time.monotonic() + _LIMIT
    while command.poll() is None:
        assert time.monotonic() < deadline, f"{number.name} does not end it"
        command.send_signal(number)
        time.sleep(_EVERY)
    return command.returncode
