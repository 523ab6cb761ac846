"""The doctor's checks of the engines, the Swarm, its nodes, and the image on them."""

import re
from dataclasses import dataclass

from mpigen.doctor.facts import Facts
from mpigen.doctor.findings import Finding, grouped, together, unseen

_CLOCK_SECONDS = 5.0
_IMAGES = 2  # a new image beside the old one


@dataclass(frozen=True)
class Need:
    """Something that the artifacts use, the version of Docker that brought it, and who says so.

    What is newer than engine.minimum is left out of them.
    """

    version: str
    what: str
    source: str


NEEDS = (
    Need("25.0", "start_interval of health checks", "docs.docker.com, compose file versions: 3.12"),
    Need("20.10", "host names such as worker-1 that resolve", "measured; moby/moby#39204"),
    Need("20.10", "cap_drop in services", "docs.docker.com/reference/api/engine/version-history"),
    Need("19.03", "stack files of version 3.8", "docs.docker.com, compose file versions"),
    Need("18.06", "init in services", "docs.docker.com, compose file versions: 3.7"),
    Need("17.09", "start_period of health checks", "docs.docker.com, compose file versions: 3.4"),
    Need("1.13", "attachable overlays", "github.com/moby/moby/releases/tag/v1.13.0"),
)
_SHARED_MEMORY = "23.0"
"""From here on an engine lets MPI copy between processes: moby/moby#42083, and measured."""


def parsed(version: str) -> tuple[int, ...]:
    """The numbers that a version begins with; () if it begins with none."""
    numbers = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, numbers[0].split("."))) if numbers else ()


def client(facts: Facts) -> list[Finding]:
    """Whether the docker command can deploy the artifacts."""
    if not facts.client:
        todo = "Install it: https://docs.docker.com/engine/install/"
        return [Finding("client", "bad", facts.client_error, todo)]
    return _version("client", {"the docker command": facts.client}, facts.minimum)


def engine(facts: Facts) -> list[Finding]:
    """Whether the engine answers, and all of the Swarm's are new enough."""
    if not facts.engine:
        return [Finding("engine", "bad", facts.engine_error, facts.engine_hint)]
    known = {node.name: node.engine for node in facts.nodes if node.engine}
    return _version("engine", known or {facts.where: facts.engine}, facts.minimum)


def _version(check: str, versions: dict[str, str], minimum: str) -> list[Finding]:
    found = []
    for version, names in grouped((name, version) for name, version in versions.items()).items():
        numbers = parsed(version)
        if not numbers:
            what = f"{version} of {names} is no version that can be compared with {minimum}"
            found.append(Finding(check, "unknown", what))
        elif numbers < parsed(minimum):
            lacks = [
                need.what for need in NEEDS if numbers < parsed(need.version) <= parsed(minimum)
            ]
            what = f"{names}: {version} is older than {minimum}, without {', '.join(lacks)}"
            found.append(Finding(check, "bad", what, f"Install Docker {minimum} or newer."))
        else:
            what = f"{version}: {names} ({minimum} is needed)"
            if check == "engine" and numbers < parsed(_SHARED_MEMORY):
                what += f"; from {_SHARED_MEMORY} on, MPI is quicker between ranks of a container"
            found.append(Finding(check, "ok", what))
    return found


def swarm(facts: Facts) -> list[Finding]:
    """Whether there is a Swarm that can be asked."""
    if facts.swarm == "active" and facts.is_manager and facts.nodes:
        return [Finding("swarm", "ok", f"active, {len(facts.nodes)} nodes")]
    if facts.swarm == "active" and facts.is_manager:
        todo = (
            "More than half of the managers must be up: start them. If they are lost for good, "
            "on one that is left: docker swarm init --force-new-cluster"
        )
        return [Finding("swarm", "bad", f"its manager cannot speak: {facts.swarm_error}", todo)]
    if facts.swarm == "active":
        return [Finding("swarm", "unknown", worker(facts))]
    if facts.swarm == "inactive":
        todo = "docker swarm init makes one of it, docker swarm join makes it part of one."
        return [Finding("swarm", "bad", f"the engine at {facts.where} is in no Swarm", todo)]
    what = f"the engine's part in its Swarm is {facts.swarm}: {facts.swarm_error or 'no reason'}"
    todo = "docker swarm unlock" if facts.swarm == "locked" else "docker info tells more."
    return [Finding("swarm", "bad", what, todo)]


