"""The doctor's checks of the network between the nodes: ports, overlay, addresses, DNS."""

from mpigen.doctor.facts import GOSSIP_PORT, MANAGER_PORT, VXLAN_PORT, Facts, Host
from mpigen.doctor.findings import Finding, join_names, names_by_text, not_probed
from mpigen.swarm.nodes import Node

_AGAIN = "mpigen render, mpigen down, mpigen deploy"


def ports(facts: Facts) -> list[Finding]:
    """Check that every node reaches Swarm's own TCP ports on all others."""
    names = {node.id: node.name for node in facts.nodes}
    owner = {node.address: node.name for node in facts.nodes}
    # another check reports nodes that are down, and their ports are silent of course
    down = {node.address for node in facts.nodes if node.state != "ready"}
    silent: dict[tuple[str, str], list[str]] = {}
    for id, host in facts.hosts.items():
        for port, why in host.closed.items():
            if port.rpartition(":")[0] not in down:
                silent.setdefault((port, why), []).append(names[id])
    found = []
    for (port, why), askers in silent.items():
        address, _, number = port.rpartition(":")
        where = f"{owner.get(address, address)} ({address})"
        what = f"{number}/tcp of {where}: {why}, asked by {join_names(askers)}"
        protocols = f"{number}/tcp and udp" if number == str(GOSSIP_PORT) else f"{number}/tcp"
        todo = f"Open {protocols} on {where} to all nodes, and see that its engine listens there."
        found.append(Finding("ports", "bad", what, todo))
    if facts.hosts and not found:
        what = f"{MANAGER_PORT}/tcp of the managers and {GOSSIP_PORT}/tcp of all nodes answer"
        found.append(Finding("ports", "ok", what))
    return found + not_probed("ports", facts, facts.hosts, facts.hosts_errors)


def path(facts: Facts) -> list[Finding]:
    """Check that the overlay carries small and large packets between the nodes.

    No probe of a UDP port can prove that it is open; a login over the overlay does.
    """
    if not facts.workers:
        why = "no worker runs" if facts.deployed else f"the stack {facts.stack} is not deployed"
        what = f"{why}: only traffic on the overlay can prove that {VXLAN_PORT}/udp is open"
        return [Finding("overlay", "unknown", what, "Then again: mpigen doctor")]
    names = {node.id: node.name for node in facts.nodes}
    workers = {worker.address: worker for worker in facts.workers}
    askers: dict[tuple[str, str], list[str]] = {}
    for id, seen in facts.attached.items():
        for address, result in seen.peers.items():
            if result != "yes" and address in workers:
                askers.setdefault((address, result), []).append(names[id])
    found = []
    for (address, result), nodes in askers.items():
        worker = workers[address]
        where = f"{worker.host} ({address}) on {names.get(worker.node, worker.node)}"
        found.append(_blocked(where, result, join_names(nodes)))
    if facts.attached and not found:
        reached = {names[workers[peer].node] for peer in workers if workers[peer].node in names}
        what = f"{len(facts.attached)} nodes log in to workers on {join_names(reached)}"
        found.append(Finding("overlay", "ok", f"{what}, with 64 KiB: {VXLAN_PORT}/udp is open"))
    return found + not_probed("overlay", facts, facts.attached, facts.attached_errors)


def _blocked(where: str, result: str, askers: str) -> Finding:
    if result == "silent":
        todo = f"Open {VXLAN_PORT}/udp and {GOSSIP_PORT}/tcp and udp between all nodes."
        return Finding("overlay", "bad", f"nothing gets from {askers} to {where}", todo)
    if result == "large":
        todo = f"The path's MTU is too small: a smaller network.mtu in mpigen.yaml, then {_AGAIN}"
        return Finding("overlay", "bad", f"small packets alone get from {askers} to {where}", todo)
    what = f"{where} refuses {askers}: {result.removeprefix('refused ')}"
    return Finding("overlay", "bad", what, "Bring the same image to all: mpigen build, deploy")


def mtu(facts: Facts) -> list[Finding]:
    """Check that the MTU of every node's link fits the overlay's packets."""
    found, fits, unknown = [], [], []
    for node, host in _probed(facts):
        link = host.link_of(node.address)
        if link not in host.links:
            unknown.append(node.name)
        elif host.links[link] < facts.mtu:
            what = (
                f"{node.name}: {link} takes {host.links[link]} bytes, and the overlay is made for "
                f"{facts.mtu}"
            )
            todo = f"network.mtu: {host.links[link]} in mpigen.yaml, then {_AGAIN}"
            found.append(Finding("mtu", "bad", what, todo))
        else:
            fits.append(f"{host.links[link]}")
    if unknown:
        what = f"{join_names(unknown)}: no interface has the address that the Swarm knows (NAT?)"
        found.append(Finding("mtu", "unknown", what))
    if fits and not found:
        what = f"links of {join_names(fits)} bytes; the overlay needs {facts.mtu}"
        found.append(Finding("mtu", "ok", f"{what}, its containers get {facts.inner_mtu}"))
    return found + not_probed("mtu", facts, facts.hosts, facts.hosts_errors)


