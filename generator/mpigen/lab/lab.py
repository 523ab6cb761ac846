"""Bring up a lab, a Swarm of several nodes on one machine; find it, load images, take it down."""

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import docker

from mpigen.errors import ClusterError, InputError
from mpigen.image import distribute
from mpigen.lab import context, engine, machine, network, nodes, swarm
from mpigen.lab.kinds import ENGINES, NEWEST, node_image
from mpigen.lab.nodes import Node
from mpigen.lab.record import RECORD, alone, folder
from mpigen.lab.swarm import NodeStatus
from mpigen.notation.counts import counted
from mpigen.swarm import processes
from mpigen.swarm.engine import blame
from mpigen.swarm.processes import Say

_LARGEST = 64
_ANSWER_SECONDS = 5
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")


@dataclass(frozen=True)
class Lab:
    """A lab that is up. Its first nodes are the managers, the others are workers."""

    name: str
    nodes: tuple[Node, ...]
    managers: int = 1

    @property
    def context(self) -> str:
        """The docker context of the first manager."""
        return context.name_of(self.name)

    @property
    def docker_host(self) -> str:
        """The value of DOCKER_HOST that reaches the first manager."""
        return self.nodes[0].docker_host


def up(
    name: str, count: int, say: Say, managers: int = 1, engines: Sequence[str] = (NEWEST,)
) -> Lab:
    """Bring up a lab of `count` nodes, the first of them managers, or return it if it is up.

    The nodes get `engines`, keys of ENGINES, in turn. A failed or interrupted start removes
    everything that it has created. Raises InputError for an invalid name or count, ClusterError if
    a step fails.
    """
    _check(name, count, managers)
    if unknown := [each for each in engines if each not in ENGINES]:
        there = ", ".join(ENGINES)
        raise InputError(
            f"a lab has no nodes with Docker {', '.join(unknown)}: choose from {there}"
        )
    client = engine.local()
    with alone(name):
        lab = find(name)
        if lab:
            return _same(lab, count, managers, engines, say)
        if _remove(client, name):
            say(f"removed the rest of an unfinished start of the lab {name}")
        tags = {each: node_image(client, each, say) for each in dict.fromkeys(engines)}
        try:
            return _make(client, name, count, managers, _in_turn(engines, count), tags, say)
        except BaseException:
            say(f"removing what was created of the lab {name}")
            _remove(client, name)
            raise


def find(name: str) -> Lab | None:
    """The lab of that name, if it is up."""
    try:
        record = json.loads((folder(name) / RECORD).read_text("utf-8"))
    except FileNotFoundError:
        return None
    members = (Node(**{**node, "socket": Path(node["socket"])}) for node in record["nodes"])
    # a record without it is older than --managers
    return Lab(name, tuple(members), record.get("managers", 1))


def get(name: str) -> Lab:
    """The lab of that name. Raises ClusterError if there is none."""
    lab = find(name)
    if lab is None:
        raise ClusterError(f"there is no lab {name}", f"Bring it up: mpigen lab up --name {name}")
    return lab


def ready() -> list[Lab]:
    """The labs of this user that are up and whose first manager answers, by name."""
    root = machine.state_root()
    names = sorted(path.parent.name for path in root.glob(f"*/{RECORD}"))
    return [lab for name in names if (lab := find(name)) and _answers(lab)]


def _answers(lab: Lab) -> bool:
    try:
        lab.nodes[0].connect(timeout=_ANSWER_SECONDS).close()
    except ClusterError:
        return False
    return True


def with_engine(url: str) -> Lab | None:
    """The lab that has a node with its engine at that URL, if any."""
    socket = Path(url.removeprefix("unix://"))
    root = machine.state_root()
    if not url.startswith("unix://") or not socket.is_relative_to(root):
        return None
    return find(socket.relative_to(root).parts[0])


def status(lab: Lab) -> list[NodeStatus]:
    """The state of each node in the Swarm, by name. Raises ClusterError if no manager answers."""
    return swarm.status(lab.nodes[: lab.managers])


def load(lab: Lab, image: str, say: Say) -> None:
    """Copy an image from this machine's engine to the nodes, as `distribute.copy` does."""
    distribute.copy(engine.local(), lab.nodes, image, say)


def down(name: str, say: Say) -> bool:
    """Remove the lab, complete or half-finished; return whether there was anything to remove."""
    _check(name, 1)
    client = engine.local()
    with alone(name):
        say(f"removing the lab {name}")
        return _remove(client, name)


