"""A key that is held down: a signal that comes again until the command has ended."""

import signal
import subprocess
import time
from typing import AnyStr

_EVERY = 0.01
_LIMIT = 60.0


def until_it_ends(command: "subprocess.Popen[AnyStr]", number: signal.Signals) -> int:
    """Send a signal a hundred times a second; the exit code, a minute later at most."""
    deadline = time.monotonic() + _LIMIT
    while command.poll() is None:
        assert time.monotonic() < deadline, f"{number.name} does not end it"
        command.send_signal(number)
        time.sleep(_EVERY)
    return command.returncode
