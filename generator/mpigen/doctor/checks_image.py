"""The doctor's checks of the image on the nodes, and of their processors."""

from collections.abc import Iterable

from mpigen.doctor.facts import Facts
from mpigen.doctor.findings import Finding, join_names, names_by_text, not_probed
from mpigen.notation.counts import counted
from mpigen.notation.platforms import platform_of
from mpigen.swarm.nodes import Node
from mpigen.swarm.placement import misfit


def _lacks_image(error: str) -> bool:
    # the second one is a registry's, of an image with other platforms
    return any(each in error.lower() for each in ("no such image", "no matching manifest"))


def _misfits(facts: Facts) -> dict[str, str]:
    """Why nodes that could not start the image have another processor than it is for, by id."""
    return {
        node.id: why
        for node in facts.nodes
        if node.is_ready
        and node.id in facts.hosts_errors
        and node.id not in facts.late
        and (why := misfit(node, facts.platforms))
    }


def without_image(facts: Facts) -> frozenset[str]:
    """The ids of ready nodes that have no image for their processor."""
    lacking = [id for id, why in facts.hosts_errors.items() if _lacks_image(why)]
    return frozenset([*lacking, *_misfits(facts)])


def image(facts: Facts) -> list[Finding]:
    """Check that all nodes have the same image, and that all containers run it."""
    without = without_image(facts)
    lacking = [node for node in facts.nodes if node.is_ready and node.id in without]
    found = [*_processors(facts), *_lacking(facts, lacking), *_differences(facts)]
    rest = {id: why for id, why in facts.hosts_errors.items() if id not in without}
    told = {id for id, host in facts.hosts.items() if host.image}
    rest |= {id: "slow: its image was not compared in time" for id in facts.hosts if id not in told}
    seen = {*told, *(node.id for node in lacking)}
    return found + not_probed("image", facts, seen, rest)


def _processors(facts: Facts) -> list[Finding]:
    """Nodes whose processor the image is not for: those that cannot run it, or emulate it."""
    found = []
    why = _misfits(facts)
    for node in (node for node in facts.nodes if node.id in why):
        what = f"{node.name}: {why[node.id]}"
        if node.id in facts.spare:
            found.append(Finding("image", "ok", f"{what}, but no group is placed there"))
            continue
        platform = platform_of(node.machine)
        todo = f"Set image.platforms to [{', '.join([*facts.platforms, platform])}], "
        todo += "then mpigen render and mpigen build; or keep groups away: workers.constraints"
        found.append(Finding("image", "bad", what, todo))
    runs = {id: _machine(host.image) for id, host in facts.hosts.items() if host.image}
    emulated = [
        node.name for node in facts.nodes if runs.get(node.id, node.machine) != node.machine
    ]
    if emulated:
        what = f"{join_names(emulated)}: another processor than the image's, which is emulated"
        found.append(Finding("image", "ok", f"{what}: programs run slowly"))
    return found


def _lacking(facts: Facts, lacking: Iterable[Node]) -> list[Finding]:
    found = []
    misfits = _misfits(facts)
    lacking = [node for node in lacking if node.id not in misfits]
    needed = [node.name for node in lacking if node.id not in facts.spare]
    if needed:
        what = f"{join_names(needed)}: no image {facts.image}"
        found.append(Finding("image", "bad", what, "Bring it there: mpigen build"))
    if spare := [node.name for node in lacking if node.id in facts.spare]:
        what = f"{join_names(spare)}: no image {facts.image}, but no group is placed there"
        found.append(Finding("image", "ok", what))
    return found


def _differences(facts: Facts) -> list[Finding]:
    """Compare the images of nodes and containers that have the same processor."""
    names = {node.id: node.name for node in facts.nodes}
    have = names_by_text((names[id], host.image) for id, host in facts.hosts.items() if host.image)
    hosts = {worker.address: worker.host for worker in facts.workers}
    runs = names_by_text(
        (hosts[address], image)
        for seen in facts.attached.values()
        for address, image in seen.images.items()
        if address in hosts
    )
    if _more_than_one({*have, *runs}):
        parts = [f"{fingerprint} on {where}" for fingerprint, where in have.items()]
        parts += [f"{fingerprint} in {where}" for fingerprint, where in runs.items()]
        todo = "Copy one of them to all nodes, and roll it out: mpigen build, mpigen deploy"
        what = f"{facts.image} is not the same everywhere: {'; '.join(parts)}"
        return [Finding("image", "bad", what, todo)]
    if have:
        where = counted(sum(bool(host.image) for host in facts.hosts.values()), "node")
        where += f" and in {', '.join(runs.values())}" if runs else ""
        return [Finding("image", "ok", f"the same {facts.image} on {where}")]
    return []


def _machine(fingerprint: str) -> str:
    return fingerprint.partition("-")[2]


def _more_than_one(fingerprints: Iterable[str]) -> bool:
    """Whether there are several images for one kind of processor, with which they end."""
    images: dict[str, set[str]] = {}
    for each in fingerprints:
        images.setdefault(_machine(each), set()).add(each)
    return any(len(each) > 1 for each in images.values())
