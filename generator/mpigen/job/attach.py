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
from collections.abc import Callable
from queue import Empty

from docker.errors import APIError, DockerException, NotFound

from mpigen.errors import ClusterError, MpigenError
from mpigen.job.ending import PATIENCE, Ending, next_step, stop_code
from mpigen.job.events import PASSED_ON, Ended, Event, Events, Failed, Left
from mpigen.job.streams import Streams
from mpigen.swarm.engine import Engine

# nobody types this detach sequence; docker's default begins with Ctrl-P, a shell's history key
_DETACH_KEYS = "ctrl-^,ctrl-@,ctrl-^"


_POLL = 0.1
"""Seconds until a container that does not run yet is looked at again."""


def follow(
    engine: Engine,
    container: str,
    events: Events,
    streams: Streams,
    ending: Ending,
    give: Callable[[], None] | None = None,
) -> int:
    """Start a container that was created with --rm, and return its exit code when it is gone.

    `give` is called once it runs. A signal among `events` ends it by the steps of ESCALATION, and
    so does the timeout; the code is then 128 + the signal, or TIMED_OUT, unless the job had ended
    by itself before. Signals of PASSED_ON reach it as they are.
    Raises ClusterError if it does not start, or the engine is lost, and what `give` raises.
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
    _in_thread(events, lambda: Left(child.wait()))
    if give:
        _in_thread(events, lambda: _give(engine, container, give))
    try:
        return _Following(engine, container, child, events, ending).until_gone()
    finally:
        child.kill()
        if settings:
            with contextlib.suppress(termios.error, OSError):
                termios.tcsetattr(0, termios.TCSADRAIN, settings)


def _keys(streams: Streams) -> list[str]:
    return ["--detach-keys", _DETACH_KEYS] if streams.terminal else []


def _in_thread(events: Events, ends: Callable[[], Event | None]) -> None:
    def run() -> None:
        if (event := ends()) is not None:
            events.put(event)

    threading.Thread(target=run, daemon=True).start()


def _wait(engine: Engine, container: str) -> Ended:
    try:
        code = engine.client.api.wait(container, condition="removed")["StatusCode"]
        return Ended(int(code))
    except NotFound:
        return Ended(None)  # it was gone before the request
    except (DockerException, OSError) as error:
        return Ended(None, error)


def _give(engine: Engine, container: str, give: Callable[[], None]) -> Failed | None:
    """Call `give` once the container runs; what keeps it from that, unless it is gone."""
    try:
        while not (state := engine.client.api.inspect_container(container)["State"])["Running"]:
            if state["Status"] != "created":
                return None
            time.sleep(_POLL / 4)
        give()
    except NotFound:
        return None
    except (MpigenError, DockerException, OSError) as error:
        return Failed(error)
    return None


class _Following:
    """A container that runs, or is about to, and the process that copies its streams."""

    def __init__(
        self,
        engine: Engine,
        container: str,
        child: "subprocess.Popen[bytes]",
        events: Events,
        ending: Ending,
    ) -> None:
        self._engine, self._container, self._child = engine, container, child
        self._events, self._ending = events, ending
        self._began = time.monotonic()
        self._step: str | None = None  # the last step of ESCALATION that was taken
        self._stopped: int | None = None  # the exit code of a job that is being ended
        self._forced = False  # it was removed, perhaps before it ran: its own code means nothing
        self._failure: Exception | None = None
        self._early: list[signal.Signals] = []  # for ranks, of a container that does not run yet
        self._next_at = self._began + ending.timeout if ending.timeout else None

    def until_gone(self) -> int:
        """Handle events until the container and its process are gone; return the exit code."""
        ended: Ended | None = None
        left: int | None = None
        while ended is None or left is None:
            event = self._event()
            if isinstance(event, Ended):
                ended = event
                # a slow reader may take its time, unless the job was told to end
                self._next_at = time.monotonic() + PATIENCE if self._stopped else None
            elif isinstance(event, Left):
                left = event.code
                # docker exits when the job ends, or when its output is closed, which ends it too
                if ended is None and self._stopped is None:
                    self._next_at = time.monotonic() + 2
            elif isinstance(event, Failed):
                self._failure, self._step = event.error, "SIGKILL"
                self._send(self._step)
            elif event in PASSED_ON:
                self._early += [event] if ended is None else []
            elif ended is not None:
                self._child.kill()
                self._next_at = None
                if event is not None:
                    return 128 + event
            elif event is not None or self._is_late():
                self._stop(event, left)
            if self._early and ended is None:
                self._early = [each for each in self._early if not self._pass_on(each)]
        if self._failure:
            raise self._failure
        return _code(self._engine, ended, left, self._stopped, self._forced)

    def _event(self) -> Event | None:
        """The next event; None when it is time for the next step, or to look again."""
        times = [self._next_at] if self._next_at else []
        times += [time.monotonic() + _POLL] if self._early else []
        try:
            wait = max(0.0, min(times) - time.monotonic()) if times else None
            return self._events.get(timeout=wait)
        except Empty:
            return None

    def _is_late(self) -> bool:
        return self._next_at is not None and time.monotonic() >= self._next_at

    def _stop(self, event: signal.Signals | None, left: int | None) -> None:
        """Take the next step of ESCALATION. Raises ClusterError after the last one."""
        if self._stopped is None:
            self._stopped = stop_code(event, left)
        # a container that is still starting may miss a signal, and has hardly any ranks yet; but a
        # job that asks for a grace has it from its first moment on
        young = time.monotonic() - self._began < 1 and self._ending.patience <= PATIENCE
        self._step = "SIGKILL" if young else next_step(self._step, hurry=event is not None)
        if self._step is None:
            raise _left_behind(self._engine, self._container)
        self._send(self._ending.first if self._step == "first" else self._step)

    def _send(self, name: str) -> None:
        self._forced |= _send(self._engine, self._container, name)
        patience = PATIENCE if name == "SIGKILL" else self._ending.patience
        self._next_at = time.monotonic() + patience

    def _pass_on(self, number: signal.Signals) -> bool:
        """Send a signal for the ranks; False if the container does not run yet."""
        try:
            self._engine.client.api.kill(self._container, number.name)
        except NotFound:
            return True
        except APIError as error:
            return not error.is_client_error()  # 409: it is not running
        except (DockerException, OSError):
            return True  # the engine is lost: waiting for the container reports that
        return True


def _code(engine: Engine, ended: Ended, left: int, stopped: int | None, forced: bool) -> int:
    if ended.error:
        raise ClusterError(
            f"the engine at {engine.where.url} was lost: {ended.error}",
            "The job may still be running there; see mpigen jobs, and end it with mpigen cancel "
            "JOB.",
        )
    if stopped is not None and forced:
        return stopped
    code = left if ended.code is None else ended.code
    if code == 128 and left == 1:
        # the engine's code for a container that it could not start; docker has printed the reason
        raise ClusterError(
            "the job did not start", "See Docker's message above, then run mpigen doctor."
        )
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
