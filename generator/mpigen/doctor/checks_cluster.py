"""The doctor's checks of the Swarm and its nodes."""

from collections.abc import Mapping

from mpigen.doctor.checks_image import without_image
from mpigen.doctor.facts import NO_LEADER, Facts
from mpigen.doctor.findings import Finding, join_names, names_by_text, not_probed
from mpigen.notation.counts import counted

_CLOCK_SECONDS = 5.0
_SURE_SECONDS = 20.0  # a probe that takes no longer than this tells of a clock
_SLOW_SECONDS = 10
_QUORUM = "https://docs.docker.com/engine/swarm/admin_guide/#recover-from-losing-the-quorum"
_IMAGES = 2  # a new image next to the old one


def swarm(facts: Facts) -> list[Finding]:
    """Check that the engine is a manager of a Swarm that answers."""
    if facts.swarm == "active" and facts.is_manager and facts.nodes:
        return [Finding("swarm", "ok", f"active, {counted(len(facts.nodes), 'node')}")]
    if facts.swarm == "active" and facts.is_manager:
        return [_silent(facts.swarm_error or "it names no node")]
    if facts.swarm == "active":
        return [Finding("swarm", "unknown", worker(facts))]
    if facts.swarm == "inactive":
        todo = "Run docker swarm init to create a Swarm, or docker swarm join to join one."
        return [
            Finding("swarm", "bad", f"the engine at {facts.where} is not part of a Swarm", todo)
        ]
    what = (
        f"the state of the engine in its Swarm is {facts.swarm}: {facts.swarm_error or 'no reason'}"
    )
    todo = "docker swarm unlock" if facts.swarm == "locked" else "docker info shows more."
    return [Finding("swarm", "bad", what, todo)]


def _silent(error: str) -> Finding:
    if NO_LEADER in error:
        todo = (
            "More than half of the managers must be up: start their engines, then run mpigen "
            f"doctor again. Only if their servers are lost for good: {_QUORUM}"
        )
        return Finding("swarm", "bad", f"its managers have no leader: {error}", todo)
    todo = "See the load of its server and its engine's log, then run mpigen doctor again"
    return Finding("swarm", "bad", f"its manager has not answered: {error}", todo)


def worker(facts: Facts) -> str:
    """A sentence for an engine that is a worker, with the addresses of the managers."""
    there = f"; its managers: {join_names(facts.managers)}" if facts.managers else ""
    return (
        f"the engine at {facts.where} is a worker of its Swarm{there}: name one of them with "
        "--context"
    )


def managers(facts: Facts) -> list[Finding]:
    """Check that the managers reach each other; report how many failures they tolerate."""
    all_ = [node for node in facts.nodes if node.manager]
    lost = [node.name for node in all_ if node.manager == "unreachable"]
    bears = (len(all_) - 1) // 2
    if lost:
        left = f"{len(all_) - len(lost)} of {len(all_)} are left, {len(all_) - bears} are needed"
        todo = (
            "Start their engines; open 2377/tcp to them. Only if a server is lost for good: "
            "docker node demote NAME"
        )
        return [Finding("managers", "bad", f"{join_names(lost)}: unreachable; {left}", todo)]
    what = f"{len(all_)} of {len(all_)} reachable; {bears} may be lost"
    if len(all_) % 2 == 0:
        what += f", as with {len(all_) - 1}: an odd number is better"
    return [Finding("managers", "ok", what)]


def nodes(facts: Facts) -> list[Finding]:
    """Check that Swarm may start containers on every node."""
    found = []
    for node in facts.nodes:
        if node.state != "ready":
            todo = (
                "Start its engine, or find out why the managers do not reach it. Only if its "
                f"server is lost for good: docker node rm --force {node.name}"
            )
            found.append(Finding("nodes", "bad", f"{node.name} is {node.state}", todo))
        elif node.availability != "active":
            word = {"drain": "drained", "pause": "paused"}.get(node.availability, "not active")
            todo = f"docker node update --availability active {node.name}"
            found.append(Finding("nodes", "bad", f"{node.name} is {word}", todo))
    return found or [Finding("nodes", "ok", f"{len(facts.nodes)} ready and active")]


def look(facts: Facts) -> list[Finding]:
    """Check that the probe ran on every node; all checks after this one need it."""
    if facts.swarm_error:
        return [Finding("look", "bad", facts.swarm_error, facts.swarm_hint)]
    names = {node.id: node.name for node in facts.nodes if node.is_ready}
    without = without_image(facts)
    errors = {
        **{id: f"on the overlay: {why}" for id, why in facts.attached_errors.items()},
        **facts.hosts_errors,
    }
    failed = names_by_text(
        (names[id], why)
        for id, why in errors.items()
        if id in names and id not in facts.late and id not in without
    )
    todo = "Check that node's engine, then run mpigen doctor again"
    bad = [Finding("look", "bad", f"{where}: {why}", todo) for why, where in failed.items()]
    slow = _slow(facts, names, errors)
    ran = f"a probe ran on {len(facts.hosts)} of {counted(len(facts.nodes), 'node')}"
    return bad + slow or [Finding("look", "ok" if facts.hosts else "unknown", ran)]


