"""What the Swarm has of a cluster now: services, tasks and nodes. It asks a manager, no more."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from docker.errors import NotFound

from mpigen.artifacts.folder import Artifacts, Group
from mpigen.errors import ClusterError
from mpigen.swarm.engine import Engine, blame

STACK_LABEL = "com.docker.stack.namespace"
"""The label of all that `docker stack deploy` makes."""


@dataclass(frozen=True)
class Task:
    """One container of a service, or what Swarm says of why there is none.

    `slot` is 0 in a global service; `container` and `error` may be empty. `state` and `desired`
    are Swarm's words: new, pending, ..., running, complete, failed, rejected, shutdown.
    """

    id: str
    slot: int
    node: str
    state: str
    desired: str
    error: str
    container: str
    exit_code: int | None
    image: str
    changed: str

    @property
    def place(self) -> str:
        """What its host is named by, behind the group's name."""
        return str(self.slot or self.node)


@dataclass(frozen=True)
class LiveGroup:
    """A worker group as it is deployed. `tasks` are those that Swarm wants to run, by slot.

    `failed` are those that Swarm has given up, newest first. `update` is the state of a rolling
    update, as in docker service inspect, or empty.
    """

    name: str
    service: str
    wanted: int
    slots: int
    image: str
    update: str
    variant: str = ""
    tasks: tuple[Task, ...] = field(default=())
    failed: tuple[Task, ...] = field(default=())

    @property
    def running(self) -> int:
        """Containers that are up; one with a healthcheck is so only once it is healthy."""
        return sum(task.state == "running" for task in self.tasks)


def groups(engine: Engine, artifacts: Artifacts, stack: str) -> list[LiveGroup]:
    """The groups of the stack, in the order of the artifacts. Those not deployed are left out.

    Raises ClusterError if the engine is no manager, or silent.
    """
    engine.need_manager()
    with blame(f"asking for the services of {stack}"):
        nodes = hostnames(engine)
        found = []
        for group in artifacts.groups:
            service = f"{stack}_{group.name}"
            try:
                spec = engine.client.api.inspect_service(service)  # type: ignore[no-untyped-call]
            except NotFound:
                continue
            tasks = _tasks(engine, {"service": service}, nodes)
            found.append(_group(group, service, spec, tasks))
    return found


def deployed(engine: Engine, artifacts: Artifacts, stack: str) -> list[LiveGroup]:
    """As `groups`. Raises ClusterError if the stack is not deployed at all."""
    found = groups(engine, artifacts, stack)
    if not found:
        raise ClusterError(f"the stack {stack} is not deployed", "Deploy it: mpigen deploy")
    return found


def tasks_of(engine: Engine, service: str) -> list[Task]:
    """Every task that Swarm remembers of a service, newest first."""
    with blame(f"asking for the tasks of {service}"):
        return _tasks(engine, {"service": service}, hostnames(engine))


def attached(engine: Engine, network: str) -> dict[str, str]:
    """The containers that are no task of a service and are on that overlay: id to host name.

    Jobs are such, whichever engine has started them. Those of nodes that are lost are left out.
    """
    with blame(f"asking for what is attached to {network}"):
        listed = engine.client.api.tasks({"runtime": "attachment"})  # type: ignore[no-untyped-call]
        nodes = {node["ID"]: node["Status"]["State"] for node in engine.client.api.nodes()}
        names = hostnames(engine)
    found = {}
    for task in listed:
        on = [each["Network"]["Spec"]["Name"] for each in task.get("NetworksAttachments") or []]
        node = task.get("NodeID", "")
        if network in on and task["Status"]["State"] == "running" and nodes.get(node) == "ready":
            found[task["Spec"]["NetworkAttachmentSpec"]["ContainerID"]] = names[node]
    return found


def hostnames(engine: Engine) -> dict[str, str]:
    """The host name of each node, by its id."""
    # a node that joins at this moment has no description yet
    return {
        node["ID"]: node.get("Description", {}).get("Hostname", node["ID"])
        for node in engine.client.api.nodes()
    }


def _group(group: Group, service: str, spec: dict[str, Any], tasks: Sequence[Task]) -> LiveGroup:
    mode = spec["Spec"]["Mode"]
    numbered = mode.get("Replicated")
    wanted = [task for task in tasks if task.desired in ("running", "ready")]
    return LiveGroup(
        name=group.name,
        service=service,
        # a global service that has only begun has no task yet
        wanted=numbered["Replicas"] if numbered else max(1, len(wanted)),
        slots=group.slots,
        image=spec["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"],
        variant=group.variant,
        update=spec.get("UpdateStatus", {}).get("State", ""),
        tasks=tuple(sorted(wanted, key=lambda task: (task.slot, task.node))),
        failed=tuple(task for task in tasks if task.state in ("failed", "rejected")),
    )


def _tasks(engine: Engine, filters: dict[str, str], nodes: dict[str, str]) -> list[Task]:
    listed = engine.client.api.tasks(filters)  # type: ignore[no-untyped-call]
    return [
        _task(each, nodes)
        for each in sorted(listed, key=lambda task: str(task["CreatedAt"]), reverse=True)
    ]


def _task(task: dict[str, Any], nodes: dict[str, str]) -> Task:
    status = task["Status"]
    container = status.get("ContainerStatus") or {}
    return Task(
        id=task["ID"],
        slot=task.get("Slot", 0),
        node=nodes.get(task.get("NodeID", ""), ""),
        state=status["State"],
        desired=task["DesiredState"],
        error=status.get("Err", ""),
        container=container.get("ContainerID", ""),
        exit_code=container.get("ExitCode") if container.get("ContainerID") else None,
        image=task["Spec"].get("ContainerSpec", {}).get("Image", ""),
        changed=status["Timestamp"],
    )
