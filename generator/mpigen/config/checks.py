"""Checks across fields of mpigen.yaml: impossible combinations are refused with the reason."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from mpigen.config.document import KeyPath
from mpigen.config.models import Config
from mpigen.config.patterns import IMAGE, RESERVED_PARAMS
from mpigen.distros import release_of
from mpigen.mpi import IMPLEMENTATIONS
from mpigen.notation.image_names import add_variant
from mpigen.notation.sizes import format_bytes
from mpigen.notation.subnets import LARGEST_PREFIX, prefix_for
from mpigen.stackfile.schema import Part, problems

# swarmkit, manager/controlapi/service.go: a service's name is a DNS label
NAME_LIMIT = 63
# swarmkit, manager/controlapi/secret.go: at most 64 characters
SECRET_LIMIT = 64

# the fields that each storage type requires, and those that it accepts
_STORAGE = {
    "volume": ({"source"}, {"source"}),
    "bind": ({"source"}, {"source"}),
    "nfs": ({"source", "server"}, {"source", "server", "options"}),
    "tmpfs": (set(), {"size"}),
}
# folders of the image that no storage may hide, since containers need them
_IMAGE_FOLDERS = (
    "/bin",
    "/dev",
    "/etc",
    "/lib",
    "/proc",
    "/run",
    "/sbin",
    "/sys",
    "/tmp",
    "/usr",
    "/var",
)


class Conflict(NamedTuple):
    """Fields that cannot be combined.

    The first of `paths` names the problem; the first one in the file gives the line and column.
    """

    paths: tuple[KeyPath, ...]
    message: str


def conflicts(config: Config, site: Path) -> Iterator[Conflict]:
    """Yield every conflict in `config`; `site` is the folder of mpigen.yaml."""
    yield from _names(config)
    yield from _groups(config)
    yield from _storage(config)
    yield from _capacity(config)
    yield from _network(config)
    yield from _mpi(config)
    yield from _stack(config)
    yield from _images(config, site)
    if config.app and not (site / config.app.source).is_dir():
        folder = site / config.app.source
        message = f"there is no folder {folder}: the path starts from this file's folder"
        yield Conflict((("app", "source"),), message)


def _images(config: Config, site: Path) -> Iterator[Conflict]:
    image = config.image
    for name in ("ca", "build_env"):
        if getattr(image, name) and not (config.app or image.bench):
            message = "is for the build stage, and without app there is none"
            yield Conflict((("image", name), ("app",)), message)
    for index, group in enumerate(config.workers):
        own = add_variant(image.tag or f"{config.name}:latest", group.name)
        if group.packages and not re.fullmatch(IMAGE, own):
            message = f"the image of its own would be {own}, which is no image reference"
            yield Conflict((("workers", index, "packages"), ("image", "tag")), message)
    if image.ca and not (site / image.ca).is_file():
        message = f"there is no file {site / image.ca}: the path starts from this file's folder"
        yield Conflict((("image", "ca"),), message)


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
    at = ("network", "name")
    yield from _stack_name("the network's name", config.name, config.network.name, at)
    longest = f"{config.name}_authorized_keys_{'0' * 12}"
    if config.ssh.delivery == "secret" and len(longest) > SECRET_LIMIT:
        most = SECRET_LIMIT - (len(longest) - len(config.name))
        message = f"with ssh.delivery secret a name has {most} characters at most, so that the"
        message += f" Swarm's names have {SECRET_LIMIT}: this has {len(config.name)}"
        yield Conflict((("name",), ("ssh", "delivery")), message)


def _storage(config: Config) -> Iterator[Conflict]:
    """Check the targets and volumes, and the fields that each storage type requires and accepts."""
    first: dict[str, int] = {}
    volumes: dict[str, int] = {}
    for index, each in enumerate(config.storage):
        at: KeyPath = ("storage", index)
        if first.setdefault(each.target, index) != index:
            message = f"storage[{first[each.target]}] has {each.target} too"
            yield Conflict(((*at, "target"), at), message)
        name = each.volume
        if name and volumes.setdefault(name, index) != index:
            message = f"storage[{volumes[name]}] is the volume {name} too"
            yield Conflict(((*at, "source"), at), message)
        if each.target in _IMAGE_FOLDERS or any(
            each.target.startswith(f"{ours}/") for ours in _IMAGE_FOLDERS
        ):
            message = f"{each.target} is the image's own: take another folder, as in /data"
            yield Conflict(((*at, "target"),), message)
        needs, takes = _STORAGE[each.type]
        for name in ("source", "server", "options", "size"):
            if name in needs and getattr(each, name) is None:
                yield Conflict(((*at, name), (*at, "type"), at), f"is needed with {each.type}")
            if name not in takes and getattr(each, name) is not None:
                message = f"means nothing with {each.type}"
                yield Conflict(((*at, name), (*at, "type")), message)
        is_path = (each.source or "").startswith("/")
        if each.source and "source" in takes and is_path == (each.type == "volume"):
            wanted = "a name, as in data" if each.type == "volume" else "an absolute path"
            yield Conflict(((*at, "source"), (*at, "type")), f"is {wanted} with {each.type}")


def _stack_name(what: str, stack: str, own: str, at: KeyPath) -> Iterator[Conflict]:
    """Check the length of STACK_OWN, a name on the Swarm; report the longer part."""
    name = f"{stack}_{own}"
    if len(name) > NAME_LIMIT:
        paths: tuple[KeyPath, KeyPath] = (
            (("name",), at) if len(stack) > len(own) else (at, ("name",))
        )
        yield Conflict(paths, _too_long(what, name))


def _too_long(what: str, name: str) -> str:
    return f"{what} would be {name}, {len(name)} characters: {NAME_LIMIT} is the most"


def _groups(config: Config) -> Iterator[Conflict]:
    first: dict[str, int] = {}
    for index, group in enumerate(config.workers):
        at: KeyPath = ("workers", index)
        if first.setdefault(group.name, index) != index:
            message = f"workers[{first[group.name]}] is called {group.name!r} too: "
            message += "give each group a name of its own"
            other: KeyPath = ("workers", first[group.name], "name")
            yield Conflict(((*at, "name"), at, other), message)
        if group.memory and group.shm and group.shm > group.memory:
            message = (
                f"{format_bytes(group.shm)} of /dev/shm count against the memory limit of "
                f"{format_bytes(group.memory)}: make shm smaller or memory larger"
            )
            yield Conflict(((*at, "shm"), (*at, "memory")), message)
        if group.mode == "global" and group.max_per_node:
            message = "is one by itself where mode is global: leave it out"
            yield Conflict(((*at, "max_per_node"), (*at, "mode")), message)
        nodes = config.network.nodes
        if nodes and group.max_per_node and nodes * group.max_per_node < group.replicas:
            message = (
                f"{group.replicas} containers are more than max_per_node {group.max_per_node} "
                f"on network.nodes {nodes} make: {nodes * group.max_per_node}"
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
    advice = f"take a subnet of /{prefix}" if large else "no overlay is that large"
    message = (
        f"{subnet} holds {usable} addresses, and {needed} are needed: {tasks} for "
        f"the containers, {nodes} for the nodes (one each), 1 for the gateway, 1 for a job; "
        f"{advice}"
    )
    if not config.network.nodes:
        message += ", or say network.nodes if there are fewer servers than containers"
    paths: list[KeyPath] = [("network", "subnet"), ("network", "nodes"), ("workers",)]
    paths += [("workers", index, "replicas") for index in range(len(config.workers))]
    yield Conflict(tuple(paths), message)


def _network(config: Config) -> Iterator[Conflict]:
    """Check that settings of an external network are left to its creator."""
    network = config.network
    if not network.external:
        return
    for name in ("mtu", "internal", "encrypted", "stack"):
        if getattr(network, name):
            message = f"is set where the network {network.name} is made (network.external)"
            yield Conflict((("network", name), ("network", "external")), message)


def _stack(config: Config) -> Iterator[Conflict]:
    """Check the site's own keys for what `docker stack deploy` would refuse or ignore."""
    parts: list[tuple[KeyPath, dict[str, Any], Part]] = [(("stack",), config.stack, "stack")]
    parts.append((("network", "stack"), config.network.stack, "network"))
    for index, group in enumerate(config.workers):
        parts.append((("workers", index, "stack"), group.stack, "service"))
    for at, value, part in parts:
        if value:
            for path, message in problems(value, part):
                yield Conflict(((*at, *path), at), message)


def _mpi(config: Config) -> Iterator[Conflict]:
    mpi = IMPLEMENTATIONS[config.mpi.implementation]
    for name in config.mpi.params:
        if name in RESERVED_PARAMS:
            message = "is found out when a container starts, and cannot be set: leave it out"
            yield Conflict((("mpi", "params", name),), message)
        elif not re.fullmatch(mpi.param_names, name):
            message = f"is no {mpi.param_kind}, which mpi.implementation "
            message += f"{config.mpi.implementation} takes"
            yield Conflict((("mpi", "params", name), ("mpi", "implementation")), message)
    release = release_of(config.image.base)
    if release and (why := release.broken.get(config.mpi.implementation)):
        yield Conflict((("mpi", "implementation"), ("image", "base")), why)
