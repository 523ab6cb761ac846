"""The hosts that a job can use, and the options of Docker that start a job on them."""

import math
from dataclasses import dataclass, field

from mpigen.errors import ClusterError, InputError
from mpigen.job import slots, spec
from mpigen.job.spec import JobSpec
from mpigen.notation.image_names import strip_variant
from mpigen.swarm import nodes, state
from mpigen.swarm.deployment import Deployment
from mpigen.swarm.engine import Engine, blame
from mpigen.swarm.placement import allows
from mpigen.swarm.state import LiveGroup


@dataclass(frozen=True)
class Hosts:
    """The worker containers that jobs can use: the count of each group, and slots per container.

    `known` is false where no manager could be asked; the counts are then as rendered. `missing` are
    the groups that are rendered and not deployed; `unplaced` has, by group and host name, Swarm's
    reason for each container that no node can take.
    `most` is how many containers a group can have on today's nodes, where something limits that.
    """

    image: str
    counts: dict[str, int]
    slots: dict[str, int]
    constraints: dict[str, tuple[str, ...]]
    known: bool
    missing: tuple[str, ...] = ()
    unplaced: dict[str, dict[str, str]] = field(default_factory=dict)
    most: dict[str, int] = field(default_factory=dict)

    def choose(self, groups: tuple[str, ...]) -> "Hosts":
        """The hosts of these groups, in this order; all hosts if no group is named.

        Raises InputError for an unknown group, ClusterError if one of them is not deployed or no
        node can take one of its containers: the job would wait for it in vain.
        """
        for group in groups:
            if group not in self.counts and group not in self.missing:
                there = ", ".join([*self.counts, *self.missing])
                raise InputError(f"--workers {group}: there is no such group; groups: {there}")
        chosen = dict.fromkeys(groups or (*self.counts, *self.missing))
        if absent := [group for group in chosen if group in self.missing]:
            rest = " ".join(f"--workers {group}" for group in self.counts)
            raise ClusterError(
                f"{', '.join(absent)}: rendered, but not deployed yet",
                "Deploy it: mpigen deploy" + (f"; or run without it: {rest}" if rest else ""),
            )
        unplaced = {
            host: why for group in chosen for host, why in self.unplaced.get(group, {}).items()
        }
        if unplaced:
            raise ClusterError(
                "\n".join(f"Swarm cannot place {host}: {why}" for host, why in unplaced.items()),
                "docker node ls shows the nodes; mpigen scale removes containers.",
            )
        return Hosts(
            self.image,
            {group: self.counts[group] for group in chosen},
            {group: self.slots[group] for group in chosen},
            {group: self.constraints.get(group, ()) for group in chosen},
            self.known,
            most=self.most,
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
        missing = tuple(group.name for group in artifacts.groups if group.name not in counts)
        unplaced = {group.name: group.unplaced for group in found}
        constraints, most = _placement(engine, found)
        return Hosts(image, counts, slots, constraints, True, missing, unplaced, most)
    counts = {group.name: group.replicas for group in artifacts.groups}
    return Hosts(_local_image(deployment), counts, slots, {}, known=False)


def _placement(
    engine: Engine, found: list[LiveGroup]
) -> tuple[dict[str, tuple[str, ...]], dict[str, int]]:
    """Each group's constraints, and how many containers it can have, where Swarm limits that."""
    placed, most = {}, {}
    with blame("asking for the placement of services"):
        there = [node for node in nodes.listed(engine.client) if node.is_ready]
        for group in found:
            service = engine.client.api.inspect_service(group.service)  # type: ignore[no-untyped-call]
            placement = service["Spec"]["TaskTemplate"].get("Placement") or {}
            constraints = placed[group.name] = tuple(placement.get("Constraints") or ())
            if "Global" in service["Spec"]["Mode"]:
                most[group.name] = group.wanted
            elif each := placement.get("MaxReplicas"):
                most[group.name] = each * sum(allows(node, constraints) for node in there)
    return placed, most


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
        raise ClusterError(f"there are no slots: {there}", f"Add some: mpigen scale {group}=1")
    if job.ranks is None or job.ranks <= hosts.total:
        return
    raise InputError(
        f"-n {job.ranks} needs more than the {hosts.total} slots that the hosts have: {there}",
        f"{_more(hosts, job.ranks - hosts.total)} or share them: "
        f"mpigen run -- --oversubscribe -n {job.ranks} CMD",
    )


def _more(hosts: Hosts, slots: int) -> str:
    """How to get that many slots more: by `mpigen scale`, if a group can have the containers."""
    for group in sorted(hosts.counts, key=lambda name: -hosts.slots[name]):
        count = hosts.counts[group] + math.ceil(slots / hosts.slots[group])
        if count <= hosts.most.get(group, count):
            return f"Add more: mpigen scale {group}={count};"
    return "The groups cannot be larger on these nodes with their max_per_node: add servers,"


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
        spec.USER_LABEL: spec.who(),
        spec.SLOTS_LABEL: slots.label(slots.taken(job, hosts)),
    }.items():
        options += ["--label", f"{label}={value}"]
    return options
