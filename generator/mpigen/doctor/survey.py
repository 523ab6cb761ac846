"""Collect the doctor's facts: from the docker command, the engine, the manager, and the nodes."""

import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import yaml
from docker.errors import ImageNotFound, NotFound

from mpigen.artifacts.folder import Artifacts
from mpigen.doctor import facts
from mpigen.doctor.facts import GOSSIP_PORT, MANAGER_PORT, NO_LEADER, Facts, Worker
from mpigen.errors import ClusterError
from mpigen.notation.counts import counted
from mpigen.notation.image_names import strip_variant
from mpigen.swarm import engine as engines
from mpigen.swarm import nodes, probe, processes
from mpigen.swarm.deployment import Deployment
from mpigen.swarm.engine import Engine, blame
from mpigen.swarm.nodes import Node
from mpigen.swarm.placement import allows, constraints_of
from mpigen.swarm.processes import Say

_SECONDS = 120.0
# overlay.sh tries a peer for at most 180 s (three times tcp.pl's patience, and a login), and 16 of
# them at a time; only servers that are slow take so long
_SECONDS_OF_A_PEER = 180 / 16
_ELECTION_SECONDS = 15.0


def survey(artifacts: Artifacts, stack: str, context: str | None, say: Say) -> Facts:
    """Collect all facts that this machine can get; an error becomes a fact too."""
    # no Deployment is given, since the engine may be silent
    say("asking docker")
    known = Facts(
        stack=stack,
        network=artifacts.network_of(stack),
        subnet=IPv4Network(artifacts.subnet),
        image=artifacts.image,
        groups=tuple(group.name for group in artifacts.groups),
        minimum=artifacts.engine,
        shared=artifacts.shared,
        platforms=artifacts.platforms,
        options=_network_options(_rendered(artifacts), artifacts.network),
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
    deployment = Deployment(engine, artifacts, stack)
    try:
        known, container = _manager(known, deployment)
        say(f"checking {counted(sum(node.is_ready for node in known.nodes), 'node')}")
        return _nodes(known, deployment, container)
    except ClusterError as error:
        return replace(known, swarm_error=error.message, swarm_hint=error.hint)


def _manager(known: Facts, deployment: Deployment) -> tuple[Facts, dict[str, Any]]:
    deadline = time.monotonic() + _ELECTION_SECONDS
    while True:
        try:
            with blame("asking the manager"):
                return _swarm(known, deployment)
        except ClusterError as error:
            # managers that choose a leader answer so for some seconds
            if NO_LEADER not in error.message or time.monotonic() > deadline:
                raise
            time.sleep(1)


def _client(known: Facts) -> Facts:
    if not shutil.which("docker"):
        return replace(known, client_error="there is no docker command here")
    # if the engine is silent it fails, after it has printed its own version
    command = ["sh", "-c", "docker version --format '{{.Client.Version}}' 2>/dev/null || :"]
    version = "".join(processes.run(command, "docker version").split()[:1])
    return replace(known, client=version, client_error="" if version else "it does not answer")


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
        **_image(known, engine),
    )


def _image(known: Facts, engine: Engine) -> dict[str, Any]:
    """The facts that this engine's image tells."""
    try:
        image = engine.client.images.get(known.image).attrs
    except ImageNotFound:
        return {}
    own = (f"{image['Os']}/{image['Architecture']}",)
    return {"image_size": int(image["Size"]), "platforms": known.platforms or own}


def _swarm(known: Facts, deployment: Deployment) -> tuple[Facts, dict[str, Any]]:
    """The manager's facts, and the parts of a worker's ContainerSpec that the probes need too."""
    engine, artifacts = deployment.engine, deployment.artifacts
    services = _rendered(artifacts).get("services", {})
    constraints = [constraints_of(services.get(group, {})) for group in known.groups]
    found = sorted(nodes.listed(engine.client), key=lambda node: node.name)
    known = replace(known, nodes=tuple(found), spare=spare(found, constraints))
    networks = {}
    for each in engine.client.api.networks(filters={"scope": "swarm"}):
        if each["Name"] == known.network:
            driver, options = each.get("Driver") or "overlay", each.get("Options") or {}
            known = replace(known, driver=driver, options=options)
        else:
            config = (each.get("IPAM") or {}).get("Config") or []
            pools = [pool["Subnet"] for pool in config if pool.get("Subnet")]
            networks[each["Name"]] = facts.subnets(*pools)
    container: dict[str, Any] = {}
    wanted = {}
    everywhere = set()
    variant = {group.name: group.variant for group in artifacts.groups}
    for group in known.groups:
        try:
            spec = engine.client.api.inspect_service(deployment.service(group))  # type: ignore[no-untyped-call]
        except NotFound:
            continue
        own = spec["Spec"]["TaskTemplate"]["ContainerSpec"]
        # every node is probed with the cluster's own image
        container = {**own, "Image": strip_variant(own["Image"], variant[group])}
        if replicated := spec["Spec"]["Mode"].get("Replicated"):
            wanted[group] = replicated.get("Replicas", 0)
        else:
            placement = spec["Spec"]["TaskTemplate"].get("Placement") or {}
            allowed = placement.get("Constraints") or []
            wanted[group] = sum(node.is_ready and allows(node, allowed) for node in found)
            everywhere.add(group)
    known = replace(known, deployed=bool(wanted), wanted=wanted, everywhere=frozenset(everywhere))
    known = replace(known, image=container.get("Image", known.image))
    workers = _workers(known, deployment)
    kept = {key: container[key] for key in ("Secrets", "Configs", "User") if container.get(key)}
    return replace(known, networks=networks, workers=workers), kept


