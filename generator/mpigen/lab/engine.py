"""Find a Docker engine, or install and start one."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.errors import DockerException
from docker.tls import TLSConfig

from mpigen.errors import ClusterError
from mpigen.lab import dockerd, machine
from mpigen.lab.machine import Say

_DEFAULT_URL = "unix:///var/run/docker.sock"

MADE_ON = "engine"
"""The file in a lab's folder that holds the URL of the engine that the lab was made on."""


@dataclass(frozen=True)
class Endpoint:
    """Where an engine is: its URL, who says so, and the folder of TLS files, if any."""

    url: str
    said_by: str
    tls: Path | None = None

    @property
    def is_local(self) -> bool:
        """Whether it is a unix socket, which is what a lab needs: it shares folders with us."""
        return self.url.startswith("unix://")


@contextmanager
def blame(what: str, hint: str = "") -> Iterator[None]:
    """Turn what the Docker SDK raises into a ClusterError that says what failed."""
    try:
        yield
    except (DockerException, OSError) as error:  # requests' exceptions are OSErrors
        explanation = getattr(error, "explanation", None) or error
        raise ClusterError(f"{what}: {explanation}", hint) from error


def endpoint() -> Endpoint:
    """The engine that `docker` would talk to: DOCKER_HOST, else the current docker context.

    The Docker SDK's own from_env knows nothing of contexts, and its ContextAPI looks for them
    in the current folder when there is no ~/.docker/config.json (docker-py 7.2), so ask docker.

    Raises ClusterError if the current context does not exist.
    """
    if os.environ.get("DOCKER_HOST"):
        certs = os.environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker"
        verify = bool(os.environ.get("DOCKER_TLS_VERIFY"))
        return Endpoint(os.environ["DOCKER_HOST"], "DOCKER_HOST", Path(certs) if verify else None)
    if not shutil.which("docker"):
        return Endpoint(_DEFAULT_URL, "Docker's default")
    template = "{{.Name}}\n{{.Endpoints.docker.Host}}\n{{.Storage.TLSPath}}"
    answer = machine.run(["docker", "context", "inspect", "-f", template], "docker context inspect")
    name, url, tls = answer.splitlines()[:3]
    certs = Path(tls) / "docker"
    return Endpoint(url, f"docker context {name}", certs if certs.is_dir() else None)


def connect() -> docker.DockerClient:
    """A client of the engine that `docker` would talk to.

    Raises ClusterError, with the next step, if it does not answer.
    """
    return client_of(endpoint())


def client_of(where: Endpoint, timeout: float = 60) -> docker.DockerClient:
    """A client of that engine, which has answered. Timeout: seconds, of each later request.

    Raises ClusterError, with the next step, if it does not answer.
    """
    tls = None
    if where.tls:
        pem = {part: str(where.tls / f"{part}.pem") for part in ("ca", "cert", "key")}
        tls = TLSConfig(client_cert=(pem["cert"], pem["key"]), ca_cert=pem["ca"], verify=True)
    with blame(f"no Docker engine answers at {where.url} ({where.said_by})", _next_step(where)):
        return docker.DockerClient(
            base_url=where.url,
            tls=tls or False,
            timeout=int(timeout),
            use_ssh_client=where.url.startswith("ssh://"),
        )


def _next_step(where: Endpoint) -> str:
    if _is_closed_to_us(where):
        group = Path(where.url.removeprefix("unix://")).group()
        return f"Its socket is for the group {group}: sudo usermod -aG {group} $USER, then log in."
    if where.url == _DEFAULT_URL:
        return "Start one: mpigen lab engine"
    return f"Start that engine, or point elsewhere: {where.said_by} names it."


def local() -> docker.DockerClient:
    """A client of the engine that labs are made on.

    Raises ClusterError, with the next step, if it is not a local one or does not answer.
    """
    return client_of(local_endpoint())


def local_endpoint() -> Endpoint:
    """The engine that labs are made on: local, and not itself a lab's node.

    Raises ClusterError if the engine that `docker` would talk to is not local.
    """
    where = endpoint()
    socket = Path(where.url.removeprefix("unix://"))
    if socket.is_relative_to(machine.state_root()):
        # `docker context use mpigen-lab` must not make the lab's own verbs look inside the lab.
        made_on = socket.parents[1] / MADE_ON
        url = made_on.read_text("utf-8") if made_on.exists() else _DEFAULT_URL
        where = Endpoint(url, f"the lab that {where.said_by} names")
    if not where.is_local:
        raise ClusterError(
            f"a lab needs an engine on this machine, and {where.said_by} names {where.url}",
            f"Use the local one: DOCKER_HOST={_DEFAULT_URL} mpigen lab ...",
        )
    return where


def ensure(say: Say) -> docker.DockerClient:
    """The engine that `docker` would talk to, installed and started if need be and possible.

    Raises ClusterError, with the next step, where that is not possible.
    """
    where = endpoint()
    try:
        client = client_of(where)
    except ClusterError:
        if where.url != _DEFAULT_URL or (_is_closed_to_us(where) and dockerd.is_running()):
            raise
    else:
        say(f"Docker engine {client.version()['Version']} answers at {where.url}")
        return client
    if not dockerd.path():
        machine.install(["docker.io", "iptables"], say)
    if not shutil.which("docker"):  # Debian 12's docker.io contains the client, Debian 13's not
        machine.install(["docker-cli"], say)
    dockerd.start(dockerd.Dockerd(), say, lambda: _answers(where, say))
    client = client_of(where)
    say(f"Docker engine {client.version()['Version']} started, at {where.url}")
    return client


def _is_closed_to_us(where: Endpoint) -> bool:
    """Whether the socket is there, and this user may not use it."""
    socket = Path(where.url.removeprefix("unix://"))
    return where.is_local and socket.exists() and not os.access(socket, os.R_OK | os.W_OK)


def _open_to_us(where: Endpoint, say: Say) -> None:
    """Let the user who had an engine started by sudo use it, until it stops."""
    if _is_closed_to_us(where):
        socket = where.url.removeprefix("unix://")
        say(f"making you the owner of {socket}, until the engine stops")
        machine.run_as_root(["chown", str(os.getuid()), socket], "chown")


def _answers(where: Endpoint, say: Say) -> bool:
    try:
        _open_to_us(where, say)
        client_of(where).close()
    except ClusterError:
        return False
    return True
