"""A lab's nodes: containers with a Docker engine in each, reached over unix sockets."""

import os
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, NotFound
from requests.exceptions import Timeout

from mpigen.errors import ClusterError
from mpigen.lab import machine
from mpigen.lab.kinds import ENGINES
from mpigen.swarm import processes
from mpigen.swarm.engine import blame
from mpigen.swarm.processes import Say

LABEL = "mpigen.lab"
FOLDER_LABEL = "mpigen.lab.folder"
_START_SECONDS = 90.0
_REMOVE_SECONDS = 300.0
_SOCKET_PATH_BYTES = 107  # sun_path holds 108 with its final NUL: unix(7)

# The containers of a node live in cgroups below the node's own, so that they vanish with the node.
# Under cgroup v2 a group with children may hold no process, hence init, as in moby's hack/dind.
_START = r"""
set -eu
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    own=$(sed -n 's/^0:://p' /proc/self/cgroup)
    group=/sys/fs/cgroup${own%/}
    mkdir -p "$group/init"
    xargs -rn1 <"$group/cgroup.procs" >"$group/init/cgroup.procs" || true
    sed -e 's/ / +/g' -e 's/^/+/' "$group/cgroup.controllers" >"$group/cgroup.subtree_control"
    share=$group/lab/cpu.weight part=6
else
    own=$(sed -n 's/^[0-9]*:memory://p' /proc/self/cgroup)
    share=/sys/fs/cgroup/cpu${own%/}/lab/cpu.shares part=64
fi
# the engine gets CPU time before its containers, or a Swarm under load considers its nodes lost
mkdir -p "${share%/*}"
echo "$part" >"$share" || true
exec dockerd -H unix:///run/docker.sock -H unix:///lab/docker.sock --group "$SOCKET_GID" \
    --cgroup-parent "${own%/}/lab" "$@"
"""

# Two ways to start a node's container. An engine without CAP_SYS_RESOURCE cannot grant all
# privileges; the second way requests the ones that it can grant.
_PRIVILEGED: dict[str, Any] = {"privileged": True}
_CAPABLE: dict[str, Any] = {
    "cap_add": ["ALL"],
    "cap_drop": ["SYS_RESOURCE"],
    "security_opt": ["seccomp=unconfined", "apparmor=unconfined"],
    "device_cgroup_rules": ["a *:* rwm"],
    "cgroupns": "host",
}
_WAYS = (_PRIVILEGED, _CAPABLE)


@dataclass(frozen=True)
class Node:
    """A node of a lab: its name in the Swarm, its container, its address, its engine's socket."""

    name: str
    container: str
    container_id: str
    address: str
    socket: Path
    engine: str = "26.1"  # a record without it is older than --engine

    @property
    def docker_host(self) -> str:
        """The value of DOCKER_HOST that reaches the node's engine."""
        return f"unix://{self.socket}"

    def connect(self, timeout: float = 60) -> docker.DockerClient:
        """Connect to the node's engine; `timeout` in seconds. Raises ClusterError if silent."""
        hint = f"See: docker logs {self.container}. To start over: mpigen lab down, mpigen lab up."
        with blame(f"{self.name} ({self.container}) does not answer", hint):
            return docker.DockerClient(base_url=self.docker_host, timeout=int(timeout))


def labels(lab: str, folder: Path) -> dict[str, str]:
    """The labels of every object that a lab creates in the engine, by which `down` finds them."""
    return {LABEL: lab, FOLDER_LABEL: str(folder)}


def socket_path(folder: Path, number: int) -> Path:
    """The path of the socket of node `number` of the lab in `folder`.

    Raises ClusterError if it is too long for a socket.
    """
    path = folder / f"node-{number}" / "docker.sock"
    if len(bytes(path)) > _SOCKET_PATH_BYTES:
        raise ClusterError(
            f"a socket's path may have {_SOCKET_PATH_BYTES} bytes, and this has"
            f" {len(bytes(path))}: {path}",
            "Set XDG_STATE_HOME to a shorter folder, or give the lab a shorter name.",
        )
    return path


