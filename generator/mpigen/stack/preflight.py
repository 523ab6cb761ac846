"""What would keep a stack from starting, found before anything is deployed: all of it at once."""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any

import yaml
from docker.errors import NotFound

from mpigen.artifacts.folder import Artifacts
from mpigen.image import select
from mpigen.swarm.engine import Engine, blame
from mpigen.swarm.placement import allows, constraints_of


def problems(
    engine: Engine, artifacts: Artifacts, stack: str, images: Mapping[str, str]
) -> list[str]:
    """What is in the way of deploying `images` as `stack`, a sentence or two each.

    `images` are those of `select.every`. Raises ClusterError if the engine is no manager,
    or silent.
    """
    engine.need_manager()
    rendered = yaml.safe_load(artifacts.stack_file.read_text("utf-8"))
    with blame("asking the Swarm for its nodes and networks"):
        nodes = [node for node in engine.client.api.nodes() if _takes_tasks(node)]
        found = [
            *unplaced(nodes, artifacts, rendered),
            *_network(engine, artifacts, stack, rendered),
        ]
    for variant, reference in images.items():
        for node, why in select.lacking_for(engine, reference, artifacts, variant).items():
            found.append(f"{node} cannot start {reference} ({why}): mpigen build brings it there")
    return found


def _takes_tasks(node: Mapping[str, Any]) -> bool:
    return bool(node["Status"]["State"] == "ready" and node["Spec"]["Availability"] == "active")


def unplaced(
    nodes: Sequence[Mapping[str, Any]], artifacts: Artifacts, rendered: Mapping[str, Any]
) -> Iterator[str]:
    """Why services of the `rendered` stack may not be on `nodes`, as the Swarm tells them."""
    everywhere = {
        group.name: group.replicas for group in artifacts.groups if group.mode == "global"
    }
    for name, service in rendered["services"].items():
        deploy = service.get("deploy", {})
        wanted = everywhere.get(name) or deploy.get("replicas", 1)
        most = deploy.get("placement", {}).get("max_replicas_per_node")
        if name in everywhere:
            most = 1
        yield from misplaced(name, wanted, most, constraints_of(service), nodes)


def misplaced(
    name: str,
    wanted: int,
    most: int | None,
    constraints: Sequence[str],
    nodes: Sequence[Mapping[str, Any]],
) -> Iterator[str]:
    """Why `wanted` containers, `most` a node, may not be on `nodes`, as the Swarm tells them."""
    allowed = sum(allows(node, constraints) for node in nodes)
    if not allowed:
        yield (
            f"{name}: none of the {len(nodes)} nodes that are ready and active meets "
            f"{' and '.join(constraints)}: label one (docker node update --label-add) or "
            "change workers.constraints"
            if constraints
            else f"{name}: no node is ready and active: see docker node ls"
        )
    elif most and most * allowed < wanted:
        yield (
            f"{name}: {wanted} containers are more than {most} a node on the {allowed} "
            "nodes that it may be on"
        )


def too_many(engine: Engine, services: Mapping[str, int]) -> list[str]:
    """Why deployed services may not have that many containers: their nodes are too few."""
    found: list[str] = []
    with blame("asking the Swarm for its nodes and services"):
        nodes = [node for node in engine.client.api.nodes() if _takes_tasks(node)]
        for name, wanted in services.items():
            spec = engine.client.api.inspect_service(name)["Spec"]  # type: ignore[no-untyped-call]
            placement = spec["TaskTemplate"].get("Placement") or {}
            constraints = placement.get("Constraints") or []
            found += misplaced(name, wanted, placement.get("MaxReplicas"), constraints, nodes)
    return found


def _network(
    engine: Engine, artifacts: Artifacts, stack: str, rendered: Mapping[str, Any]
) -> Iterator[str]:
    wanted = (rendered.get("networks") or {}).get(artifacts.network) or {}
    name = artifacts.network_of(stack)
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
    if [pool.get("Subnet") for pool in pools] != [artifacts.subnet]:
        has = ", ".join(pool.get("Subnet", "?") for pool in pools)
        differs.append(f"subnet {has}, not {artifacts.subnet}")
    options = there.get("Options") or {}
    if artifacts.external:
        if there.get("Driver") != "overlay" or not there.get("Attachable"):
            differs.append("no attachable overlay")
        if differs:
            yield f"the network {name} is no network for it ({'; '.join(differs)}): {create}"
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
            f"the network {name} is there with other options ({'; '.join(differs)}), and Swarm "
            "does not change a network: mpigen down first"
        )


def _option(value: object) -> object:
    return "unset" if value is None else value or "set"


def _overlaps(engine: Engine, subnet: IPv4Network) -> Iterator[str]:
    for each in engine.client.api.networks():
        for pool in (each.get("IPAM") or {}).get("Config") or []:
            other = pool.get("Subnet", "")
            # an engine may tell a subnet with host bits set, as it was given
            if "." in other and subnet.overlaps(IPv4Network(other, strict=False)):
                yield (
                    f"the subnet {subnet} overlaps {other} of the network {each['Name']}: "
                    "take another network.subnet"
                )
