"""The doctor's checks of the network between the nodes: ports, overlay, addresses, DNS."""

from mpigen.doctor.facts import GOSSIP_PORT, MANAGER_PORT, VXLAN_PORT, Facts, Host
from mpigen.doctor.findings import Finding, join_names, names_by_text, not_probed
from mpigen.notation.counts import counted
from mpigen.swarm.engine_faults import forgets_names
from mpigen.swarm.nodes import Node

_AGAIN = "mpigen render, mpigen down (it ends jobs), mpigen deploy"


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
        todo = f"Open {protocols} on {where} to all nodes, and check that its engine listens there."
        found.append(Finding("ports", "bad", what, todo))
    if facts.hosts and not found:
        what = f"{MANAGER_PORT}/tcp of the managers and {GOSSIP_PORT}/tcp of all nodes answer"
        found.append(Finding("ports", "ok", what))
    untried = [names[id] for id, host in facts.hosts.items() if host.untried]
    if untried:
        what = f"{join_names(untried)}: slow, not every port was tried in time"
        found = [one for one in found if one.verdict != "ok"]
        found.append(Finding("ports", "unknown", what))
    return found + not_probed("ports", facts, facts.hosts, facts.hosts_errors)


def path(facts: Facts) -> list[Finding]:
    """Check that the overlay carries small and large packets between the nodes.

    No probe of a UDP port can prove that it is open; a login over the overlay does.
    """
    if not facts.workers:
        why = "no worker runs" if facts.deployed else f"the stack {facts.stack} is not deployed"
        proof = f"can prove that {VXLAN_PORT}/udp is open" if facts.is_overlay else "can prove it"
        what = f"{why}: only traffic on the {facts.driver} {proof}"
        return [Finding("overlay", "unknown", what, "Then run mpigen doctor again")]
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
        host = worker.host if address == worker.host else f"{worker.host} ({address})"
        where = f"{host} on {names.get(worker.node, worker.node)}"
        found.append(_blocked(facts, where, result, join_names(nodes)))
    if any(seen.peers for seen in facts.attached.values()) and not found:
        reached = {names[workers[peer].node] for peer in workers if workers[peer].node in names}
        what = f"{counted(len(facts.attached), 'node')} log in to workers on "
        what += f"{join_names(reached)}, with 64 KiB"
        what += f": {VXLAN_PORT}/udp is open" if facts.is_overlay else ""
        found.append(Finding("overlay", "ok", what))
    return found + not_probed("overlay", facts, facts.attached, facts.attached_errors)


def _blocked(facts: Facts, where: str, result: str, askers: str) -> Finding:
    kind, _, why = result.partition(" ")
    if kind == "silent":
        todo = f"Open {VXLAN_PORT}/udp and {GOSSIP_PORT}/tcp and udp between all nodes."
        if not facts.is_overlay:
            todo = "Check that each node has its own addresses, and that switches let them pass."
        return Finding("overlay", "bad", f"no traffic from {askers} reaches {where}", todo)
    if kind == "large":
        todo = "The path's MTU is too small: set a smaller network.mtu in mpigen.yaml, then "
        todo += _AGAIN if facts.is_overlay else "create the network again with a smaller MTU."
        return Finding("overlay", "bad", f"only small packets from {askers} reach {where}", todo)
    if kind == "slow":
        what, _, seconds = why.partition(" ")
        said = f"slow: {askers} waited {seconds} s for a {what} of {where}"
        todo = "See the load of both servers; nothing else is known to be wrong."
        return Finding("overlay", "unknown", said, todo)
    todo = "See the log of that worker, and the load of its server."
    if "Permission denied" in why or "Host key" in why:
        todo = "It has other keys than this folder's: mpigen keys status, mpigen deploy (ends jobs)"
    return Finding("overlay", "bad", f"{where} refuses {askers}: {why}", todo)