def start(
    client: docker.DockerClient, lab: str, number: int, engine: str, tag: str, socket: Path
) -> Node:
    """Start the container of a node; its engine answers later.

    Raises ClusterError, with the error of each way to start it, if none works.
    """
    name, container = f"node-{number}", f"mpigen-{lab}-{number}"
    socket.parent.mkdir(parents=True, exist_ok=True)
    refusals = []
    for way in _WAYS:
        with blame(f"starting {container}"):
            made = client.api.create_container(
                tag,
                ["sh", "-c", _START, "sh", *ENGINES[engine].options],
                name=container,
                hostname=name,
                labels=labels(lab, socket.parents[1]),
                # with `container` set, dockerd leaves the host's AppArmor alone
                environment={"SOCKET_GID": str(os.getgid()), "container": "docker"},
                volumes=["/var/lib/docker"],
                host_config=_host_config(client, f"mpigen-{lab}", socket.parent, way),
            )
            try:
                client.api.start(made["Id"])
            except APIError as error:
                refusals.append(f"{', '.join(way)}: {error.explanation}")
                remove(client, made["Id"])
                continue
            networks = client.api.inspect_container(made["Id"])["NetworkSettings"]["Networks"]
            address = networks[f"mpigen-{lab}"]["IPAddress"]
            return Node(name, container, made["Id"], address, socket, engine)
    raise ClusterError(
        f"the engine refuses to start {container}\n{processes.tail(chr(10).join(refusals))}",
        "A node needs an engine that may start privileged containers.",
    )


def _host_config(
    client: docker.DockerClient, network: str, folder: Path, way: dict[str, Any]
) -> dict[str, Any]:
    binds = [f"{folder}:/lab"]
    if way is _CAPABLE:
        binds.append("/sys/fs/cgroup:/sys/fs/cgroup:rw")
    config: dict[str, Any] = client.api.create_host_config(
        network_mode=network, binds=binds, tmpfs={"/run": ""}, init=True, **way
    )
    if way is _CAPABLE:  # the same as `docker run --security-opt systempaths=unconfined`
        config.update(MaskedPaths=[], ReadonlyPaths=[])
    return config


def wait(client: docker.DockerClient, nodes: Sequence[Node], say: Say) -> None:
    """Wait until the engine of each node answers.

    Raises ClusterError, with the last lines of the node's log, if one exits or stays silent.
    """
    deadline = time.monotonic() + _START_SECONDS
    silent = list(nodes)
    while silent:
        for node in tuple(silent):
            if version := _version(node):
                # what the base's package is today: a suite that is not released moves on
                say(f"{node.name} answers: Docker {version}")
                silent.remove(node)
            elif not _is_running(client, node):
                raise ClusterError(f"{node.name} ended during its start\n{_log(client, node)}")
            elif time.monotonic() > deadline:
                raise ClusterError(
                    f"{node.name} has not answered for {_START_SECONDS:.0f} s\n{_log(client, node)}"
                )
        time.sleep(0.1)


def remove(client: docker.DockerClient, container_id: str) -> None:
    """Remove a node's container, running or not, with its images, volumes and tasks.

    Raises ClusterError if it is still there after _REMOVE_SECONDS.
    """
    deadline = time.monotonic() + _REMOVE_SECONDS
    while True:
        try:
            client.api.remove_container(container_id, v=True, force=True)
            return
        except NotFound:
            return
        except APIError as error:  # 409: the engine is removing it, for a `down` that was killed
            if error.status_code != HTTPStatus.CONFLICT or time.monotonic() > deadline:
                raise ClusterError(f"removing {container_id[:12]}: {error.explanation}") from error
        except Timeout:  # the engine goes on: a node that has built images has many files
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)


def _version(node: Node) -> str:
    """The version of a node's engine; empty if it does not answer."""
    try:
        client = node.connect(timeout=5)
        with blame(f"asking {node.name}"), closing(client):
            return str(client.version()["Version"])
    except ClusterError:
        return ""


def _is_running(client: docker.DockerClient, node: Node) -> bool:
    with blame(f"looking at {node.container}"):
        return bool(client.api.inspect_container(node.container_id)["State"]["Running"])


def _log(client: docker.DockerClient, node: Node) -> str:
    with blame(f"reading the log of {node.container}"):
        log = client.api.logs(node.container_id, tail=100)
    return machine.log_tail(log.decode("utf-8", "replace"))
