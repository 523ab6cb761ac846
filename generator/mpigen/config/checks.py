"""Checks across fields of mpigen.yaml: impossible combinations are refused with the reason."""

import re
from collections.abc import Iterator
from pathlib import Path

from mpigen.config.checks_image import image_conflicts
from mpigen.config.checks_stack import stack_conflicts
from mpigen.config.checks_storage import storage_conflicts
from mpigen.config.checks_workers import worker_conflicts
from mpigen.config.conflict import Conflict
from mpigen.config.document import KeyPath
from mpigen.config.models import Config
from mpigen.config.patterns import RESERVED_PARAMS
from mpigen.distros import release_of
from mpigen.mpi import IMPLEMENTATIONS
from mpigen.notation.sizes import format_bytes
from mpigen.notation.subnets import LARGEST_PREFIX, prefix_for
from mpigen.untrusted.quoting import LONGEST, clip, shown

# swarmkit, manager/controlapi/service.go: a service's name is a DNS label
NAME_LIMIT = 63
# swarmkit, manager/controlapi/secret.go: at most 64 characters
SECRET_LIMIT = 64


def conflicts(config: Config, site: Path) -> Iterator[Conflict]:
    """Yield every conflict in `config`; `site` is the folder of mpigen.yaml."""
    yield from _names(config)
    yield from _groups(config)
    yield from worker_conflicts(config)
    yield from storage_conflicts(config)
    yield from _capacity(config)
    yield from _network(config)
    yield from _mpi(config)
    yield from stack_conflicts(config, site)
    yield from image_conflicts(config, site)


def _names(config: Config) -> Iterator[Conflict]:
    if config.launcher:
        launcher: KeyPath = ("launcher", "name")
        yield from _stack_name("the service's name", config.name, config.launcher.name, launcher)
        if config.launcher.name in [group.name for group in config.workers]:
            yield Conflict((launcher, ("launcher",)), "is the name of a group of workers")
    for index, group in enumerate(config.workers):
        at: KeyPath = ("workers", index, "name")
        yield from _stack_name("the service's name", config.name, group.name, at)
        host = f"{group.name}-{group.replicas}"
        if len(host) > NAME_LIMIT:
            paths = (at, ("workers", index, "replicas"))
            yield Conflict(paths, _too_long("the last host's name", host))
    services = config.stack.get("services")
    for name in services if isinstance(services, dict) else ():
        if name not in [group.name for group in config.workers]:
            at = ("stack", "services", name)
            yield from _stack_name("the service's name", config.name, name, at)
    at = ("network", "name")
    yield from _stack_name("the network's name", config.name, config.network.name, at)
    longest = f"{config.name}_authorized_keys_{'0' * 12}"
    if config.ssh.delivery == "secret" and len(longest) > SECRET_LIMIT:
        most = SECRET_LIMIT - (len(longest) - len(config.name))
        message = f"with ssh.delivery secret the name may have at most {most} characters, since "
        message += f"Swarm's names are limited to {SECRET_LIMIT}: this has {len(config.name)}"
        yield Conflict((("name",), ("ssh", "delivery")), message)


def _stack_name(what: str, stack: str, own: str, at: KeyPath) -> Iterator[Conflict]:
    """Check the length of STACK_OWN, a name on the Swarm; report the longer part."""
    name = f"{stack}_{own}"
    if len(name) > NAME_LIMIT:
        paths: tuple[KeyPath, KeyPath] = (
            (("name",), at) if len(stack) > len(own) else (at, ("name",))
        )
        yield Conflict(paths, _too_long(what, name))


def _too_long(what: str, name: str) -> str:
    shortened = clip(name, 2 * LONGEST)
    return f"{what} would be {shortened}, {len(name)} characters: the maximum is {NAME_LIMIT}"


