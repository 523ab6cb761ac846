"""Follow a job's container from its start to its end, whatever happens to this process.

`docker start --attach` only copies the streams. On a signal it exits with status 0, and the job
runs on (measured: docker 20.10 to 28.2). So signals are caught here and sent to the container
through the engine's API, and the exit code comes from the engine.
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
"""Seconds that a job has to end before it is killed."""
TIMED_OUT = 124
"""The exit code of a job that exceeded its timeout, as of timeout(1)."""
ESCALATION = ("first", "SIGTERM", "SIGKILL")
"""The steps that end a job. `first` is SIGTERM too, or for a shell, which ignores that, SIGHUP.

Open MPI takes two signals within 5 s as: end at once. That is the second step, taken only when the
user sends another signal, such as a second Ctrl-C. When the job just does not end, no second polite
signal is sent: after 5 s Open MPI takes it for a first one again, and may hang, as it does while it
still starts its daemons. So SIGKILL follows.
"""
# nobody types this detach sequence; docker's default begins with Ctrl-P, a shell's history key
_DETACH_KEYS = "ctrl-^,ctrl-@,ctrl-^"


@dataclass(frozen=True)
class _Ended:
    """The container is gone: its exit code, or the error that hides it."""

    code: int | None
    error: Exception | None = None


@dataclass(frozen=True)
class _Left:
    """`docker start` has ended."""

    code: int


Events = SimpleQueue[signal.Signals | _Ended | _Left]


@contextlib.contextmanager
def caught() -> Iterator[Events]:
    """Turn the signals that end a job into events; ignored signals (nohup) stay ignored.

    After one has arrived, they are all ignored when the block ends: the job is over, and this
    process should exit with the job's code, not by a second Ctrl-C.
    """
    events: Events = SimpleQueue()
    before = {}
    arrived = False

    def note(number: int, _frame: object) -> None:
        nonlocal arrived
        arrived = True
        # a SimpleQueue allows this while the same thread is in get or put
        events.put(signal.Signals(number))

    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            if signal.getsignal(number) is signal.SIG_IGN:
                continue
            before[number] = signal.signal(number, note)
        yield events
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if arrived else handler)


def follow(
    engine: Engine,
    container: str,
    events: Events,
    streams: Streams,
    timeout: float | None = None,
    first: str = "SIGTERM",
) -> int:
    """Start a container that was created with --rm, and return its exit code when it is gone.

    A signal among `events`, or `timeout` seconds, ends it by the steps of ESCALATION, with the
    signal `first`. The code is then 128 + the signal, or TIMED_OUT, unless the job had ended by
    itself before. Raises ClusterError if it does not start, or the engine is lost.
    """
    settings = termios.tcgetattr(0) if streams.terminal else None
    _in_thread(events, lambda: _wait(engine, container))
    child = subprocess.Popen(
        engine.command("start", "--attach", "--interactive", *_keys(streams), container),
        stdin=streams.stdin,
        stdout=streams.stdout,
        # only this process may get the terminal's signals; but with a terminal docker must follow
        # its size, and Ctrl-C is a byte, which docker passes on
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
        return _Ended(None)  # it was gone before the request
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
    step: str | None = None  # the last step of ESCALATION that was taken
    began = time.monotonic()
    ended: _Ended | None = None
    left: int | None = None
    stopped: int | None = None  # the exit code of a job that is being ended
    forced = False  # it was removed, perhaps before it ran: its own code means nothing then
    next_at = time.monotonic() + timeout if timeout else None
    while ended is None or left is None:
        try:
            event = events.get(timeout=next_at and max(0.0, next_at - time.monotonic()))
        except Empty:
            event = None
        if isinstance(event, _Ended):
            ended = event
            # a slow reader may take its time, unless the job was told to end
            next_at = time.monotonic() + PATIENCE if stopped else None
            continue
        if isinstance(event, _Left):
            left = event.code
            # docker exits when the job ends, or when its output is closed, which ends the job too
            if ended is None and stopped is None:
                next_at = time.monotonic() + 2
            continue
        if ended is not None:
            child.kill()
            next_at = None
            if event is not None:
                return 128 + event
            continue
        if stopped is None:
            stopped = _stop_code(event, left)
        # a container that is still starting may miss a signal, and has no ranks yet
        young = time.monotonic() - began < 1
        step = "SIGKILL" if young else _next_step(step, hurry=event is not None)
        if step is None:
            raise _left_behind(engine, container)
        forced |= _send(engine, container, first if step == "first" else step)
        next_at = time.monotonic() + PATIENCE
    return _code(engine, ended, left, stopped, forced)


def _next_step(step: str | None, hurry: bool) -> str | None:
    """The step of ESCALATION after `step` (None: the first); None if SIGKILL did not help.

    `hurry`: the user has sent another signal.
    """
    if step is None:
        return ESCALATION[0]
    if hurry:
        return ESCALATION[min(ESCALATION.index(step) + 1, len(ESCALATION) - 1)]
    return None if step == ESCALATION[-1] else ESCALATION[-1]


def _stop_code(event: signal.Signals | None, left: int | None) -> int:
    """The exit code of a job ended by a signal, by its timeout, or by the end of `docker start`."""
    if event is not None:
        return 128 + event
    if left is None:
        return TIMED_OUT
    return 128 + abs(left) if left < 0 else 128 + signal.SIGPIPE


def _code(engine: Engine, ended: _Ended, left: int, stopped: int | None, forced: bool) -> int:
    if ended.error:
        raise ClusterError(
            f"the engine at {engine.where.url} was lost: {ended.error}",
            "The job may run on there; see mpigen jobs, and end it with mpigen cancel JOB.",
        )
    if stopped is not None and forced:
        return stopped
    code = left if ended.code is None else ended.code
    if code == 128 and left == 1:
        # the engine's code for a container that it could not start; docker has printed the reason
        raise ClusterError("the job did not start", "See what Docker says above; mpigen doctor.")
    return stopped if stopped is not None and code >= 128 else code


def _send(engine: Engine, container: str, name: str) -> bool:
    """Send a signal to the container, or remove it for SIGKILL; return whether it was removed."""
    with contextlib.suppress(DockerException, OSError):
        if name != "SIGKILL":
            try:
                engine.client.api.kill(container, name)
                return False
            except NotFound:
                return False
            except APIError:
                pass  # it does not run yet, and must not start
        engine.client.api.remove_container(container, force=True)
        return True
    return False


def _left_behind(engine: Engine, container: str) -> ClusterError:
    return ClusterError(
        f"the job's container {container[:12]} does not end on the engine at {engine.where.url}",
        f"Remove it there: docker rm --force {container[:12]}",
    )
