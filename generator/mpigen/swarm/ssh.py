"""An engine behind ssh: one login for all that this process and its children ask of it.

docker's own helper logs in for each connection: a status, a deploy and a job took 122 logins. Here
one login stays open until mpigen ends, and a unix socket of ours leads to it. Each connection to
that socket is a session of the login, which runs `docker system dial-stdio` on the server, as
docker's helper does; another login is made once there are more connections than one can have. It
is the user's own ssh: its configuration, known hosts and agent count.
"""

import atexit
import contextlib
import select
import shlex
import socket
import subprocess
import threading
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mpigen.errors import ClusterError
from mpigen.swarm import scratch

SCHEME = "ssh://"
KEPT = 4
"""Connections that a client may keep open for later requests."""
_SESSIONS = 8
"""Connections of one login: sshd takes ten sessions (MaxSessions), one of which is the login's."""
_SECONDS = 60.0
"""Seconds that the engine has for its first answer, as for any other request."""
# what ~/.ssh/config may say for people, and would be in the way of a program
_OPTIONS = (
    *("-T", "-o", "ConnectTimeout=30", "-o", "RemoteCommand=none", "-o", "ControlPersist=no"),
    *("-o", "ClearAllForwardings=yes", "-o", "PermitLocalCommand=no"),
)
_PING = b"GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n"

_tunnels: dict[str, "_Tunnel"] = {}
_lock = threading.Lock()


def address(url: str) -> str:
    """The address of a local socket that leads to the engine at an ssh:// URL.

    Logs in on the first call, and ends the login when the process ends. Raises ConnectionError,
    with the last line that ssh printed, if no engine answers there.
    """
    with _lock:
        tunnel = _tunnels.setdefault(url, _Tunnel(url))
    return tunnel.address()


def words(url: str) -> tuple[list[str], list[str]]:
    """The arguments of ssh that name the server, and the command that connects to its engine.

    As docker does: ssh://[USER@]HOST[:PORT][/SOCKET]. Raises ClusterError for anything else.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ClusterError(f"{url} is not an address of an engine: {error}") from None
    if not parts.hostname or parts.password is not None or parts.query or parts.fragment:
        raise ClusterError(
            f"{url.replace(f':{parts.password}@', ':...@')} is not an address of an engine",
            "Write ssh://USER@HOST or ssh://USER@HOST:PORT; mpigen uses ssh keys, not passwords.",
        )
    # not parts.hostname, which is in lower case: ~/.ssh/config tells capitals apart
    host = parts.netloc.rpartition("@")[2]
    host = host.removesuffix(f":{port}").strip("[]")
    to = [*(["-p", str(port)] if port else [])]
    to += ["-l", unquote(parts.username)] if parts.username else []
    path = unquote(parts.path).rstrip("/")
    at = ["--host", shlex.quote(f"unix://{path}")] if path else []
    return [*to, "--", host], ["docker", *at, "system", "dial-stdio"]


class _Tunnel:
    """A local socket, and the logins that its connections are sessions of."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._opening = threading.Lock()
        self._address = ""
        self._logins: list[_Login] = []

    def address(self) -> str:
        with self._opening:
            self._address = self._address or self._open()
            return self._address

    def _open(self) -> str:
        words(self.url)  # refuses a wrong URL before anything is made
        # the paths of sockets are short by law, and TMPDIR may be long
        self._folder = scratch.make("ssh", "/tmp")
        self._logins.append(_Login(self.url, self._folder / "login-0"))
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"{self._folder}/docker.sock")
        listener.listen(128)
        threading.Thread(target=self._serve, args=(listener,), daemon=True).start()
        return f"unix://{self._folder}/docker.sock"

    def _serve(self, listener: socket.socket) -> None:
        """Give each connection to a session of its own; runs until the process ends."""
        while True:
            connection, _ = listener.accept()
            # a connection that gets no session is closed: whoever made it has the error
            with connection, contextlib.suppress(OSError, ClusterError):
                self._free().start_session(connection)

    def _free(self) -> "_Login":
        for login in self._logins:
            if login.is_free():
                return login
        number = len(self._logins)
        self._logins.append(_Login(self.url, self._folder / f"login-{number}"))
        return self._logins[-1]


class _Login:
    """One login, started once the engine has answered through it.

    It ends with this process, even one that is killed: its first session reads from a pipe of ours.
    """

    def __init__(self, url: str, control: Path) -> None:
        server, command = words(url)
        ssh = ["ssh", *_OPTIONS, "-o", f"ControlPath={control}"]
        self._sessions: list[subprocess.Popen[bytes]] = []
        self._session = [*ssh, "-o", "ControlMaster=no", *server, *command]
        errors = control.with_suffix(".errors")
        with errors.open("wb") as log:
            try:
                self.process = subprocess.Popen(
                    [*ssh, "-o", "ControlMaster=yes", *server, *command],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    # Ctrl-C is for this process, which may still need the engine to clean up
                    start_new_session=True,
                )
            except FileNotFoundError:
                raise ClusterError(
                    f"there is no command ssh here, and {url} needs it",
                    "Install OpenSSH's client.",
                ) from None
        atexit.register(_end, self.process, 0)
        self._ping(errors)

    def _ping(self, errors: Path) -> None:
        """Wait for the engine's first answer. Raises ConnectionError if there is none."""
        to, answers = self.process.stdin, self.process.stdout
        assert to and answers
        with contextlib.suppress(BrokenPipeError):
            to.write(_PING)
            to.flush()
        answered, _, _ = select.select([answers], [], [], _SECONDS)
        answer = answers.readline().decode("utf-8", "replace").strip() if answered else ""
        if answer.startswith("HTTP/1.1 200"):
            return
        _end(self.process, 1)
        said = f": it answered {answer[:60]!r}" if answer else _last(errors)
        code = self.process.returncode
        how = f"ssh ended with {code}" if answered else f"no answer in {_SECONDS:.0f} s"
        raise ConnectionError(how + said)

    def start_session(self, connection: socket.socket) -> None:
        """Let a session of this login serve a connection, until either ends."""
        session = subprocess.Popen(
            self._session,
            stdin=connection.fileno(),
            stdout=connection.fileno(),
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._sessions.append(session)

    def is_free(self) -> bool:
        """Whether it can have one more session."""
        self._sessions = [each for each in self._sessions if each.poll() is None]
        return len(self._sessions) < _SESSIONS and self.process.poll() is None


def _end(process: "subprocess.Popen[bytes]", grace: float) -> None:
    """End a process. One that is about to end by itself has `grace` seconds for its exit code."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        if grace:
            process.wait(grace)
    for stop in (process.terminate, process.kill):
        if process.poll() is None:
            stop()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(2)


def _last(errors: Path) -> str:
    lines = errors.read_text("utf-8", "replace").split("\n")
    said = [line.strip() for line in lines if line.strip()]
    return f": {said[-1]}" if said else ""
