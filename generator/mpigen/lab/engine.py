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
"""The file in a lab's folder that holds the URL of the engine that the lab was made on."""


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
        url = made_on.read_text("utf-8") if made_on.exists() else DEFAULT_URL
        where = Endpoint(url, f"the lab that {where.said_by} names")
    if not where.is_local:
        raise ClusterError(
            f"a lab needs an engine on this machine, and {where.said_by} names {where.url}",
            f"Use the local one: DOCKER_HOST={DEFAULT_URL} mpigen lab ...",
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
        if where.url != DEFAULT_URL or (is_closed_to_us(where) and dockerd.is_running()):
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


def _open_to_us(where: Endpoint, say: Say) -> None:
    """Let the user who had an engine started by sudo use it, until it stops."""
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
