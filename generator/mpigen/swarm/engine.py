"""The Docker engine that `docker` would talk to, and a client of it."""

import os
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import docker
from docker.errors import DockerException
from docker.tls import TLSConfig
from docker.transport import UnixHTTPAdapter

from mpigen.errors import ClusterError
from mpigen.swarm import failures, processes, ssh

DEFAULT_URL = "unix:///var/run/docker.sock"


@dataclass(frozen=True)
class Endpoint:
    """How to reach an engine: its URL, what gave that URL, and the folder of TLS files, if any."""

    url: str
    source: str
    tls: Path | None = None

    @property
    def is_local(self) -> bool:
        """Whether it is a unix socket. Labs need one: the engine must see the same folders."""
        return self.url.startswith("unix://")

    @property
    def is_ssh(self) -> bool:
        """Whether it is behind a login by ssh."""
        return self.url.startswith(ssh.SCHEME)


@contextmanager
def blame(what: str, hint: str = "") -> Iterator[None]:
    """Turn errors of the Docker SDK into a ClusterError that begins with `what`."""
    try:
        yield
    except (DockerException, OSError) as error:  # requests' exceptions are OSErrors
        raise ClusterError(f"{what}: {failures.in_words(error)}", hint) from error


def endpoint(context: str | None = None) -> Endpoint:
    """The engine that `docker` would talk to: `context`, DOCKER_HOST, or the current context.

    The Docker SDK's from_env ignores contexts, and its ContextAPI looks for them in the current
    folder when there is no ~/.docker/config.json (docker-py 7.2), so this asks docker.

    Raises ClusterError if the context does not exist.
    """
    if context is None and os.environ.get("DOCKER_HOST"):
        certs = os.environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker"
        verify = bool(os.environ.get("DOCKER_TLS_VERIFY"))
        return Endpoint(os.environ["DOCKER_HOST"], "DOCKER_HOST", Path(certs) if verify else None)
    if not shutil.which("docker"):
        return Endpoint(DEFAULT_URL, "Docker's default")
    template = "{{.Name}}\n{{.Endpoints.docker.Host}}\n{{.Storage.TLSPath}}"
    command = ["docker", "context", "inspect", "-f", template, *([context] if context else [])]
    try:
        answer = processes.run(command, "docker context inspect")
    except ClusterError as error:
        error.hint = f"docker context ls lists all contexts; {_lab()}."
        raise
    name, url, tls = answer.splitlines()[:3]
    certs = Path(tls) / "docker"
    return Endpoint(url, f"docker context {name}", certs if certs.is_dir() else None)