def _slow(facts: Facts, names: Mapping[str, str], errors: Mapping[str, str]) -> list[Finding]:
    """What was slow, which is no fault, and may be all that is wrong."""
    todo = "See the load of these servers, and wait longer for jobs; then run mpigen doctor again"
    late = names_by_text((names[id], errors[id]) for id in facts.late if id in names)
    found = [Finding("look", "unknown", f"{who}: slow, {why}", todo) for why, who in late.items()]
    hosts = {worker.address: worker.host for worker in facts.workers}
    logins = {
        (names[id], hosts[address]): seconds
        for id, seen in facts.attached.items()
        for address, seconds in seen.logins.items()
        if id in names and address in hosts and seconds > _SLOW_SECONDS
    }
    if logins:
        (node, host), seconds = max(logins.items(), key=lambda one: one[1])
        what = f"{len(logins)} logins were slow; that of {node} to {host} took {seconds} s"
        found.append(Finding("look", "unknown", what, todo))
    return found


def workers(facts: Facts) -> list[Finding]:
    """Check that Swarm runs as many healthy workers as deployed."""
    if not facts.deployed:
        return [Finding("workers", "unknown", f"the stack {facts.stack} is not deployed")]
    found, run = [], []
    for group, wanted in facts.wanted.items():
        there = sum(worker.group == group for worker in facts.workers)
        run.append(f"{there} of {wanted} {group}")
        if there < wanted:
            todo = f"docker service ps {facts.stack}_{group} shows why, if this persists."
            found.append(Finding("workers", "bad", f"{run[-1]} run", todo))
        elif not wanted and group in facts.everywhere:
            what = f"{group}: no ready and active node may run it"
            todo = f"docker service ps {facts.stack}_{group}, docker node ls"
            found.append(Finding("workers", "bad", what, todo))
        elif not wanted:
            what = f"{group} is scaled to 0: no worker of it is to run"
            found.append(Finding("workers", "unknown", what))
    found += [
        Finding("workers", "unknown", f"{group} is not deployed yet", "Deploy it: mpigen deploy")
        for group in facts.missing
    ]
    return found or [Finding("workers", "ok", f"{', '.join(run)} run")]


def disk(facts: Facts) -> list[Finding]:
    """Check that a new image fits next to the old one on every node's disk."""
    if facts.image_size is None:
        what = f"this engine has no {facts.image}, so the space that it needs is unknown"
        return [Finding("disk", "unknown", what)]
    names = {node.id: node.name for node in facts.nodes}
    free = {id: host.free for id, host in facts.hosts.items() if host.free is not None}
    need = _IMAGES * facts.image_size
    found = []
    for id, there in free.items():
        if there < need:
            what = f"{names[id]}: {there / 1e9:.1f} GB free, {need / 1e9:.1f} GB are needed"
            todo = f"Make room on {names[id]}: docker system df shows what uses space."
            found.append(Finding("disk", "bad", f"{what} for a new image", todo))
    if free and not found:
        least = min(free.values()) / 1e9
        what = f"{least:.1f} GB free at least; an image and its successor take {need / 1e9:.1f}"
        found.append(Finding("disk", "ok", what))
    return found + not_probed("disk", facts, free, facts.hosts_errors)


def clock(facts: Facts) -> list[Finding]:
    """Check that the nodes' clocks differ from the leader's by at most _CLOCK_SECONDS."""
    names = {node.id: node.name for node in facts.nodes}
    found, near = [], {}
    rest = dict(facts.hosts_errors)
    for id, (least, most) in facts.clocks.items():
        if least > _CLOCK_SECONDS or most < -_CLOCK_SECONDS:
            which = "ahead of" if least > 0 else "behind"
            what = f"{names[id]} is {min(abs(least), abs(most)):.0f} s {which} the leader"
            todo = "Keep the servers' clocks by NTP (chrony): certificates and make rely on them."
            found.append(Finding("clock", "bad", what, todo))
        elif max(-least, most) <= _SURE_SECONDS:
            near[id] = max(-least, most)
        else:
            rest[id] = f"slow: it answered too late to measure, {least:.0f} to {most:.0f} s"
    if near and not found:
        found.append(Finding("clock", "ok", f"within {max(near.values()):.1f} s of the leader's"))
    bad = {id for id in facts.clocks if id not in near and id not in rest}
    return found + not_probed("clock", facts, {*near, *bad}, rest)
