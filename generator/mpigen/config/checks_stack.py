"""Checks of `stack:`: what `docker stack deploy` refuses or ignores, and what cannot work."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mpigen.config.checks_said_twice import said_twice
from mpigen.config.conflict import Conflict
from mpigen.config.document import KeyPath
from mpigen.config.models import Config
from mpigen.config.models_workers import Workers
from mpigen.stackfile.deployable import SECTIONS, Around, declared, faults, section_faults
from mpigen.stackfile.keys import Part, home_of, keys_of
from mpigen.stackfile.schema import problems

_PLACES = {
    "service": "in an item of workers",
    "network": "in network",
    "stack": "at the top level",
}


class Service(NamedTuple):
    """The site's own keys of one service, and where mpigen.yaml has them.

    `group` is the group of workers whose service it is, with its index; None if of no group.
    """

    at: KeyPath
    name: str
    keys: dict[str, Any]
    group: tuple[int, Workers] | None


def stack_conflicts(config: Config, site: Path) -> Iterator[Conflict]:
    """Check every `stack` of `config`; `site` is the folder of mpigen.yaml."""
    told: set[KeyPath] = set()
    for at, value, part in own_keys(config):
        for path, message in problems(value, part, config.release) if value else ():
            told.add((*at, *path))
            message += _way_to(path, part)
            yield Conflict(((*at, *path), at), message)
    services = _services(config)
    found = [*_unworkable(config, site, services), *said_twice(config, services)]
    for each in found:
        # what has the wrong form is not told again
        if not any(each.paths[0][:length] in told for length in range(len(each.paths[0]) + 1)):
            yield each


def own_keys(config: Config) -> list[tuple[KeyPath, dict[str, Any], Part]]:
    """Every `stack` of `config`, with its place and the part of a stack file that it is for."""
    parts: list[tuple[KeyPath, dict[str, Any], Part]] = [(("stack",), config.stack, "stack")]
    parts.append((("network", "stack"), config.network.stack, "network"))
    for index, group in enumerate(config.workers):
        parts.append((("workers", index, "stack"), group.stack, "service"))
    return parts


def _way_to(path: KeyPath, part: Part) -> str:
    """Where to put a key at the top of `part` that is one of another part; empty if it is none."""
    home = home_of(str(path[0]), keys_of(part)) if len(path) == 1 else ""
    if home == "deploy":
        inside = "" if part == "service" else " under stack: in an item of workers"
        return f": write deploy: {{{path[0]}: ...}}{inside}"
    return f": put it under stack: {_PLACES[home]}" if home else ""


def _services(config: Config) -> list[Service]:
    """Every service for which the site has keys of its own."""
    groups = {group.name: (index, group) for index, group in enumerate(config.workers)}
    found = [
        Service(("workers", index, "stack"), group.name, group.stack, (index, group))
        for index, group in enumerate(config.workers)
    ]
    services = config.stack.get("services")
    for name, keys in services.items() if isinstance(services, dict) else ():
        if isinstance(keys, dict):
            found.append(Service(("stack", "services", name), name, keys, groups.get(name)))
    return found


def _unworkable(config: Config, site: Path, services: Sequence[Service]) -> Iterator[Conflict]:
    """What passes as a stack file, and could not be deployed or would not run."""
    names = declared(config.stack)
    names["networks"].add(config.network.name)
    names["volumes"] |= {each.volume for each in config.storage if each.volume}
    for section in SECTIONS:
        for path, message in section_faults(section, config.stack.get(section)):
            yield Conflict((("stack", *path), ("stack",)), message)
    if "version" in config.stack:
        message = "mpigen writes the version that its keys need: leave it out"
        yield Conflict((("stack", "version"),), message)
    launcher = config.launcher.name if config.launcher else None
    known = ", ".join(
        [*(group.name for group in config.workers), *([launcher] if launcher else [])]
    )
    # the site's own stack.yml may declare, and have, anything: it is checked when it is rendered
    replaced = any((site / "templates" / name).exists() for name in ("stack.yml.j2", "stack.yml"))
    ours = {"/dev/shm": "shm"} | {
        each.target: f"storage[{index}]" for index, each in enumerate(config.storage)
    }
    for service in services:
        is_ours = service.group is not None or service.name == launcher
        around = Around(names, ours if is_ours else {}, is_ours, is_ours)
        for path, message in () if replaced else faults(service.keys, around):
            if not path:
                message = f"{message}; services of this cluster are {known}"
            yield Conflict(((*service.at, *path), service.at), message)
        if is_ours and service.keys.get("read_only") is True:
            message = "a container writes MPI's parameters to /run/mpi when it starts: leave it out"
            yield Conflict(((*service.at, "read_only"), service.at), message)
