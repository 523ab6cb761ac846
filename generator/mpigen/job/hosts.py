"""The hosts that a job can use, and the options of Docker that start a job on them."""

import math
from dataclasses import dataclass

from mpigen.errors import ClusterError, InputError
from mpigen.job import spec
from mpigen.job.spec import JobSpec
from mpigen.notation.image_names import strip_variant
from mpigen.swarm import state
from mpigen.swarm.deployment import Deployment
from mpigen.swarm.engine import Engine, blame
from mpigen.swarm.state import LiveGroup


@dataclass(frozen=True)
class Hosts:
    """The worker containers that jobs can use: the count of each group, and slots per container.

    `known` is false where no manager could be asked; the counts are then as rendered.
    """

    image: str
    counts: dict[str, int]
    slots: dict[str, int]
    constraints: dict[str, tuple[str, ...]]
    known: bool

    def choose(self, groups: tuple[str, ...]) -> "Hosts":
        """The hosts of these groups, in this order; all hosts if no group is named.

        Raises InputError for an unknown group.
        """
        for group in groups:
            if group not in self.counts:
                there = ", ".join(self.counts)
                raise InputError(f"--workers {group}: there is no such group; there are: {there}")
        chosen = dict.fromkeys(groups or self.counts)
        return Hosts(
            self.image,
            {group: self.counts[group] for group in chosen},
            {group: self.slots[group] for group in chosen},
            {group: self.constraints.get(group, ()) for group in chosen},
            self.known,
        )

    @property
    def total(self) -> int:
        """The slots of all hosts."""
        return sum(count * self.slots[group] for group, count in self.counts.items())


def discover_hosts(deployment: Deployment) -> Hosts:
    """Hosts that can run the stack's jobs, from the Swarm; as rendered if this node is no manager.

    Raises ClusterError if the stack is not deployed, or the engine is not part of a Swarm.
    """
    engine, artifacts = deployment.engine, deployment.artifacts
    slots = {group.name: group.slots for group in artifacts.groups}
    with blame(f"asking the engine at {engine.where.url} for its Swarm"):
        manager = engine.is_manager
    if manager:
        found = state.deployed(deployment)
        counts = {group.name: group.wanted for group in found}
        # jobs run from the cluster's own image, never from a variant
        one = min(found, key=lambda group: group.variant != "")
        image = strip_variant(one.image, one.variant)
        return Hosts(image, counts, slots, _constraints(engine, found), known=True)
    counts = {group.name: group.replicas for group in artifacts.groups}
    return Hosts(_local_image(deployment), counts, slots, {}, known=False)


def _constraints(engine: Engine, found: list[LiveGroup]) -> dict[str, tuple[str, ...]]:
    placed = {}
    with blame("asking for the placement of services"):
        for group in found:
            service = engine.client.api.inspect_service(group.service)  # type: ignore[no-untyped-call]
            placement = service["Spec"]["TaskTemplate"].get("Placement") or {}
            placed[group.name] = tuple(placement.get("Constraints") or ())
    return placed


def _local_image(deployment: Deployment) -> str:
    """The image of a worker on this node; without one, that of the artifacts."""
    engine = deployment.engine
    with blame(f"asking the engine at {engine.where.url} for its containers"):
        membership = engine.client.info()["Swarm"].get("LocalNodeState")
        for group in deployment.artifacts.groups:
            label = f"com.docker.swarm.service.name={deployment.service(group.name)}"
            for worker in engine.client.api.containers(filters={"label": label}):
                return strip_variant(str(worker["Image"]), group.variant)
    if membership != "active":
        engine.need_manager()  # its error says how to get into a Swarm
    return deployment.artifacts.image


def refuse_too_many(job: JobSpec, hosts: Hosts) -> None:
    """Raise InputError if the job needs more slots than the hosts have.

    Does nothing where no manager could be asked: mpirun itself reports missing slots.
    """
    if not hosts.known:
        return
    there = ", ".join(
        f"{group} has {count} x {hosts.slots[group]}" for group, count in hosts.counts.items()
    )
    if not hosts.total:
        group = next(iter(hosts.counts))
        raise ClusterError(f"there is no slot: {there}", f"Get some: mpigen scale {group}=1")
    if job.ranks is None or job.ranks <= hosts.total:
        return
    group = max(hosts.counts, key=lambda name: hosts.slots[name])
    more = hosts.counts[group] + math.ceil((job.ranks - hosts.total) / hosts.slots[group])
    raise InputError(
        f"-n {job.ranks} needs more than the {hosts.total} slots that there are: {there}",
        f"Get more: mpigen scale {group}={more}; or share them: "
        f"mpigen run -- --oversubscribe -n {job.ranks} CMD",
    )


def create_options(job: JobSpec, hosts: Hosts, deployment: Deployment) -> list[str]:
    """The options of a job that `docker create` and `docker service create` have in common."""
    ranks = job.ranks or hosts.total
    environment = list(job.env)
    if hosts.known:
        pairs = " ".join(f"{group}={count}" for group, count in hosts.counts.items())
        environment.append(f"MPI_EXPECT={pairs}")
    if job.groups:
        environment.append(f"MPI_GROUPS={' '.join(job.groups)}")
    options = ["--init", "--cap-drop", "ALL", "--network", deployment.network]
    for pair in environment:
        options += ["--env", pair]
    for mount in job.mounts:
        options += ["--mount", mount]
    for label, value in {
        spec.JOB_LABEL: job.name,
        spec.JOB_STACK_LABEL: deployment.stack,
        spec.RANKS_LABEL: str(ranks),
        spec.HOSTS_LABEL: str(sum(hosts.counts.values())),
        spec.COMMAND_LABEL: job.display,
    }.items():
        options += ["--label", f"{label}={value}"]
    return options
