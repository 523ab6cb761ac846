"""Collects what the doctor judges: from the client, the engine, the managers, and the nodes."""

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import yaml
from docker.errors import ImageNotFound, NotFound

from mpigen.artifacts.folder import Artifacts
from mpigen.doctor import facts
from mpigen.doctor.facts import GOSSIP_PORT, MANAGER_PORT, Facts, Node, Worker
from mpigen.errors import ClusterError
from mpigen.notation.image_names import strip_variant
from mpigen.swarm import engine as engines
from mpigen.swarm import probe, processes
from mpigen.swarm.engine import Engine, blame
from mpigen.swarm.placement import allows
from mpigen.swarm.processes import Say

_SECONDS = 60.0
# overlay.sh gives one 17 s at most, and tries 16 at a time
_SECONDS_OF_A_PEER = 17 / 16

# What differs between two images of a cluster: keys, scripts, programs, packages. Private keys
# are left out, since what a container prints is for many to read.
_FINGERPRINT = (
    '{ find /etc/mpi /etc/ssh /opt /usr/local -type f ! -name "id_*" ! -name "*_key"'
    " -exec sha256sum {} + 2>/dev/null; cat /var/lib/dpkg/status.main 2>/dev/null"
    " || cat /var/lib/dpkg/status; }"
    " | sort | sha256sum | cut -c 1-12"
)


def survey(artifacts: Artifacts, stack: str, context: str | None, say: Say) -> Facts:
    """All that can be found out from here; whatever is wrong becomes a fact, not an error."""
    say("asking docker")
    known = Facts(
        stack=stack,
        network=artifacts.network_of(stack),
        subnet=IPv4Network(artifacts.subnet),
        image=artifacts.image,
        groups=tuple(group.name for group in artifacts.groups),
        minimum=artifacts.engine,
        options=_rendered(artifacts)[0],
    )
    known = _client(known)
    try:
        engine = engines.reach(context)
        with blame(f"asking the engine at {engine.where.url}"):
            known = _engine(known, engine)
    except ClusterError as error:
        return replace(known, engine_error=error.message, engine_hint=error.hint)
    if not known.is_manager:
        return known
    try:
        with blame("asking the manager"):
            known, peers = _swarm(known, engine, artifacts)
        say(f"looking into {sum(node.is_ready for node in known.nodes)} nodes")
        return _nodes(known, engine, artifacts, peers)
    except ClusterError as error:
        return replace(known, swarm_error=error.message, swarm_hint=error.hint)


def _client(known: Facts) -> Facts:
    if not shutil.which("docker"):
        return replace(known, client_error="there is no docker command here")
    # with an engine that is silent it fails, and has said its own version before that
    words = ["sh", "-c", "docker version --format '{{.Client.Version}}' 2>/dev/null || :"]
    said = processes.run(words, "docker version").split()
    return replace(known, client=said[0] if said else "", client_error="" if said else "it is mute")


def _engine(known: Facts, engine: Engine) -> Facts:
    info = engine.client.info()
    swarm = info["Swarm"]
    return replace(
        known,
        where=engine.where.url,
        engine=info["ServerVersion"],
        swarm=swarm.get("LocalNodeState", "inactive"),
        swarm_error=swarm.get("Error", ""),
        is_manager=bool(swarm.get("ControlAvailable")),
        managers=tuple(peer["Addr"].rpartition(":")[0] for peer in swarm["RemoteManagers"] or []),
        image_size=_size(engine, known.image),
    )


def _size(engine: Engine, image: str) -> int | None:
    try:
        return int(engine.client.images.get(image).attrs["Size"])
    except ImageNotFound:
        return None


def _swarm(known: Facts, engine: Engine, artifacts: Artifacts) -> tuple[Facts, dict[str, Any]]:
    """What the manager says, and the container of a deployed worker, as a probe must be."""
    constraints = _rendered(artifacts)[1]
    nodes = tuple(_node(each, constraints) for each in engine.client.api.nodes())
    known = replace(known, nodes=tuple(sorted(nodes, key=lambda node: node.name)))
    networks = {}
    for each in engine.client.api.networks(filters={"scope": "swarm"}):
        if each["Name"] == known.network:
            known = replace(known, deployed=True, options=each["Options"] or {})
        else:
            config = (each.get("IPAM") or {}).get("Config") or []
            networks[each["Name"]] = facts.subnets(*(pool["Subnet"] for pool in config))
    container: dict[str, Any] = {}
    wanted = {}
    variant = {group.name: group.variant for group in artifacts.groups}
    for group in known.groups if known.deployed else ():
        try:
            spec = engine.client.api.inspect_service(f"{known.stack}_{group}")  # type: ignore[no-untyped-call]
        except NotFound:
            continue
        own = spec["Spec"]["TaskTemplate"]["ContainerSpec"]
        # every node is looked into with the cluster's own image
        container = {**own, "Image": strip_variant(own["Image"], variant[group])}
        wanted[group] = spec["Spec"]["Mode"].get("Replicated", {}).get("Replicas", 0)
    known = replace(known, wanted=wanted, image=container.get("Image", known.image))
    workers = _workers(known, engine)
    kept = {key: container[key] for key in ("Secrets", "Configs", "User") if container.get(key)}
    return replace(known, networks=networks, workers=workers), kept


