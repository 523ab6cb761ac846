"""The state of a cluster on the Swarm: services and their tasks, as a manager reports them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from docker.errors import NotFound

from mpigen.artifacts.folder import Group
from mpigen.errors import ClusterError
from mpigen.swarm import nodes
from mpigen.swarm.deployment import Deployment
from mpigen.swarm.engine import Engine, blame

NAMESPACE_LABEL = "com.docker.stack.namespace"
"""The label of everything that `docker stack deploy` creates; its value is the stack's name."""
IMAGE_LABEL = "mpigen.image"
"""The containers' label with the id of their image, which deploy.sh writes: Swarm compares names
of images, and a label that differs makes it replace the containers of another image too."""
ENDED = frozenset({"complete", "failed", "rejected", "shutdown", "orphaned"})
"""Terminal states of a task. `remove` is none: a task is only ever desired to be in that state
(docs.docker.com/engine/swarm/how-swarm-mode-works/swarm-task-states)."""


@dataclass(frozen=True)
class Task:
    """One container of a service, or Swarm's reason why there is none.

    `slot` is 0 in a global service; `container` and `error` may be empty. `state` and `desired`
    are Swarm's words: new, pending, ..., running, complete, failed, rejected, shutdown. `created`
    and `since`, the time of its state, are as Docker writes them; `constraints` are its own.
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
    created: str = ""
    since: str = ""
    constraints: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """The part of its host name that follows the group's name: slot, or node if global."""
        return str(self.slot or self.node)

    @property
    def has_ended(self) -> bool:
        """Whether it will not run any more."""
        return self.state in ENDED


@dataclass(frozen=True)
class LiveGroup:
    """A deployed worker group. `tasks` are those that Swarm wants to run, by slot.

    `failed` are the tasks that failed or were rejected, newest first. `update` is the state of a
    rolling update, as in docker service inspect, or empty. `image_id` is the identity of the
    image on the manager that deployed it; empty if that had no such image.
    """

    name: str
    service: str
    wanted: int
    slots: int
    image: str
    update: str
    variant: str = ""
    image_id: str = ""
    tasks: tuple[Task, ...] = field(default=())
    failed: tuple[Task, ...] = field(default=())

    @property
    def running(self) -> int:
        """The number of running containers; with a health check, only the healthy ones."""
        return sum(task.state == "running" for task in self.tasks)

    @property
    def unplaced(self) -> dict[str, str]:
        """Swarm's reason for each container that no node can take, by host name."""
        return {
            f"{self.name}-{task.place}": task.error
            for task in self.tasks
            if task.state == "pending" and "no suitable node" in task.error
        }


def groups(deployment: Deployment) -> list[LiveGroup]:
    """The stack's deployed groups, in the order of the artifacts.

    Raises ClusterError if the engine is no manager, or silent.
    """
    engine = deployment.engine
    engine.need_manager()
    with blame(f"asking for the services of {deployment.stack}"):
        names = _node_names(engine)
        found = []
        for group in deployment.artifacts.groups:
            service = deployment.service(group.name)
            try:
                spec = engine.client.api.inspect_service(service)  # type: ignore[no-untyped-call]
                tasks = _tasks(engine, {"service": service}, names)
            except NotFound:
                continue
            found.append(_group(group, service, spec, tasks))
    return found


def deployed(deployment: Deployment) -> list[LiveGroup]:
    """The same as `groups`. Raises ClusterError if no group is deployed."""
    found = groups(deployment)
    if not found:
        raise ClusterError(
            f"the stack {deployment.stack} is not deployed", "Deploy it: mpigen deploy"
        )
    return found


def tasks_of(engine: Engine, service: str) -> list[Task]:
    """Every task of a service that Swarm still keeps, newest first."""
    with blame(f"asking for the tasks of {service}"):
        return _tasks(engine, {"service": service}, _node_names(engine))


def tasks_by_service(engine: Engine, services: Sequence[str]) -> dict[str, list[Task]]:
    """The same of several services by their ids, in one request: a list for each."""
    found: dict[str, list[Task]] = {service: [] for service in services}
    if not services:
        return found
    with blame("asking for the tasks of services"):
        names = _node_names(engine)
        listed = engine.client.api.tasks({"service": list(services)})  # type: ignore[no-untyped-call]
    for each in sorted(listed, key=lambda task: str(task["CreatedAt"]), reverse=True):
        if each["ServiceID"] in found:
            found[each["ServiceID"]].append(_task(each, names))
    return found


def attached(engine: Engine, network: str) -> dict[str, str]:
    """Containers on that overlay that belong to no service: container id to node name.

    Jobs in the foreground are such containers, whichever engine started them. Containers of lost
    nodes are left out.
    """
    with blame(f"asking for what is attached to {network}"):
        listed = engine.client.api.tasks({"runtime": "attachment"})  # type: ignore[no-untyped-call]
        up = {node.id: node for node in nodes.listed(engine.client) if node.state == "ready"}
    found = {}
    for task in listed:
        on = [each["Network"]["Spec"]["Name"] for each in task.get("NetworksAttachments") or []]
        node = up.get(task.get("NodeID", ""))
        if network in on and task["Status"]["State"] == "running" and node:
            found[task["Spec"]["NetworkAttachmentSpec"]["ContainerID"]] = node.name
    return found


def _node_names(engine: Engine) -> dict[str, str]:
    return {node.id: node.name for node in nodes.listed(engine.client)}


def _group(group: Group, service: str, spec: dict[str, Any], tasks: Sequence[Task]) -> LiveGroup:
    mode = spec["Spec"]["Mode"]
    numbered = mode.get("Replicated")
    wanted = [task for task in tasks if task.desired in ("running", "ready")]
    container = spec["Spec"]["TaskTemplate"]["ContainerSpec"]
    return LiveGroup(
        name=group.name,
        service=service,
        # a global service has no task yet right after it was created
        wanted=numbered["Replicas"] if numbered else max(1, len(wanted)),
        slots=group.slots,
        image=container["Image"],
        image_id=(container.get("Labels") or {}).get(IMAGE_LABEL, ""),
        variant=group.variant,
        update=spec.get("UpdateStatus", {}).get("State", ""),
        tasks=tuple(sorted(wanted, key=lambda task: (task.slot, task.node))),
        failed=tuple(task for task in tasks if task.state in ("failed", "rejected")),
    )


def _tasks(engine: Engine, filters: dict[str, str], names: dict[str, str]) -> list[Task]:
    listed = engine.client.api.tasks(filters)  # type: ignore[no-untyped-call]
    return [
        _task(each, names)
        for each in sorted(listed, key=lambda task: str(task["CreatedAt"]), reverse=True)
    ]


def _task(task: dict[str, Any], names: dict[str, str]) -> Task:
    status = task["Status"]
    container = status.get("ContainerStatus") or {}
    return Task(
        id=task["ID"],
        slot=task.get("Slot", 0),
        node=names.get(task.get("NodeID", ""), ""),
        state=status["State"],
        desired=task["DesiredState"],
        error=status.get("Err", ""),
        container=container.get("ContainerID", ""),
        exit_code=container.get("ExitCode") if container.get("ContainerID") else None,
        image=task["Spec"].get("ContainerSpec", {}).get("Image", ""),
        created=str(task["CreatedAt"]),
        since=str(status.get("Timestamp", "")),
        constraints=tuple((task["Spec"].get("Placement") or {}).get("Constraints") or ()),
    )
