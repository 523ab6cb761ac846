"""What a site's template may use of the machine: it is not mpigen's code, and must end.

The sandbox bounds `range` and nothing else: loops in loops, macros that call themselves twice and
`"x" * 10**12` are all within its rules.
"""

import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from jinja2.exceptions import SecurityError

# of one template: the largest site's take less than a hundredth of either
SECONDS = 5
MEBIBYTES = 512

_STATM = Path("/proc/self/statm")


@contextmanager
def limited() -> Iterator[None]:
    """Run the body with processor time and memory bounded.

    Raises SecurityError after `SECONDS` of processor time (in the main thread alone: only there
    can a signal be caught), and MemoryError beyond `MEBIBYTES` (where the kernel is Linux).
    """
    with _memory(), _time():
        yield


@contextmanager
def _time() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise SecurityError(f"ran for {SECONDS} seconds: does a loop or a macro not end?")

    before = signal.signal(signal.SIGVTALRM, stop)
    # again each second: an `except` on the way may have swallowed the first
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@contextmanager
def _memory() -> Iterator[None]:
    if not _STATM.exists():
        yield
        return
    before, hard = resource.getrlimit(resource.RLIMIT_AS)
    # proc(5): the first number is the size of the address space, in pages
    used = int(_STATM.read_text().split()[0]) * resource.getpagesize()
    wanted = used + MEBIBYTES * 1024**2
    least = min(limit for limit in (wanted, before, hard) if limit != resource.RLIM_INFINITY)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (least, hard))
    try:
        yield
    finally:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_AS, (before, hard))