def worker(facts: Facts) -> str:
    """That this engine is a worker, and where a manager is."""
    there = f"; its managers: {together(facts.managers)}" if facts.managers else ""
    return f"the engine at {facts.where} is a worker of its Swarm{there}: name one by --context"


def managers(facts: Facts) -> list[Finding]:
    """Whether the managers reach each other, and how many may be lost."""
    all_ = [node for node in facts.nodes if node.manager]
    lost = [node.name for node in all_ if node.manager == "unreachable"]
    bears = (len(all_) - 1) // 2
    if lost:
        left = f"{len(all_) - len(lost)} of {len(all_)} are left, {len(all_) - bears} are needed"
        todo = "Start their engines; open 2377/tcp to them. For good: docker node demote NAME"
        return [Finding("managers", "bad", f"{together(lost)}: unreachable; {left}", todo)]
    what = f"{len(all_)} of {len(all_)} reachable; {bears} may be lost"
    if len(all_) % 2 == 0:
        what += f", as with {len(all_) - 1}: an odd number is better"
    return [Finding("managers", "ok", what)]


def nodes(facts: Facts) -> list[Finding]:
    """Whether Swarm may start containers on every node."""
    found = []
    for node in facts.nodes:
        if node.state != "ready":
            todo = f"Start its engine. If it is lost for good: docker node rm --force {node.name}"
            found.append(Finding("nodes", "bad", f"{node.name} is {node.state}", todo))
        elif node.availability != "active":
            word = {"drain": "drained", "pause": "paused"}.get(node.availability, "not active")
            todo = f"docker node update --availability active {node.name}"
            found.append(Finding("nodes", "bad", f"{node.name} is {word}", todo))
    return found or [Finding("nodes", "ok", f"{len(facts.nodes)} ready and active")]


def look(facts: Facts) -> list[Finding]:
    """Whether a container that looks could be run on every node; all that follows needs it."""
    if facts.swarm_error:
        return [Finding("look", "bad", facts.swarm_error, facts.swarm_hint)]
    names = {node.id: node.name for node in facts.nodes if node.is_ready}
    errors = {
        **{id: f"on the overlay: {why}" for id, why in facts.attached_errors.items()},
        **facts.hosts_errors,
    }
    failed = grouped(
        (names[id], why) for id, why in errors.items() if id in names and not _lacks(why)
    )
    todo = "Look at that node's engine; then again: mpigen doctor"
    bad = [Finding("look", "bad", f"{those}: {why}", todo) for why, those in failed.items()]
    ran = f"a container that looks ran on {len(facts.hosts)} of {len(facts.nodes)} nodes"
    return bad or [Finding("look", "ok" if facts.hosts else "unknown", ran)]


def _lacks(error: str) -> bool:
    return "no such image" in error.lower()


