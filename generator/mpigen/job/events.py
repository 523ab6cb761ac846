"""What happens while a job is followed: signals, and the ends of its container and of docker."""

import contextlib
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from queue import SimpleQueue

PASSED_ON = (signal.SIGUSR1, signal.SIGUSR2)
"""Signals for the ranks; all others end the job."""
_CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, *PASSED_ON)


@dataclass(frozen=True)
class Ended:
    """The container is gone: its exit code, or the error that hides it."""

    code: int | None
    error: Exception | None = None


@dataclass(frozen=True)
class Left:
    """`docker start` has ended."""

    code: int


@dataclass(frozen=True)
class Failed:
    """The container runs, and could not be given what it waits for."""

    error: Exception


Event = signal.Signals | Ended | Left | Failed
Events = SimpleQueue[Event]


@contextlib.contextmanager
def caught() -> Iterator[Events]:
    """Turn the signals that end a job, or are for its ranks, into events.

    Ignored signals (nohup) stay ignored. After one has arrived, all of its kind are ignored when
    the block ends: the job is over, and this process should exit with the job's code, not by a
    second Ctrl-C.
    """
    events: Events = SimpleQueue()
    before = {}
    arrived: set[bool] = set()  # whether they were for the ranks

    def note(number: int, _frame: object) -> None:
        arrived.add(number in PASSED_ON)
        # a SimpleQueue allows this while the same thread is in get or put
        events.put(signal.Signals(number))

    try:
        for number in _CAUGHT:
            if signal.getsignal(number) is signal.SIG_IGN:
                continue
            before[number] = signal.signal(number, note)
        yield events
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if (number in PASSED_ON) in arrived else handler)
