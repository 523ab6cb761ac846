"""Form a Swarm out of a lab's nodes, and ask it how they are."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mpigen import processes
from mpigen.errors import ClusterError
from mpigen.lab.nodes import Node
from mpigen.swarm.engine import blame

_READY_SECONDS = 60.0
_PORT = 2377


@dataclass(frozen=True)
class NodeStatus:
    """What the manager says of one node. `tasks` counts those that are running."""

    name: str
    role: str
    state: str
    engine: str
    address: str
    tasks: int


def form(members: Sequence[Node]) -> None:
    """Make the first node the manager, the others workers; wait until all are ready.

    Raises ClusterError, naming the node, if one cannot join or does not get ready.
    """
    first, *others = members
    manager = first.connect()
    with blame(f"{first.name} could not start a Swarm"):
        manager.api.init_swarm(advertise_addr=first.address, listen_addr=f"{first.address}:{_PORT}")
        token = manager.api.inspect_swarm()["JoinTokens"]["Worker"]
    processes.each(lambda node: _join(node, first, token), others)
    _wait_ready(members)


def status(manager: Node) -> list[NodeStatus]:
    """What the manager says of each node, by name. Raises ClusterError if it is silent."""
    client = manager.connect()
    with blame(f"asking {manager.name} for its nodes"):
        tasks = Counter(
            task.get("NodeID")
            for task in client.api.tasks({"desired-state": "running"})  # type: ignore[no-untyped-call]
            if task["Status"]["State"] == "running"
        )
        found = [
            NodeStatus(
                name=described.get("Hostname", node["ID"]),
                role=node["Spec"]["Role"],
                state=node["Status"]["State"],
                engine=described.get("Engine", {}).get("EngineVersion", ""),
                address=node["Status"].get("Addr", ""),
                tasks=tasks[node["ID"]],
            )
            for node in client.api.nodes()
            # a node that joins at this moment has no description yet
            for described in [node.get("Description", {})]
        ]
    return sorted(found, key=lambda node: (len(node.name), node.name))


def _join(node: Node, manager: Node, token: str) -> None:
    with blame(f"{node.name} could not join the Swarm"):
        node.connect().api.join_swarm(
            [f"{manager.address}:{_PORT}"],
            token,
            listen_addr=f"{node.address}:{_PORT}",
            advertise_addr=node.address,
        )


def _wait_ready(members: Sequence[Node]) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        ready = {node.name for node in status(members[0]) if node.state == "ready"}
        missing = [node.name for node in members if node.name not in ready]
        if not missing:
            return
        if time.monotonic() > deadline:
            raise ClusterError(
                f"not ready in the Swarm after {_READY_SECONDS:.0f} s: {', '.join(missing)}"
            )
        time.sleep(0.1)
