"""What becomes of each network, secret, config and service of a stack file on the Swarm."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from re import search
from typing import Any

from mpigen.stack import specs
from mpigen.stack.rehearsal import Request
from mpigen.stack.specs import Difference
from mpigen.swarm import state
from mpigen.swarm.deployment import Deployment
from mpigen.swarm.engine import blame
from mpigen.swarm.placement import allows

CREATE, CHANGE, REMOVE, LEAVE, NOTHING = "create", "change", "remove", "leave", "none"
_SETTLED = ("", "completed")
# secrets and configs of mpigen end with a hash of their content
_HASHED = r"_[0-9a-f]{12}$"


@dataclass(frozen=True)
class Change:
    """What becomes of a network, secret, config or service. `action` is one of the constants.

    What is removed are keys that were rotated. All else that is part of the stack, and no longer
    of its file, is left.
    `started`, `replaced` and `removed` are numbers of containers.
    """

    action: str
    kind: str
    name: str
    differences: tuple[Difference, ...] = ()
    started: int = 0
    replaced: int = 0
    removed: int = 0


@dataclass
class OnSwarm:
    """What the manager reports of the stack, and the sentences for `Plan`."""

    deployment: Deployment
    services: dict[str, dict[str, Any]]
    networks: dict[str, str]
    refused: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def changes(swarm: OnSwarm, request: Request) -> Iterator[Change]:
    """What a request changes: at most one thing. Adds what Swarm would refuse to `swarm`."""
    if request.kind == "service":
        yield _service(swarm, request)
    elif not request.id:
        yield Change(CREATE, request.kind, request.name)
    elif request.kind == "config":
        # the client updates each one, and Swarm takes new labels only
        with blame(f"asking for the config {request.name}"):
            there = swarm.deployment.engine.client.api.inspect_config(request.id)  # type: ignore[no-untyped-call]
        if there["Spec"].get("Data", "") != request.body.get("Data", ""):
            swarm.refused.append(
                f"the content of the config {request.name} differs, but Swarm cannot change a "
                "config: give it another name"
            )
    elif not search(_HASHED, request.name):
        swarm.unknown.append(
            f"the content of the secret {request.name}, which Swarm keeps to itself: it refuses "
            "to change one"
        )


def _service(swarm: OnSwarm, request: Request) -> Change:
    name, mode = request.name, request.body["Mode"]
    wanted = _count(swarm, request.body)
    live = swarm.services.get(name)
    if live is None:
        return Change(CREATE, "service", name, started=wanted)
    if mode.keys() != live["Spec"]["Mode"].keys():
        swarm.refused.append(
            f"{name} is {' '.join(live['Spec']['Mode']).lower()}, which Swarm cannot change: "
            f"docker service rm {name}"
        )
    update = (live.get("UpdateStatus") or {}).get("State", "")
    if update not in _SETTLED:
        swarm.unknown.append(
            f"{name}: the result of its last update, which is {update}: containers that it "
            "has not replaced yet may be replaced"
        )
    found = tuple(specs.differences(live["Spec"], request.body, swarm.networks))
    if not found:
        return Change(NOTHING, "service", name)
    tasks = state.tasks_of(swarm.deployment.engine, name)
    running = [each for each in tasks if each.desired in ("running", "ready")]
    numbered = "Replicated" in mode
    stay = min(wanted, len(running)) if numbered else len(running)
    change = Change(
        *(CHANGE, "service", name, found),
        started=max(0, wanted - len(running)) if numbered else 0,
        removed=len(running) - stay,
    )
    why = [each for each in found if each.replaces]
    if why and all(each.is_placement for each in why):
        return _moved(swarm, change, request.body, running)
    return replace(change, replaced=stay if why else 0)


def _moved(
    swarm: OnSwarm, change: Change, body: Mapping[str, Any], running: Sequence[state.Task]
) -> Change:
    """With another placement alone, containers stay on nodes that meet it."""
    constraints = _constraints(body)
    meets = {each.name for each in swarm.deployment.nodes() if allows(each, constraints)}
    moved = sum(each.node not in meets for each in running)
    return replace(change, replaced=max(0, moved - change.removed))


def _count(swarm: OnSwarm, body: Mapping[str, Any]) -> int:
    """The number of containers that a service asks for."""
    numbered = body["Mode"].get("Replicated")
    if numbered:
        return int(numbered.get("Replicas", 1))
    ready = [node for node in swarm.deployment.nodes() if node.is_ready]
    return sum(allows(node, _constraints(body)) for node in ready)


def _constraints(body: Mapping[str, Any]) -> list[str]:
    return (body["TaskTemplate"].get("Placement") or {}).get("Constraints") or []