def spare(found: Sequence[Node], constraints: Sequence[Sequence[str]]) -> frozenset[str]:
    """The ids of nodes that no group may use, from the constraints of each group."""
    return frozenset(
        node.id
        for node in found
        if constraints and not any(allows(node, each) for each in constraints)
    )


def _nodes(known: Facts, deployment: Deployment, container: Mapping[str, Any]) -> Facts:
    """Add the nodes' own facts, from the probes."""
    engine = deployment.engine
    up = [node for node in known.nodes if node.state == "ready"]
    ports = [f"{node.address}:{MANAGER_PORT}" for node in up if node.manager]
    ports += [f"{node.address}:{GOSSIP_PORT}" for node in up]
    environment = {"PORTS": " ".join(ports), "FINGERPRINT": probe.FINGERPRINT}
    # keys may be configs, and the image's fingerprint covers them: the same ones as in workers
    configs = {key: value for key, value in container.items() if key == "Configs"}
    probes = [probe.Probe("node", "host", known.image, environment, configs)]
    seconds = _SECONDS
    if known.workers:
        # one worker per node, so that each pair of nodes is tried once
        peers = {worker.node: worker.address for worker in known.workers}
        seconds += len(peers) * _SECONDS_OF_A_PEER
        environment = {
            "NAMES": " ".join(known.wanted),
            "PEERS": " ".join(f"{node}={address}" for node, address in peers.items()),
            "PORT": str(deployment.artifacts.port),
            "FINGERPRINT": probe.FINGERPRINT,
            "STORAGE": " ".join(known.shared),
        }
        probes.append(probe.Probe("overlay", known.network, known.image, environment, container))
    answers = probe.run(engine, probes, seconds)
    after = _workers(known, deployment)
    states = {node.id: node.state for node in nodes.listed(engine.client)}
    on_host, *on_overlay = answers
    overlay = {id: answer for each in on_overlay for id, answer in each.items()}
    return replace(
        known,
        # a node may have been lost while it was probed
        nodes=tuple(replace(node, state=states.get(node.id, node.state)) for node in known.nodes),
        workers=tuple(worker for worker in known.workers if worker in after),
        changed=frozenset(worker.address for worker in {*known.workers} ^ {*after}),
        hosts={id: facts.host(answer.lines) for id, answer in on_host.items() if answer.lines},
        hosts_errors={id: answer.error for id, answer in on_host.items() if answer.error},
        attached={
            id: facts.attached(answer.lines) for id, answer in overlay.items() if answer.lines
        },
        attached_errors={id: answer.error for id, answer in overlay.items() if answer.error},
        clocks={id: answer.clock for id, answer in on_host.items() if answer.clock is not None},
        late=_late(answers),
    )


def _late(answers: Sequence[Mapping[str, probe.Answer]]) -> frozenset[str]:
    """The ids of nodes that were late, and of which no other error is known."""
    told = [(id, answer.late) for each in answers for id, answer in each.items() if answer.error]
    return frozenset(id for id, _ in told) - {id for id, late in told if not late}


def _workers(known: Facts, deployment: Deployment) -> tuple[Worker, ...]:
    """The running tasks of each group with an address on the overlay, by host name."""
    found = []
    names = {node.id: node.name for node in known.nodes}
    api = deployment.engine.client.api
    # the tasks of a service that is not there are an error
    for group in known.wanted:
        filters = {"service": deployment.service(group), "desired-state": "running"}
        with suppress(NotFound):  # it was removed meanwhile
            for task in api.tasks(filters):  # type: ignore[no-untyped-call]
                host = f"{group}-{task.get('Slot') or names.get(task.get('NodeID', ''), '')}"
                address = _address(task, known.network, host)
                if task["Status"]["State"] == "running" and address:
                    found.append(Worker(host, group, task["NodeID"], address))
    return tuple(sorted(found, key=lambda worker: (len(worker.host), worker.host)))


def _address(task: Mapping[str, Any], network: str, host: str) -> str:
    """A task's address on a network, or its `host` name where only its node knows the address."""
    for attachment in task.get("NetworksAttachments") or []:
        if attachment["Network"]["Spec"]["Name"] == network:
            addresses = attachment.get("Addresses") or [host]
            return str(addresses[0].partition("/")[0])
    return ""


def _rendered(artifacts: Artifacts) -> dict[str, Any]:
    return dict(yaml.safe_load(artifacts.stack_file.read_text("utf-8")))


def _network_options(stack: Mapping[str, Any], network: str) -> dict[str, str]:
    """The driver options of a network in stack.yml."""
    rendered = stack.get("networks", {}).get(network) or {}
    return {key: str(value) for key, value in (rendered.get("driver_opts") or {}).items()}
