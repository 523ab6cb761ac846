"""Find a Docker engine, or install and start one."""

import os
import shutil
from pathlib import Path

import docker

from mpigen.errors import ClusterError
from mpigen.lab import dockerd, machine
from mpigen.swarm.engine import DEFAULT_URL, Endpoint, client_of, endpoint, is_closed_to_us
from mpigen.swarm.processes import Say

MADE_ON = "engine"
"""The file in a lab's folder with the URL of the engine that runs the lab's nodes."""


def local() -> docker.DockerClient:
    """Connect to the engine that runs labs.

    Raises ClusterError, with the next step, if it is not local or does not answer.
    """
    return client_of(local_endpoint())


def local_endpoint() -> Endpoint:
    """The engine that runs labs: local, and not itself a lab's node.

    Raises ClusterError if the engine that `docker` would talk to is not local.
    """
    where = endpoint()
    socket = Path(where.url.removeprefix("unix://"))
    if socket.is_relative_to(machine.state_root()):
        # after `docker context use mpigen-lab`, mpigen lab must still use the machine's engine
        url = _made_on(socket.parents[1])
        where = Endpoint(url, f"the lab that {where.source} names")
    if not where.is_local:
        raise ClusterError(
            f"a lab needs an engine on this machine, and {where.source} names {where.url}",
            f"Use the local one: DOCKER_HOST={DEFAULT_URL} mpigen lab ...",
        )
    return where


def beneath(lab: str) -> Endpoint:
    """The machine's own engine, which runs the nodes of a lab that is up."""
    return Endpoint(_made_on(machine.state_root() / lab), f"the engine below the lab {lab}")


def _made_on(lab_folder: Path) -> str:
    file = lab_folder / MADE_ON
    return file.read_text("utf-8") if file.exists() else DEFAULT_URL


def ensure(say: Say) -> docker.DockerClient:
    """Connect to the engine that `docker` would talk to; install and start it if need be.

    Raises ClusterError, with the next step, if that is not possible.
    """
    where = endpoint()
    try:
        client = client_of(where)
    except ClusterError:
        if where.url != DEFAULT_URL or (is_closed_to_us(where) and dockerd.is_running()):
            raise
    else:
        say(f"Docker engine {client.version()['Version']} answers at {where.url}")
        return client
    if not dockerd.path():
        machine.install(["docker.io", "iptables"], say)
    if not shutil.which("docker"):  # docker.io includes the client in Debian 12, not in Debian 13
        machine.install(["docker-cli"], say)
    dockerd.start(dockerd.Dockerd(), say, lambda: _answers(where, say))
    client = client_of(where)
    say(f"Docker engine {client.version()['Version']} started, at {where.url}")
    return client


def _open_to_us(where: Endpoint, say: Say) -> None:
    """Give the user access to the socket of an engine that was started with sudo."""
    if is_closed_to_us(where):
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
