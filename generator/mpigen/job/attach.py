"""Follow a job's container from its start to its end, whatever happens to this side.

`docker start --attach` copies the streams and nothing else. It leaves, with status 0, when it gets
a signal, and the job runs on (measured: docker 20.10 to 28.2). So signals are caught here and go
to the container by the engine's API, and the exit code is what the engine says.
"""

import contextlib
import signal
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from docker.errors import APIError, DockerException, NotFound

from mpigen.errors import ClusterError
from mpigen.job.streams import Streams
from mpigen.swarm.engine import Engine

PATIENCE = 10.0
"""Seconds that a job has to end before it is ended by force."""
TIMED_OUT = 124
"""The exit code of a job that took too long, as of timeout(1)."""
# a detach sequence that nobody types: docker's own begins with Ctrl-P, a shell's history
_DETACH_KEYS = "ctrl-^,ctrl-@,ctrl-^"


@dataclass(frozen=True)
class _Ended:
    """The container is gone: its exit code, or why that is not known."""

    code: int | None
    error: Exception | None = None


@dataclass(frozen=True)
class _Left:
    """`docker start` has ended."""

    code: int


Events = SimpleQueue[signal.Signals | _Ended | _Left]


@contextlib.contextmanager
def caught() -> Iterator[Events]:
    """Catch the signals that are to end a job; those that are ignored (nohup) stay so.

    Once one has come, later ones are ignored after the block: the job is over, and this process
    is to end with its code rather than by a second Ctrl-C.
    """
    events: Events = SimpleQueue()
    before = {}
    came = False

    def note(number: int, _frame: object) -> None:
        nonlocal came
        came = True
        # may be called while the same thread is in get or put
        events.put(signal.Signals(number))

    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            if signal.getsignal(number) is signal.SIG_IGN:
                continue
            before[number] = signal.signal(number, note)
        yield events
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if came else handler)


def follow(
    engine: Engine,
    container: str,
    events: Events,
    streams: Streams,
    timeout: float | None = None,
    first: str = "SIGTERM",
) -> int:
    """Start a container that was made with --rm, and return its exit code when it is gone.

    A signal among `events`, or `timeout` seconds, end it: by the signal `first`, a second one by
    SIGTERM, and a third or PATIENCE by force. The code is then 128 + the signal,
    or TIMED_OUT, unless the job had ended by itself before.
    Raises ClusterError if it does not start, or the engine is lost.
    """
    settings = termios.tcgetattr(0) if streams.terminal else None
    _in_thread(events, lambda: _wait(engine, container))
    child = subprocess.Popen(
        engine.command("start", "--attach", "--interactive", *_keys(streams), container),
        stdin=streams.stdin,
        stdout=streams.stdout,
        # a signal from the terminal is for us alone; but docker follows a terminal's size, and
        # there Ctrl-C is a byte, which it hands on
        start_new_session=not streams.terminal,
    )
    _in_thread(events, lambda: _Left(child.wait()))
    try:
        return _until_gone(engine, container, child, events, timeout, first)
    finally:
        child.kill()
        if settings:
            with contextlib.suppress(termios.error, OSError):
                termios.tcsetattr(0, termios.TCSADRAIN, settings)


def _keys(streams: Streams) -> list[str]:
    return ["--detach-keys", _DETACH_KEYS] if streams.terminal else []


def _in_thread(events: Events, ends: Callable[[], _Ended | _Left]) -> None:
    threading.Thread(target=lambda: events.put(ends()), daemon=True).start()


def _wait(engine: Engine, container: str) -> _Ended:
    try:
        code = engine.client.api.wait(container, condition="removed")["StatusCode"]
        return _Ended(int(code))
    except NotFound:
        return _Ended(None)  # it was gone before this was asked
    except (DockerException, OSError) as error:
        return _Ended(None, error)


def _until_gone(
    engine: Engine,
    container: str,
    child: "subprocess.Popen[bytes]",
    events: Events,
    timeout: float | None,
    first: str,
) -> int:
    ways = ("", first, "SIGTERM", "SIGKILL")
    step = 0  # how it was last told to end
    began = time.monotonic()
    ended: _Ended | None = None
    left: int | None = None
    told: int | None = None  # the exit code of a job that is told to end
    forced = False  # it was removed, perhaps before it ran: its own code says nothing then
    next_at = time.monotonic() + timeout if timeout else None
    while ended is None or left is None:
        try:
            event = events.get(timeout=next_at and max(0.0, next_at - time.monotonic()))
        except Empty:
            event = None
        if isinstance(event, _Ended):
            ended = event
            # a reader that is slow may take its time; one of a job that was told to end, not
            next_at = time.monotonic() + PATIENCE if told else None
            continue
        if isinstance(event, _Left):
            left = event.code
            # it goes when the job does, or with what it writes to: that ends the job as well
            if ended is None and told is None:
                next_at = time.monotonic() + 2
            continue
        if ended is not None:
            child.kill()
            next_at = None
            if event is not None:
                return 128 + event
            continue
        if told is None:
            told = _told_by(event, left)
        # a container that is still being started may miss a signal, and has no ranks yet
        young = time.monotonic() - began < 1
        step = 3 if young else _next_step(step, hurry=event is not None)
        if step == len(ways):
            raise _left_behind(engine, container)
        forced |= _tell(engine, container, ways[step])
        next_at = time.monotonic() + PATIENCE
    return _code(engine, ended, left, told, forced)


def _next_step(step: int, hurry: bool) -> int:
    """Which of the ways to end a job comes next; one more than there are, if none does."""
    # Two signals within 5 s mean to Open MPI: at once. Later ones it takes as the first once more,
    # and its end may hang, as it does where it is still starting its daemons: so no second one
    # without hurry.
    if hurry:
        return min(step + 1, 3)
    return 1 if step == 0 else 3 if step < 3 else 4


def _told_by(event: signal.Signals | None, left: int | None) -> int:
    if event is not None:
        return 128 + event
    if left is None:
        return TIMED_OUT
    return 128 + abs(left) if left < 0 else 128 + signal.SIGPIPE


def _code(engine: Engine, ended: _Ended, left: int, told: int | None, forced: bool) -> int:
    if ended.error:
        raise ClusterError(
            f"the engine at {engine.where.url} was lost: {ended.error}",
            "The job may run on there; see mpigen jobs, and end it with mpigen cancel JOB.",
        )
    if told is not None and forced:
        return told
    code = left if ended.code is None else ended.code
    if code == 128 and left == 1:
        # the engine's code for what it could not start; docker has said why
        raise ClusterError("the job did not start", "See what Docker says above; mpigen doctor.")
    return told if told is not None and code >= 128 else code


def _tell(engine: Engine, container: str, way: str) -> bool:
    """Whether this has removed the container."""
    with contextlib.suppress(DockerException, OSError):
        if way != "SIGKILL":
            try:
                engine.client.api.kill(container, way)
                return False
            except NotFound:
                return False
            except APIError:
                pass  # it does not run yet, and must not begin
        engine.client.api.remove_container(container, force=True)
        return True
    return False


def _left_behind(engine: Engine, container: str) -> ClusterError:
    return ClusterError(
        f"the job's container {container[:12]} does not end on the engine at {engine.where.url}",
        f"Remove it there: docker rm --force {container[:12]}",
    )
