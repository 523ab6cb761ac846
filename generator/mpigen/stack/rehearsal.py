"""What `docker stack deploy` would ask of an engine, without asking it.

Only the Docker client that deploys knows how it turns stack.yml into requests. So it runs as it
would, against a socket of ours: questions go on to the engine, and changes are kept here.
"""

import json
import os
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from re import fullmatch
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any
from urllib.parse import urlsplit

from docker.errors import DockerException

from mpigen.errors import ClusterError
from mpigen.swarm import scratch
from mpigen.swarm.deployment import Deployment
from mpigen.swarm.engine import Engine, blame
from mpigen.swarm.processes import run, tail

_PATIENCE = 120.0
_PASSED_ON = ("Content-Type", "Api-Version", "Docker-Experimental", "Ostype", "Swarm")


@dataclass(frozen=True)
class Request:
    """A change that the client asks for: `kind` is network, secret, config or service.

    `id` is that of the thing to change; empty for one to create. `body` is as in Docker's API.
    """

    kind: str
    id: str
    body: dict[str, Any]

    @property
    def name(self) -> str:
        """The name of what it is about."""
        return str(self.body["Name"])


@dataclass
class _Rehearsal:
    engine: Engine
    lock: threading.Lock = field(default_factory=threading.Lock)
    requests: list[Request] = field(default_factory=list)

    def answer(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> "_Answer":
        """Ask the engine, or keep a change and answer as the engine would."""
        if method in ("GET", "HEAD"):
            return self._ask(method, url, headers)
        path = fullmatch(r"(?:/v[\d.]+)?/(\w+)s/(?:create|(\w+)/update)", urlsplit(url).path)
        if (
            method != "POST"
            or not path
            or path[1] not in ("network", "secret", "config", "service")
        ):
            return _Answer(403, {"message": f"a dry run does not know {method} {url}"})
        self.requests.append(Request(path[1], path[2] or "", json.loads(body)))
        if path[2]:
            return _Answer(200, {})
        return _Answer(201, {_id_key(path[1]): f"new{len(self.requests)}"})

    def _ask(self, method: str, url: str, headers: Mapping[str, str]) -> "_Answer":
        api = self.engine.client.api
        sent = {key: headers[key] for key in ("X-Registry-Auth",) if headers.get(key)}
        with self.lock:  # a session of requests is for one thread
            got = api.request(method, f"{api.base_url}{url}", headers=sent)
        passed = {key: got.headers[key] for key in _PASSED_ON if key in got.headers}
        listed = fullmatch(r"(?:/v[\d.]+)?/(secret|config)s", urlsplit(url).path)
        if not listed or got.status_code != 200:
            return _Answer(got.status_code, got.content, passed)
        # the client looks up the ids of those that it has just created
        made = [
            {"ID": f"new{number}", "Spec": each.body}
            for number, each in enumerate(self.requests, 1)
            if each.kind == listed[1] and not each.id
        ]
        return _Answer(200, [*(got.json() or []), *made], passed)


class _Answer:
    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.headers = {"Content-Type": "application/json", **(headers or {})}


def requests_of(deployment: Deployment, over: Mapping[str, Any]) -> list[Request]:
    """Every change that deploying the rendered stack.yml, with `over` laid over it, asks for.

    Raises ClusterError with the client's own words if it refuses the stack file.
    """
    stack_file = deployment.artifacts.stack_file
    command = ["docker", "stack", "deploy", "--with-registry-auth", "-c", str(stack_file)]
    # clients since 26.0 can wait for the services, and say that they will do so by default
    if "--detach" in run(["docker", "stack", "deploy", "--help"], "docker stack deploy"):
        command.append("--detach=true")
    with _listening(deployment.engine) as (rehearsal, environment):
        try:
            done = subprocess.run(
                [*command, "-c", "-", deployment.stack],
                env=environment,
                input=json.dumps(over),
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_PATIENCE,
            )
        except subprocess.TimeoutExpired:
            raise ClusterError(f"docker stack deploy has not ended in {_PATIENCE:.0f} s") from None
    if done.returncode:
        raise ClusterError(f"docker stack deploy would fail:\n{tail(done.stderr)}")
    return rehearsal.requests


@contextmanager
def _listening(engine: Engine) -> Iterator[tuple[_Rehearsal, dict[str, str]]]:
    """Yield what is heard on a new socket, and the environment in which docker talks to it."""
    rehearsal = _Rehearsal(engine)
    with scratch.folder("dry-run") as folder:
        socket = folder / "docker.sock"
        with blame(f"listening at {socket} (TMPDIR)"):
            server = _Server(str(socket), _handler(rehearsal))
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            plain = {key: os.environ[key] for key in os.environ if not key.startswith("DOCKER_TLS")}
            yield rehearsal, {**plain, "DOCKER_HOST": f"unix://{socket}", "DOCKER_CONTEXT": ""}
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


class _Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True
    block_on_close = False


def _handler(rehearsal: _Rehearsal) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                answer = rehearsal.answer(self.command, self.path, dict(self.headers), body)
            except (DockerException, OSError, ValueError) as error:
                answer = _Answer(502, {"message": str(error)})
            self.send_response(answer.status)
            for key, value in answer.headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        def log_message(self, *_: Any) -> None:
            """Print nothing; the base class needs an address, which a socket file has not."""

    return Handler


def _id_key(kind: str) -> str:
    return "Id" if kind == "network" else "ID"