def _groups(config: Config) -> Iterator[Conflict]:
    first: dict[str, int] = {}
    for index, group in enumerate(config.workers):
        at: KeyPath = ("workers", index)
        if first.setdefault(group.name, index) != index:
            message = f"workers[{first[group.name]}] is also called {shown(group.name)}: "
            message += "give each group a different name"
            other: KeyPath = ("workers", first[group.name], "name")
            yield Conflict(((*at, "name"), at, other), message)
        if group.memory and group.shm and group.shm > group.memory:
            message = (
                f"{format_bytes(group.shm)} of /dev/shm count against the memory limit of "
                f"{format_bytes(group.memory)}: make shm smaller or memory larger"
            )
            yield Conflict(((*at, "shm"), (*at, "memory")), message)
        if group.mode == "global" and group.max_per_node:
            message = "is always one with mode: global: leave it out"
            yield Conflict(((*at, "max_per_node"), (*at, "mode")), message)
        nodes = config.network.nodes
        if nodes and group.max_per_node and nodes * group.max_per_node < group.replicas:
            message = (
                f"{group.replicas} containers do not fit: max_per_node {group.max_per_node} "
                f"on network.nodes {nodes} allows {nodes * group.max_per_node}"
            )
            paths = ((*at, "replicas"), (*at, "max_per_node"), ("network", "nodes"))
            yield Conflict(paths, message)


def _capacity(config: Config) -> Iterator[Conflict]:
    """Check that the overlay has addresses for each task and node, the gateway and a job."""
    tasks, nodes = config.containers, config.most_nodes
    needed, subnet = config.addresses, config.subnet
    usable = subnet.num_addresses - 2
    if needed <= usable:
        return
    prefix = prefix_for(needed)
    large = prefix >= LARGEST_PREFIX
    advice = f"use a subnet of /{prefix}" if large else "no overlay is that large"
    message = (
        f"{subnet} has {usable} addresses, but {needed} are needed: {tasks} for "
        f"the containers, {nodes} for the nodes (one each), 1 for the gateway, 1 for a job; "
        f"{advice}"
    )
    if not config.network.nodes:
        message += ", or set network.nodes if there are fewer servers than containers"
    paths: list[KeyPath] = [("network", "subnet"), ("network", "nodes"), ("workers",)]
    paths += [("workers", index, "replicas") for index in range(len(config.workers))]
    yield Conflict(tuple(paths), message)


def _network(config: Config) -> Iterator[Conflict]:
    """Check that settings of an external network are left to its creator."""
    network = config.network
    if not network.external:
        return
    if network.name in ("bridge", "host", "ingress", "none"):
        message = (
            f"{network.name} is one of Docker's own networks, not an overlay that jobs can "
            "attach to"
        )
        yield Conflict((("network", "name"), ("network", "external")), message)
    for name in ("mtu", "internal", "encrypted", "stack"):
        if getattr(network, name):
            message = f"is set where the network {network.name} is created (network.external)"
            yield Conflict((("network", name), ("network", "external")), message)


def _mpi(config: Config) -> Iterator[Conflict]:
    mpi = IMPLEMENTATIONS[config.mpi.implementation]
    for name in config.mpi.params:
        if name in RESERVED_PARAMS:
            message = "is determined when a container starts and cannot be set: leave it out"
            yield Conflict((("mpi", "params", name),), message)
        elif not re.fullmatch(mpi.param_names, name):
            message = f"is not an {mpi.param_kind}, as mpi.implementation "
            message += f"{config.mpi.implementation} requires"
            yield Conflict((("mpi", "params", name), ("mpi", "implementation")), message)
    if not mpi.packages and not config.mpi.version and not config.brings_mpi:
        message = (
            f"{mpi.name} is no package of any distribution: set mpi.version, the release on PyPI"
        )
        yield Conflict((("mpi", "implementation"), ("mpi", "version")), message)
    release = release_of(config.image.base)
    if config.mpi.version or config.brings_mpi:
        return
    if release and (why := release.broken.get(config.mpi.implementation)):
        yield Conflict((("mpi", "implementation"), ("image", "base")), why)
