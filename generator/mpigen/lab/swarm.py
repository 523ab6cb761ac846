"""Form a Swarm out of a lab's nodes, and report their state."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mpigen.errors import ClusterError
from mpigen.lab.nodes import Node
from mpigen.swarm import nodes, processes
from mpigen.swarm.engine import blame

_READY_SECONDS = 60.0
_ANSWER_SECONDS = 30.0  # a manager without a leader reports it after 20 (moby: swarmRequestTimeout)
_PORT = 2377


@dataclass(frozen=True)
class NodeStatus:
    """A row of `mpigen lab status`. `tasks` is the number of running tasks.

    `manager` is leader, reachable or unreachable, and empty for a worker.
    """

    name: str
    role: str
    manager: str
    state: str
    engine: str
    address: str
    tasks: int


def form(members: Sequence[Node], managers: int = 1) -> None:
    """Make the first `managers` nodes managers, the others workers; wait until all are ready.

    Raises ClusterError, naming the node, if one cannot join or does not become ready.
    """
    first, *others = members
    manager = first.connect()
    with blame(f"{first.name} could not start a Swarm"):
        manager.api.init_swarm(advertise_addr=first.address, listen_addr=f"{first.address}:{_PORT}")
        tokens = manager.api.inspect_swarm()["JoinTokens"]
    for node in others[: managers - 1]:  # one by one: each changes the quorum
        _join(node, first, tokens["Manager"])
    processes.in_parallel(lambda node: _join(node, first, tokens["Worker"]), others[managers - 1 :])
    _wait_ready(members, managers)


def status(managers: Sequence[Node]) -> list[NodeStatus]:
    """The state of each node, by name, from the first manager that answers.

    Raises ClusterError, with the error of each manager, if none answers.
    """
    refusals = []
    for manager in managers:
        try:
            return _status(manager)
        except ClusterError as error:
            refusals.append(error)
    if len(refusals) == 1:
        raise refusals[0]
    raise ClusterError(
        f"none of the {len(managers)} managers answers\n"
        + "\n".join(f"  {refusal.message}" for refusal in refusals),
        f"A Swarm of {len(managers)} managers needs {len(managers) // 2 + 1} of them.",
    )


def _status(manager: Node) -> list[NodeStatus]:
    client = manager.connect(timeout=_ANSWER_SECONDS)
    with blame(f"asking {manager.name} for its nodes"):
        tasks = Counter(
            task.get("NodeID")
            for task in client.api.tasks({"desired-state": "running"})  # type: ignore[no-untyped-call]
            if task["Status"]["State"] == "running"
        )
        found = [
            NodeStatus(
                name=node.name,
                role=node.role,
                manager=node.manager,
                state=node.state,
                engine=node.engine,
                address=node.address,
                tasks=tasks[node.id],
            )
            for node in nodes.listed(client)
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


def _wait_ready(members: Sequence[Node], managers: int) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        seen = {node.name: node for node in status(members[:1])}
        missing = [
            node.name
            for number, node in enumerate(members)
            if node.name not in seen
            or seen[node.name].state != "ready"
            or (number < managers and seen[node.name].manager not in ("leader", "reachable"))
        ]
        if not missing:
            return
        if time.monotonic() > deadline:
            raise ClusterError(
                f"not ready in the Swarm after {_READY_SECONDS:.0f} s: {', '.join(missing)}"
            )
        time.sleep(0.1)