def _nodes(
    known: Facts, engine: Engine, artifacts: Artifacts, container: Mapping[str, Any]
) -> Facts:
    """What the nodes themselves say."""
    up = [node for node in known.nodes if node.state == "ready"]
    ports = [f"{node.address}:{MANAGER_PORT}" for node in up if node.manager]
    ports += [f"{node.address}:{GOSSIP_PORT}" for node in up]
    environment = {"PORTS": " ".join(ports), "FINGERPRINT": _FINGERPRINT}
    # keys may be configs: with the workers' own, the image is compared as they see it
    configs = {key: value for key, value in container.items() if key == "Configs"}
    probes = [probe.Probe("node", "host", known.image, environment, configs)]
    seconds = _SECONDS
    if known.workers:
        # one worker a node: each pair of nodes is tried, and no pair twice
        peers = {worker.node: worker.address for worker in known.workers}
        seconds += len(peers) * _SECONDS_OF_A_PEER
        environment = {
            "SUBNET": str(known.subnet),
            "NAMES": " ".join(known.groups),
            "PEERS": " ".join(f"{node}={address}" for node, address in peers.items()),
            "PORT": str(artifacts.port),
            "FINGERPRINT": _FINGERPRINT,
        }
        probes.append(probe.Probe("overlay", known.network, known.image, environment, container))
    answers = probe.run(engine, probes, seconds)
    after = _workers(known, engine)
    here = {node.id: node for node in map(_node, engine.client.api.nodes())}
    return replace(
        known,
        # a node may have gone while it was looked into
        nodes=tuple(
            replace(node, state=here[node.id].state) if node.id in here else node
            for node in known.nodes
        ),
        workers=tuple(worker for worker in known.workers if worker in after),
        changed=frozenset(worker.address for worker in {*known.workers} ^ {*after}),
        hosts={id: facts.host(said.lines) for id, said in answers[0].items() if said.lines},
        hosts_errors={id: said.error for id, said in answers[0].items() if said.error},
        attached={
            id: facts.attached(said.lines)
            for each in answers[1:]
            for id, said in each.items()
            if said.lines
        },
        attached_errors={
            id: said.error for each in answers[1:] for id, said in each.items() if said.error
        },
        clocks={id: said.clock for id, said in answers[0].items() if said.clock is not None},
    )


def _workers(known: Facts, engine: Engine) -> tuple[Worker, ...]:
    """The running tasks of each group that have an address on the overlay, by host name."""
    found = []
    nodes = {node.id: node.name for node in known.nodes}
    for group in known.groups if known.deployed else ():
        filters = {"service": f"{known.stack}_{group}", "desired-state": "running"}
        for task in engine.client.api.tasks(filters):  # type: ignore[no-untyped-call]
            address = _address(task, known.network)
            if task["Status"]["State"] == "running" and address:
                host = f"{group}-{task.get('Slot') or nodes.get(task['NodeID'], '')}"
                found.append(Worker(host, group, task["NodeID"], address))
    return tuple(sorted(found, key=lambda worker: (len(worker.host), worker.host)))


def _address(task: Mapping[str, Any], network: str) -> str:
    for attachment in task.get("NetworksAttachments") or []:
        if attachment["Network"]["Spec"]["Name"] == network:
            return str(attachment["Addresses"][0].partition("/")[0])
    return ""


def _node(said: Mapping[str, Any], constraints: Iterable[list[str]] = ()) -> Node:
    manager = said.get("ManagerStatus") or {}
    # a node that joins at this moment has no description yet
    described = said.get("Description") or {}
    # the leader gives its own as 0.0.0.0 where it was told to listen on all
    address = manager.get("Addr", "").rpartition(":")[0] or said["Status"].get("Addr", "")
    groups = list(constraints)
    return Node(
        id=said["ID"],
        name=described.get("Hostname", said["ID"]),
        state=said["Status"]["State"],
        availability=said["Spec"]["Availability"],
        engine=described.get("Engine", {}).get("EngineVersion", ""),
        address=address,
        manager="leader" if manager.get("Leader") else manager.get("Reachability", ""),
        takes_workers=not groups or any(allows(said, group) for group in groups),
    )


def _rendered(artifacts: Artifacts) -> tuple[dict[str, str], list[list[str]]]:
    """The network's options, and each group's constraints, as stack.yml has them."""
    stack = yaml.safe_load(artifacts.stack_file.read_text("utf-8"))
    network = stack.get("networks", {}).get(artifacts.network) or {}
    options = {key: str(value) for key, value in (network.get("driver_opts") or {}).items()}
    services = stack.get("services", {})
    return options, [
        services.get(group.name, {}).get("deploy", {}).get("placement", {}).get("constraints") or []
        for group in artifacts.groups
    ]
