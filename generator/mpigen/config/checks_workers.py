"""Checks of the workers and the launcher: places that no node is, and names that two hosts have."""

import re
from collections.abc import Iterator, Sequence

from mpigen.config.conflict import Conflict
from mpigen.config.document import KeyPath
from mpigen.config.models import Config
from mpigen.config.models_workers import Workers
from mpigen.notation.platforms import machine_of

_CONSTRAINT = re.compile(r"\s*(\S+?)\s*(==|!=)\s*(.*?)\s*")
# values of which no other exists that the image runs on
_ONLY = {"node.role": ("manager", "worker"), "node.platform.os": ("linux",)}


def worker_conflicts(config: Config) -> Iterator[Conflict]:
    """Check where containers may run, on how many servers, and what their hosts are called."""
    for index, group in enumerate(config.workers):
        at: KeyPath = ("workers", index)
        yield from _placement((*at, "constraints"), group.constraints)
        yield from _one_server(at, group)
        nodes = config.network.nodes
        if group.mode == "global" and nodes and group.replicas > nodes:
            message = f"a container on each of {group.replicas} servers is more than "
            message += f"network.nodes {nodes} allow"
            yield Conflict(((*at, "replicas"), ("network", "nodes")), message)
    if config.launcher:
        yield from _placement(("launcher", "constraints"), config.launcher.constraints)
    yield from _hosts(config)


def _placement(at: KeyPath, constraints: Sequence[str]) -> Iterator[Conflict]:
    """Check that a node can meet all `constraints`; Swarm ignores the case of values."""
    known: list[tuple[str, str, str]] = []
    for index, text in enumerate(constraints):
        if not (match := _CONSTRAINT.fullmatch(text)):
            continue
        key, sign, value = match[1], match[2], match[3].lower()
        if sign == "==" and value not in _ONLY.get(key, (value,)):
            message = f"no node that can run it has {key} {value}: "
            yield Conflict(((*at, index),), message + f"write {' or '.join(_ONLY[key])}")
        if key == "node.platform.arch" and (machine := machine_of(f"linux/{value}")) != value:
            message = f"Swarm compares with the kernel's name of a processor: write {machine}"
            yield Conflict(((*at, index),), message)
        for other_key, other_sign, other in known:
            apart = value != other if other_sign == sign else value == other
            if key == other_key != "node.ip" and "==" in (sign, other_sign) and apart:
                message = f"no node meets both this and {other_key}{other_sign}{other}"
                yield Conflict(((*at, index),), f"{message}: leave one of them out")
        known.append((key, sign, value))


def _one_server(at: KeyPath, group: Workers) -> Iterator[Conflict]:
    """Check max_per_node where a constraint names the one server of the group."""
    pinned = [
        index
        for index, text in enumerate(group.constraints)
        if re.match(r"\s*node\.(hostname|id)\s*==", text)
    ]
    if pinned and group.max_per_node and group.replicas > group.max_per_node:
        message = f"{group.replicas} containers do not fit: max_per_node is {group.max_per_node} "
        message += "on the one node that the constraints allow"
        paths = ((*at, "replicas"), (*at, "max_per_node"), (*at, "constraints", pinned[0]))
        yield Conflict(paths, message)


def _hosts(config: Config) -> Iterator[Conflict]:
    """Check that no service has the name of a host: DNS would answer both."""
    names: dict[KeyPath, str] = {
        ("workers", index, "name"): group.name for index, group in enumerate(config.workers)
    }
    if config.launcher:
        names["launcher", "name"] = config.launcher.name
    for at, name in names.items():
        stem, _, number = name.rpartition("-")
        for index, group in enumerate(config.workers):
            last = group.replicas if group.mode == "replicated" else 0
            is_number = re.fullmatch("[1-9][0-9]{0,5}", number)
            if stem == group.name and is_number and int(number) <= last:
                message = f"is also the name of a host of workers[{index}]: use another one"
                yield Conflict((at, at[:-1]), message)