def mtu(facts: Facts) -> list[Finding]:
    """Check that the MTU of every node's link fits the overlay's packets."""
    found, fits, unknown = [], [], []
    if not facts.is_overlay:
        return [Finding("mtu", "ok", f"a {facts.driver} network has that of the servers' links")]
    for node, host in _probed(facts):
        link = host.link_of(node.address)
        if link not in host.links:
            unknown.append(node.name)
        elif host.links[link] < facts.mtu:
            what = (
                f"{node.name}: {link} carries packets of {host.links[link]} bytes, but the "
                "overlay is made for "
                f"{facts.mtu}"
            )
            todo = f"Set network: {{mtu: {host.links[link]}}} in mpigen.yaml, then {_AGAIN}"
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
    todo = f"Set another network.subnet in mpigen.yaml, then {_AGAIN}; or remove the other one."
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
        # a network of the servers' own may be the one that they are on
        if facts.is_overlay and route.overlaps(facts.subnet)
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
    needed = {"VXLAN": "overlay networks"} if facts.is_overlay else {}
    if facts.encrypted:
        needed["INET_ESP"] = "encrypted ones"
    found, unknown = [], []
    for node, host in _probed(facts):
        for option, what in needed.items():
            if option not in host.kernel:
                unknown.append(node.name)
            elif not host.kernel[option]:
                lack = f"{node.name}: a kernel without CONFIG_{option}, for {what}"
                todo = "Use another kernel" + (
                    ", or unset network.encrypted." if option == "INET_ESP" else "."
                )
                found.append(Finding("kernel", "bad", lack, todo))
    if unknown:
        what = f"{join_names(unknown)}: the kernel does not report its build options"
        found.append(Finding("kernel", "unknown", what))
    if facts.hosts and not found:
        what = f"{' and '.join(needed) or 'nothing more is needed'} on "
        what += counted(len(facts.hosts), "node")
        what += "" if facts.encrypted or not facts.is_overlay else "; the network is not encrypted"
        found.append(Finding("kernel", "ok", what))
    return found + not_probed("kernel", facts, facts.hosts, facts.hosts_errors)


def names(facts: Facts) -> list[Finding]:
    """Check that DNS returns, on every node, exactly the workers that Swarm runs."""
    if not facts.deployed:
        return [Finding("dns", "unknown", f"the stack {facts.stack} is not deployed")]
    found = []
    ids = {node.id: node.name for node in facts.nodes}
    late = [ids[id] for id, seen in facts.attached.items() if {*facts.wanted} - {*seen.names}]
    if late:
        what = f"slow: DNS on {join_names(late)} has not answered in time"
        found.append(Finding("dns", "unknown", what))
    for group in facts.wanted:
        service = f"{facts.stack}_{group}"
        runs = {worker.address: worker.host for worker in facts.workers if worker.group == group}
        if not runs:
            found.append(Finding("dns", "unknown", f"no worker of {group} runs"))
            continue
        stale = names_by_text(
            (ids[id], text)
            for id, seen in facts.attached.items()
            if group in seen.names
            for text in _stale(group, runs, seen.names[group] - facts.changed)
        )
        todo = (
            "Docker 29.0 to 29.7 may not find names again after a node was cut off "
            "(moby/moby#53141): "
            if forgets_names(facts.nodes)
            else "Nodes update each other within a minute. If this persists: "
        ) + (f"docker service update --force {service} (it restarts the workers, and ends jobs)")
        found += [Finding("dns", "bad", f"{where}: {text}", todo) for text, where in stale.items()]
    if facts.attached and not found:
        what = f"names {counted(len(facts.workers), 'worker')} on "
        what += f"{counted(len(facts.attached), 'node')}, as Swarm does"
        found.append(Finding("dns", "ok", what))
    probed = facts.attached if facts.workers else ids
    return found + not_probed("dns", facts, probed, facts.attached_errors)


def _stale(group: str, runs: dict[str, str], answered: frozenset[str]) -> list[str]:
    if any(address == host for address, host in runs.items()):
        # only their nodes know the addresses
        count = f"tasks.{group} names {len(answered)} addresses, but {len(runs)} workers run"
        return [count] if len(answered) != len(runs) else []
    lost = [f"{runs[address]} ({address})" for address in runs if address not in answered]
    ghosts = [address for address in answered if address not in runs]
    found = [f"tasks.{group} does not name {join_names(lost)}"] if lost else []
    if ghosts:
        found.append(f"tasks.{group} names {join_names(ghosts)}, where nothing runs")
    return found


def _probed(facts: Facts) -> list[tuple[Node, Host]]:
    return [(node, facts.hosts[node.id]) for node in facts.nodes if node.id in facts.hosts]
