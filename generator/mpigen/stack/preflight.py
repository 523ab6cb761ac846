"""Find everything that would keep a stack from starting, before anything is deployed."""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any

import yaml
from docker.errors import NotFound

from mpigen.artifacts.folder import Artifacts
from mpigen.image import startable
from mpigen.swarm import nodes
from mpigen.swarm.deployment import Deployment
from mpigen.swarm.engine import Engine, blame
from mpigen.swarm.engine_faults import is_encrypted, split_encryption
from mpigen.swarm.nodes import Node
from mpigen.swarm.placement import allows, constraints_of
from mpigen.swarm.processes import Say

_NATIVE = ("macvlan", "ipvlan")


def problems(deployment: Deployment, images: Mapping[str, str], say: Say) -> list[str]:
    """Everything that would keep `images` from starting as the stack, in a sentence or two each.

    `images` comes from `select.references_to_deploy`; `say` gets what is slow. Raises ClusterError
    if the engine is no manager, or silent.
    """
    engine, artifacts = deployment.engine, deployment.artifacts
    found = visible_problems(deployment)
    for variant, reference in images.items():
        lacking = startable.lacking_for(engine, reference, artifacts, say, variant)
        for node, why in lacking.items():
            what = f"cannot start {reference} ({why})"
            if why == startable.OTHER:
                what = f"has another {reference} than this engine"
            found.append(f"{node} {what}: mpigen build brings it there")
    return found


def visible_problems(deployment: Deployment) -> list[str]:
    """Those of `problems` that the manager can report without starting anything on the nodes."""
    engine, artifacts = deployment.engine, deployment.artifacts
    engine.need_manager()
    rendered = yaml.safe_load(artifacts.stack_file.read_text("utf-8"))
    with blame("asking the Swarm for its nodes and networks"):
        ready = _ready(engine)
        found = [*unplaced(ready, artifacts, rendered), *_network(deployment, rendered)]
    network = (rendered.get("networks") or {}).get(artifacts.network) or {}
    if is_encrypted(network.get("driver_opts") or {}) and (fault := split_encryption(ready)):
        found.append(": ".join(fault))
    return found


def _ready(engine: Engine) -> list[Node]:
    return [node for node in nodes.listed(engine.client) if node.is_ready]


def unplaced(
    ready: Sequence[Node], artifacts: Artifacts, rendered: Mapping[str, Any]
) -> Iterator[str]:
    """Why the `ready` nodes cannot take all containers of the services in a `rendered` stack."""
    everywhere = {
        group.name: group.replicas for group in artifacts.groups if group.mode == "global"
    }
    for name, service in rendered["services"].items():
        deploy = service.get("deploy", {})
        wanted = everywhere.get(name) or deploy.get("replicas", 1)
        most = deploy.get("placement", {}).get("max_replicas_per_node")
        if name in everywhere:
            most = 1
        yield from misplaced(name, wanted, most, constraints_of(service), ready)


def misplaced(
    name: str,
    wanted: int,
    most: int | None,
    constraints: Sequence[str],
    ready: Sequence[Node],
) -> Iterator[str]:
    """Why the `ready` nodes cannot take `wanted` containers of a service, at most `most` each."""
    allowed = sum(allows(node, constraints) for node in ready)
    if not allowed:
        yield (
            f"{name}: none of the {len(ready)} nodes that are ready and active meets "
            f"{' and '.join(constraints)}: label one (docker node update --label-add) or "
            "change workers.constraints"
            if constraints
            else f"{name}: no node is ready and active: see docker node ls"
        )
    elif most and most * allowed < wanted:
        yield (
            f"{name}: {wanted} containers are more than {most} per node on the {allowed} "
            "nodes that may run it"
        )


def too_many(engine: Engine, services: Mapping[str, int]) -> list[str]:
    """Why deployed services cannot have that many containers on the nodes that are ready."""
    found: list[str] = []
    with blame("asking the Swarm for its nodes and services"):
        ready = _ready(engine)
        for name, wanted in services.items():
            spec = engine.client.api.inspect_service(name)["Spec"]  # type: ignore[no-untyped-call]
            placement = spec["TaskTemplate"].get("Placement") or {}
            constraints = placement.get("Constraints") or []
            found += misplaced(name, wanted, placement.get("MaxReplicas"), constraints, ready)
    return found


def _network(deployment: Deployment, rendered: Mapping[str, Any]) -> Iterator[str]:
    engine, artifacts, name = deployment.engine, deployment.artifacts, deployment.network
    wanted = (rendered.get("networks") or {}).get(artifacts.network) or {}
    create = (
        f"docker network create --driver overlay --attachable --subnet {artifacts.subnet} {name}"
    )
    try:
        there = engine.client.api.inspect_network(name)
    except NotFound:
        if artifacts.external:
            yield f"there is no network {name} (network.external): {create}"
            return
        yield from _overlaps(engine, IPv4Network(artifacts.subnet))
        return
    pools = (there.get("IPAM") or {}).get("Config") or []
    differs = []
    if artifacts.external and there.get("Driver") in _NATIVE:
        # its addresses are in the configuration of each node, and not here
        if not there.get("Attachable") or there.get("Scope") != "swarm":
            yield f"the network {name} is not an attachable network of the Swarm"
        return
    if [pool.get("Subnet") for pool in pools] != [artifacts.subnet]:
        has = ", ".join(pool.get("Subnet", "?") for pool in pools)
        differs.append(f"subnet {has}, not {artifacts.subnet}")
    options = there.get("Options") or {}
    if artifacts.external:
        if there.get("Driver") != "overlay" or not there.get("Attachable"):
            differs.append("not an attachable overlay")
        if differs:
            yield f"the network {name} does not fit ({'; '.join(differs)}): {create}"
        return
    for key in ("com.docker.network.driver.mtu", "encrypted"):
        is_, should = options.get(key), (wanted.get("driver_opts") or {}).get(key)
        if is_ != (None if should is None else str(should)):
            differs.append(f"{key.rpartition('.')[2]} {_option(is_)}, not {_option(should)}")
    for key in ("attachable", "internal"):
        if bool(there.get(key.capitalize())) != bool(wanted.get(key)):
            differs.append(f"{key} {bool(there.get(key.capitalize()))}".lower())
    if differs:
        yield (
            f"the network {name} already exists with other options ({'; '.join(differs)}), "
            "and Swarm cannot change a network: run mpigen down first"
        )


def _option(value: object) -> object:
    return "unset" if value is None else value or "set"


def _overlaps(engine: Engine, subnet: IPv4Network) -> Iterator[str]:
    for each in engine.client.api.networks():
        for pool in (each.get("IPAM") or {}).get("Config") or []:
            other = pool.get("Subnet", "")
            # engines return a subnet as it was given, perhaps with host bits set
            if "." in other and subnet.overlaps(IPv4Network(other, strict=False)):
                yield (
                    f"the subnet {subnet} overlaps {other} of the network {each['Name']}: "
                    "take another network.subnet"
                )
