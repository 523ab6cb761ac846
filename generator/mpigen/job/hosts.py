"""The hosts that a job can use, and what Docker is told of a job on them."""

import math
from dataclasses import dataclass

from mpigen.artifacts.folder import Artifacts
from mpigen.errors import ClusterError, InputError
from mpigen.job import spec
from mpigen.job.spec import Work
from mpigen.notation.image_names import strip_variant
from mpigen.swarm import state
from mpigen.swarm.engine import Engine, blame


@dataclass(frozen=True)
class Hosts:
    """The containers that jobs can use: how many each group has, and the slots of one of each.

    `known` is false where no manager could be asked, and the counts are as rendered.
    """

    image: str
    counts: dict[str, int]
    slots: dict[str, int]
    constraints: dict[str, tuple[str, ...]]
    known: bool

    def choose(self, groups: tuple[str, ...]) -> "Hosts":
        """Those of these groups, in this order; all of them where none is named.

        Raises InputError for a group that there is not.
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
        """Slots of all of them."""
        return sum(count * self.slots[group] for group, count in self.counts.items())


def there_are(engine: Engine, artifacts: Artifacts, stack: str) -> Hosts:
    """What there is for jobs of the stack; on a plain worker node, as was rendered.

    Raises ClusterError if the stack is not deployed, or the engine is in no Swarm.
    """
    slots = {group.name: group.slots for group in artifacts.groups}
    with blame(f"asking the engine at {engine.where.url} for its Swarm"):
        manager = engine.is_manager
    if manager:
        found = state.deployed(engine, artifacts, stack)
        counts = {group.name: group.wanted for group in found}
        # jobs are of the cluster's own image
        one = min(found, key=lambda group: group.variant != "")
        image = strip_variant(one.image, one.variant)
        return Hosts(image, counts, slots, _constraints(engine, found), known=True)
    counts = {group.name: group.replicas for group in artifacts.groups}
    return Hosts(_local_image(engine, artifacts, stack), counts, slots, {}, known=False)


def _constraints(engine: Engine, found: list[state.LiveGroup]) -> dict[str, tuple[str, ...]]:
    placed = {}
    with blame("asking for the placement of services"):
        for group in found:
            spec = engine.client.api.inspect_service(group.service)  # type: ignore[no-untyped-call]
            placement = spec["Spec"]["TaskTemplate"].get("Placement") or {}
            placed[group.name] = tuple(placement.get("Constraints") or ())
    return placed


def _local_image(engine: Engine, artifacts: Artifacts, stack: str) -> str:
    """The image of a worker on this node, else the one of the artifacts."""
    with blame(f"asking the engine at {engine.where.url} for its containers"):
        state = engine.client.info()["Swarm"].get("LocalNodeState")
        for group in artifacts.groups:
            label = f"com.docker.swarm.service.name={stack}_{group.name}"
            for worker in engine.client.api.containers(filters={"label": label}):
                return strip_variant(str(worker["Image"]), group.variant)
    if state != "active":
        engine.need_manager()  # says how to get into a Swarm
    return artifacts.image


def refuse_too_many(job: Work, hosts: Hosts) -> None:
    """Raise InputError, saying what there is, if the job needs more slots than that.

    Where no manager could be asked there is nothing to refuse by: mpirun itself will tell.
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


def options(job: Work, hosts: Hosts, artifacts: Artifacts, stack: str) -> list[str]:
    """What `docker create` and `docker service create` take alike for a job."""
    ranks = job.ranks or hosts.total
    environment = list(job.env)
    if hosts.known:
        pairs = " ".join(f"{group}={count}" for group, count in hosts.counts.items())
        environment.append(f"MPI_EXPECT={pairs}")
    if job.groups:
        environment.append(f"MPI_GROUPS={' '.join(job.groups)}")
    words = ["--init", "--cap-drop", "ALL", "--network", artifacts.network_of(stack)]
    for pair in environment:
        words += ["--env", pair]
    for mount in job.mounts:
        words += ["--mount", mount]
    for label, value in {
        spec.JOB_LABEL: job.name,
        spec.STACK_LABEL: stack,
        spec.RANKS_LABEL: str(ranks),
        spec.HOSTS_LABEL: str(sum(hosts.counts.values())),
        spec.COMMAND_LABEL: job.shown,
        **({spec.TIMEOUT_LABEL: str(job.timeout)} if job.timeout else {}),
    }.items():
        words += ["--label", f"{label}={value}"]
    return words