def image(facts: Facts) -> list[Finding]:
    """Whether every node has the image, and the same one; and so with what runs."""
    found = []
    lacking = [
        node
        for node in facts.nodes
        if node.is_ready and _lacks(facts.hosts_errors.get(node.id, ""))
    ]
    needed = [node.name for node in lacking if node.takes_workers]
    if needed:
        what = f"{together(needed)}: no image {facts.image}"
        found.append(Finding("image", "bad", what, "Bring it there: mpigen build"))
    if spare := [node.name for node in lacking if not node.takes_workers]:
        what = f"{together(spare)}: no image {facts.image}, and no group is placed there"
        found.append(Finding("image", "ok", what))
    names = {node.id: node.name for node in facts.nodes}
    have = grouped((names[id], host.image) for id, host in facts.hosts.items() if host.image)
    hosts = {worker.address: worker.host for worker in facts.workers}
    runs = grouped(
        (hosts[address], image)
        for seen in facts.attached.values()
        for address, image in seen.images.items()
        if address in hosts
    )
    if len({*have, *runs}) > 1:
        parts = [f"{print_} on {those}" for print_, those in have.items()]
        parts += [f"{print_} in {those}" for print_, those in runs.items()]
        todo = "Bring one to all, and roll it out: mpigen build, mpigen deploy"
        what = f"{facts.image} is not the same everywhere: {'; '.join(parts)}"
        found.append(Finding("image", "bad", what, todo))
    elif have:
        where = f"{len(facts.hosts)} nodes"
        where += f" and in {', '.join(runs.values())}" if runs else ""
        found.append(Finding("image", "ok", f"the same {facts.image} on {where}"))
    rest = {id: why for id, why in facts.hosts_errors.items() if not _lacks(why)}
    seen_ = {*facts.hosts, *(node.id for node in lacking)}
    return found + unseen("image", facts, seen_, rest)


def workers(facts: Facts) -> list[Finding]:
    """Whether Swarm runs as many workers as it should, healthy ones."""
    if not facts.deployed:
        return [Finding("workers", "unknown", f"the stack {facts.stack} is not deployed")]
    found, run = [], []
    for group, wanted in facts.wanted.items():
        there = sum(worker.group == group for worker in facts.workers)
        run.append(f"{there} of {wanted} {group}")
        if there < wanted:
            todo = f"docker service ps {facts.stack}_{group} says why, if it stays so."
            found.append(Finding("workers", "bad", f"{run[-1]} run", todo))
    if not facts.wanted:
        todo = "Deploy it: mpigen deploy"
        found.append(Finding("workers", "bad", f"the stack {facts.stack} has no workers", todo))
    return found or [Finding("workers", "ok", f"{', '.join(run)} run")]


def disk(facts: Facts) -> list[Finding]:
    """Whether a new image fits beside the old one on every node."""
    if facts.image_size is None:
        what = f"this engine has no {facts.image}, so what it needs is not known"
        return [Finding("disk", "unknown", what)]
    names = {node.id: node.name for node in facts.nodes}
    free = {id: host.free for id, host in facts.hosts.items() if host.free is not None}
    need = _IMAGES * facts.image_size
    found = []
    for id, there in free.items():
        if there < need:
            what = f"{names[id]}: {there / 1e9:.1f} GB free, {need / 1e9:.1f} GB are needed"
            todo = f"Make room on {names[id]}: docker system df tells what there is."
            found.append(Finding("disk", "bad", f"{what} for a new image", todo))
    if free and not found:
        least = min(free.values()) / 1e9
        what = f"{least:.1f} GB free at least; an image and its successor take {need / 1e9:.1f}"
        found.append(Finding("disk", "ok", what))
    return found + unseen("disk", facts, free, facts.hosts_errors)


def clock(facts: Facts) -> list[Finding]:
    """Whether the nodes' clocks agree with the leader's, to some seconds."""
    names = {node.id: node.name for node in facts.nodes}
    found = []
    for id, ahead in facts.clocks.items():
        if abs(ahead) > _CLOCK_SECONDS:
            which = "ahead of" if ahead > 0 else "behind"
            what = f"{names[id]} is {abs(ahead):.0f} s {which} the leader"
            todo = "Keep the servers' clocks by NTP (chrony): certificates and make rely on them."
            found.append(Finding("clock", "bad", what, todo))
    if facts.clocks and not found:
        most = max(map(abs, facts.clocks.values()))
        found.append(Finding("clock", "ok", f"within {most:.1f} s of the leader's"))
    return found + unseen("clock", facts, facts.clocks, facts.hosts_errors)