@dataclass(frozen=True)
class Engine:
    """An engine that answers, for the SDK and for `docker`. `context` is the user's --context."""

    client: docker.DockerClient
    where: Endpoint
    context: str | None = None

    def command(self, *words: str) -> list[str]:
        """The arguments of a `docker` command that talks to this engine."""
        if self.where.is_ssh:
            return ["docker", "--host", ssh.address(self.where.url), *words]
        return ["docker", *(["--context", self.context] if self.context else []), *words]

    def docker(self, *words: str) -> str:
        """Run a `docker` command and return its output.

        Raises ClusterError, with the last lines of its standard error, if it fails.
        """
        return processes.run(self.command(*words), f"docker {words[0]} {words[1]}")

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make `docker` in a script talk to this engine."""
        return variables(self.where, self.context)

    @cached_property
    def platform(self) -> str:
        """The platform that it runs without emulation, such as linux/amd64."""
        with blame(f"asking the engine at {self.where.url} for its processor"):
            return f"linux/{self.client.version()['Arch']}"

    @property
    def is_manager(self) -> bool:
        """Whether it is a manager of a Swarm. Only managers answer questions about the Swarm."""
        return bool(self.client.info()["Swarm"].get("ControlAvailable"))

    @property
    def is_member(self) -> bool:
        """Whether it is in a Swarm, as a manager or a worker."""
        return bool(self.client.info()["Swarm"].get("LocalNodeState") == "active")

    def need_manager(self) -> None:
        """Raise ClusterError, with a hint, if it is no manager of a Swarm."""
        with blame(f"asking the engine at {self.where.url} for its Swarm"):
            swarm = self.client.info()["Swarm"]
        if swarm.get("ControlAvailable"):
            return
        if swarm.get("LocalNodeState") == "active":
            managers = [peer["Addr"].rpartition(":")[0] for peer in swarm["RemoteManagers"] or []]
            raise ClusterError(
                f"the engine at {self.where.url} ({self.where.source}) is a worker of its Swarm, "
                "but this needs a manager",
                f"Name a docker context of a manager with --context; it is at {managers[0]}."
                if managers
                else "Name a docker context of a manager with --context.",
            )
        raise ClusterError(
            f"the engine at {self.where.url} ({self.where.source}) is not part of a Swarm",
            f"Run docker swarm init; {_lab()}.",
        )


def variables(where: Endpoint, context: str | None) -> dict[str, str]:
    """The variables that make `docker` in a child talk to an engine; `context` is --context."""
    if where.is_ssh:
        return {"DOCKER_HOST": ssh.address(where.url), "DOCKER_CONTEXT": ""}
    # DOCKER_HOST would win over the context
    return {"DOCKER_CONTEXT": context, "DOCKER_HOST": ""} if context else {}


def reach(context: str | None = None) -> Engine:
    """Connect to the engine of that context, or to the one that `docker` would talk to.

    Raises ClusterError, with the next step, if it does not answer.
    """
    where = endpoint(context)
    try:
        return Engine(client_of(where), where, context)
    except ClusterError as error:
        if failures.SILENT in error.message:  # so it need not be started
            error.hint = (
                "It accepts connections, but is slow or hangs: check the load of its "
                "server and its log."
            )
        raise


def client_of(where: Endpoint, timeout: float = 60) -> docker.DockerClient:
    """Connect to an engine. `timeout` is that of each later request, in seconds.

    Raises ClusterError, with the next step, if it does not answer.
    """
    tls = None
    if where.tls:
        pem = {part: str(where.tls / f"{part}.pem") for part in ("ca", "cert", "key")}
        tls = TLSConfig(client_cert=(pem["cert"], pem["key"]), ca_cert=pem["ca"], verify=True)
    with blame(f"no Docker engine answers at {where.url} ({where.source})", _next_step(where)):
        url = ssh.address(where.url) if where.is_ssh else where.url
        client = docker.DockerClient(base_url=url, tls=tls or False, timeout=int(timeout))
    if where.is_ssh:
        # the SDK keeps a connection for each of 25 URLs, and over a socket ignores num_pools
        # (docker-py 7.2); here each is a session of a login
        adapter = UnixHTTPAdapter(f"http+{url}", int(timeout), pool_connections=ssh.KEPT)
        client.api.mount("http+docker://", adapter)
    return client


def _next_step(where: Endpoint) -> str:
    if is_closed_to_us(where):
        group = Path(where.url.removeprefix("unix://")).group()
        return f"Its socket is for the group {group}: sudo usermod -aG {group} $USER, then log in."
    if where.is_ssh:
        server, command = ssh.words(where.url)
        login = shlex.join(word for word in server if word != "--")
        return (
            f"Try it by hand: ssh {login} {command[0]} version. {where.source} sets this address."
        )
    if where.url == DEFAULT_URL:
        return "Start one: mpigen lab engine"
    return f"Start that engine, or use another one: {where.source} sets this address."


def is_closed_to_us(where: Endpoint) -> bool:
    """Whether the socket exists and this user may not use it."""
    socket = Path(where.url.removeprefix("unix://"))
    return where.is_local and socket.exists() and not os.access(socket, os.R_OK | os.W_OK)


def manager_context() -> str:
    """The option that leads to a manager: the contexts of labs that are up, or a placeholder."""
    return " or ".join(f"--context {name}" for name in _labs()) or "--context MANAGER"


def _lab() -> str:
    """How to get at a lab's Swarm: by the context of one that is up, or by `lab up`."""
    if found := _labs():
        return f"a lab is up: {' or '.join(f'--context {name}' for name in found)}"
    return "mpigen lab up starts a Swarm on this machine"


def _labs() -> list[str]:
    """The contexts of labs."""
    if shutil.which("docker"):
        with suppress(ClusterError):
            listed = processes.run(["docker", "context", "ls", "--format", "{{.Name}}"], "docker")
            return [name for name in listed.split() if name.startswith("mpigen-")]
    return []


def context_of(url: str) -> str | None:
    """The first docker context that leads to an engine at that URL, if there is one."""
    listed = ""
    with suppress(ClusterError):
        words = ["docker", "context", "ls", "--format", "{{.DockerEndpoint}} {{.Name}}"]
        listed = processes.run(words, "docker context ls")
    found = (line.rsplit(" ", 1) for line in listed.splitlines() if " " in line)
    return next((name for where, name in found if where == url), None)