def _check(name: str, count: int, managers: int = 1) -> None:
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{name!r} is not a valid name for a lab",
            "Use at most 32 lower-case letters, digits and dashes, no dash first or last.",
        )
    if not 1 <= count <= _LARGEST:
        raise InputError(f"a lab has 1 to {_LARGEST} nodes, not {count}")
    if not 1 <= managers <= count:
        raise InputError(f"of {count} nodes 1 to {count} can be managers, not {managers}")


def _in_turn(engines: Sequence[str], count: int) -> list[str]:
    return [engines[number % len(engines)] for number in range(count)]


def _same(lab: Lab, count: int, managers: int, engines: Sequence[str], say: Say) -> Lab:
    """Return the lab that is up. Raises ClusterError if it differs, or a node is silent."""
    way_out = f"Take it down first: mpigen lab down --name {lab.name}"
    if len(lab.nodes) != count:
        raise ClusterError(
            f"the lab {lab.name} is up with {len(lab.nodes)} nodes, not {count}", way_out
        )
    if lab.managers != managers:
        raise ClusterError(
            f"the lab {lab.name} is up with --managers {lab.managers}, not {managers}", way_out
        )
    there = [node.engine for node in lab.nodes]
    if there != _in_turn(engines, count):
        raise ClusterError(f"the lab {lab.name} is up with Docker {', '.join(there)}", way_out)
    for node in lab.nodes:
        try:
            node.connect().close()
        except ClusterError as error:
            raise ClusterError(f"the lab {lab.name} is broken: {error.message}", way_out) from error
    say(f"the lab {lab.name} is up already, with {counted(count, 'node')}")
    return lab


def _make(
    client: docker.DockerClient,
    name: str,
    count: int,
    managers: int,
    engines: Sequence[str],
    tags: Mapping[str, str],
    say: Say,
) -> Lab:
    here = folder(name)
    sockets = [nodes.socket_path(here, number) for number in range(1, count + 1)]
    say(f"starting {count} {'nodes' if count > 1 else 'node'}")
    labels = nodes.labels(name, here)
    processes.in_parallel(lambda each: network.make(client, each, labels), [f"mpigen-{name}"])
    (here / engine.MADE_ON).write_text(engine.local_endpoint().url, "utf-8")
    numbers = range(1, count + 1)

    def start(number: int) -> Node:
        kind = engines[number - 1]
        return nodes.start(client, name, number, kind, tags[kind], sockets[number - 1])

    members = processes.in_parallel(start, numbers)
    nodes.wait(client, members, say)
    say("forming the Swarm")
    swarm.form(members, managers)
    context.create(name, sockets[0])
    known = {"managers": managers, "nodes": [asdict(node) for node in members]}
    record = json.dumps(known, default=str, indent=2)
    (here / RECORD).write_text(record, "utf-8")  # last: from now on the lab is up
    return Lab(name, tuple(members), managers)


def _remove(client: docker.DockerClient, name: str) -> bool:
    """Remove every part of the lab; return whether there was any.

    Raises ClusterError if it is another user's lab, or a part cannot be removed.
    """
    here = folder(name)
    mine = {"label": f"{nodes.LABEL}={name}"}
    found = False
    with blame(f"removing the lab {name}"):
        # more than once: a container that a killed `up` had requested may appear late
        while containers := client.api.containers(all=True, filters=mine):
            _refuse_if_not_ours(containers, name)
            (here / RECORD).unlink(missing_ok=True)  # from now on the lab is not up
            processes.in_parallel(lambda made: nodes.remove(client, made["Id"]), containers)
            found = True
        networks = client.api.networks(filters=mine)
        _refuse_if_not_ours(networks, name)
        for each in networks:
            network.remove(client, each["Id"])
        had_context = context.remove(name)
        left = list(here.iterdir())
        for path in left:  # the folder itself is the lock, and is removed with it
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return bool(found or networks or had_context or left)


def _refuse_if_not_ours(parts: list[dict[str, Any]], name: str) -> None:
    for part in parts:
        owner = part["Labels"].get(nodes.FOLDER_LABEL)
        if owner != str(folder(name)):
            raise ClusterError(
                f"the lab {name} of this engine belongs to {owner}, not to {folder(name)}",
                "Give yours another name: --name NAME",
            )