def subnet(facts: Facts) -> list[Finding]:
    """Check that the overlay's subnet overlaps no other network, in the Swarm or on a node."""
    todo = f"Another network.subnet in mpigen.yaml, then {_AGAIN}; or remove the other one."
    found = [
        Finding("subnet", "bad", f"{facts.subnet} overlaps {pool} of the network {name}", todo)
        for name, pools in facts.networks.items()
        for pool in pools
        if pool.overlaps(facts.subnet)
    ]
    routes = names_by_text(
        (node.name, f"{route}, which goes to {link}")
        for node, host in _probed(facts)
        for route, link in host.routes
        if route.overlaps(facts.subnet)
    )
    found += [
        Finding("subnet", "bad", f"{names}: {facts.subnet} overlaps {route}", todo)
        for route, names in routes.items()
    ]
    if not found:
        what = f"{facts.subnet} overlaps no other network of the Swarm"
        what += " and no route of a node" if facts.hosts else ""
        found.append(Finding("subnet", "ok", what))
    return found + not_probed("subnet", facts, facts.hosts, facts.hosts_errors)


def kernel(facts: Facts) -> list[Finding]:
    """Check that the nodes' kernels support the overlay."""
    needed = {"VXLAN": "overlay networks"}
    if facts.encrypted:
        needed["INET_ESP"] = "encrypted ones"
    found, unknown = [], []
    for node, host in _probed(facts):
        for option, what in needed.items():
            if option not in host.kernel:
                unknown.append(node.name)
            elif not host.kernel[option]:
                lack = f"{node.name}: a kernel without CONFIG_{option}, for {what}"
                todo = "Another kernel" + (
                    ", or no network.encrypted." if option == "INET_ESP" else "."
                )
                found.append(Finding("kernel", "bad", lack, todo))
    if unknown:
        what = f"{join_names(unknown)}: it does not tell what it was built with"
        found.append(Finding("kernel", "unknown", what))
    if facts.hosts and not found:
        what = f"{' and '.join(needed)} on {len(facts.hosts)} nodes"
        what += "" if facts.encrypted else "; the network is not encrypted"
        found.append(Finding("kernel", "ok", what))
    return found + not_probed("kernel", facts, facts.hosts, facts.hosts_errors)


def names(facts: Facts) -> list[Finding]:
    """Check that DNS returns, on every node, exactly the workers that Swarm runs."""
    if not facts.deployed:
        return [Finding("dns", "unknown", f"the stack {facts.stack} is not deployed")]
    found = []
    ids = {node.id: node.name for node in facts.nodes}
    for group in facts.groups:
        service = f"{facts.stack}_{group}"
        runs = {worker.address: worker.host for worker in facts.workers if worker.group == group}
        if not runs:
            found.append(Finding("dns", "unknown", f"no worker of {group} runs"))
            continue
        stale = names_by_text(
            (ids[id], text)
            for id, seen in facts.attached.items()
            for text in _stale(group, runs, seen.names.get(group, frozenset()) - facts.changed)
        )
        todo = (
            "The nodes tell each other within a minute. If it stays: "
            f"docker service update --force {service}"
        )
        found += [Finding("dns", "bad", f"{where}: {text}", todo) for text, where in stale.items()]
    if facts.attached and not found:
        what = f"names {len(facts.workers)} workers on {len(facts.attached)} nodes, as Swarm does"
        found.append(Finding("dns", "ok", what))
    probed = facts.attached if facts.workers else ids
    return found + not_probed("dns", facts, probed, facts.attached_errors)


def _stale(group: str, runs: dict[str, str], answered: frozenset[str]) -> list[str]:
    lost = [f"{runs[address]} ({address})" for address in runs if address not in answered]
    ghosts = [address for address in answered if address not in runs]
    found = [f"tasks.{group} does not name {join_names(lost)}"] if lost else []
    if ghosts:
        found.append(f"tasks.{group} names {join_names(ghosts)}, where nothing runs")
    return found


def _probed(facts: Facts) -> list[tuple[Node, Host]]:
    return [(node, facts.hosts[node.id]) for node in facts.nodes if node.id in facts.hosts]
