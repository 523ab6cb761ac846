"""How a job is ended: in which steps, how long each may take, and the exit code."""

import signal
from dataclasses import dataclass

PATIENCE = 10.0
"""Seconds that a job has to end before it is killed, besides the grace that it asks for."""
TIMED_OUT = 124
"""The exit code of a job that exceeded its timeout, as of timeout(1)."""
INTERRUPTED = frozenset(
    128 + each
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE)
)
"""The exit codes of a job that mpigen has ended. MPI itself ends with others above 128."""
ESCALATION = ("first", "SIGTERM", "SIGKILL")
"""The steps that end a job. `first` is SIGTERM too, or for a shell, which ignores that, SIGHUP.

Open MPI takes two signals within 5 s as: end at once. That is the second step, taken only when the
user sends another signal, such as a second Ctrl-C. When the job just does not end, no second polite
signal is sent: after 5 s Open MPI takes it for a first one again, and may hang, as it does while it
still starts its daemons. So SIGKILL follows.
"""


@dataclass(frozen=True)
class Ending:
    """How a job is ended: after `timeout` seconds, or by a signal, the first of which is `first`.

    `patience` is the time in seconds that it has after that.
    """

    timeout: float | None = None
    first: str = "SIGTERM"
    patience: float = PATIENCE


def next_step(step: str | None, hurry: bool) -> str | None:
    """The step of ESCALATION after `step` (None: the first); None if SIGKILL did not help.

    `hurry`: the user has sent another signal.
    """
    if step is None:
        return ESCALATION[0]
    if hurry:
        return ESCALATION[min(ESCALATION.index(step) + 1, len(ESCALATION) - 1)]
    return None if step == ESCALATION[-1] else ESCALATION[-1]


def stop_code(event: signal.Signals | None, left: int | None) -> int:
    """The exit code of a job ended by a signal, by its timeout, or by the end of `docker start`."""
    if event is not None:
        return 128 + event
    if left is None:
        return TIMED_OUT
    return 128 + abs(left) if left < 0 else 128 + signal.SIGPIPE
