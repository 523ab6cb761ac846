"""Checks that `stack:` does not contradict a field of mpigen.yaml, or another `stack:`."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mpigen.config.conflict import Conflict
from mpigen.config.document import KeyPath, dotted
from mpigen.config.models import Config
from mpigen.config.models_workers import Workers
from mpigen.config.patterns import RESERVED_PARAMS
from mpigen.notation.sizes import parse_bytes
from mpigen.untrusted.quoting import shown

if TYPE_CHECKING:
    from mpigen.config.checks_stack import Service

_NOTHING = object()
# prefixes with which MPI's parameters are environment variables
_PREFIXES = ("OMPI_MCA_", "PRTE_MCA_", "PMIX_MCA_")


def said_twice(config: Config, services: "Sequence[Service]") -> Iterator[Conflict]:
    """Yield each value of a `stack` that contradicts what mpigen.yaml says elsewhere."""
    for service in services:
        if service.group:
            yield from _group(service, *service.group)
        is_launcher = bool(config.launcher and service.name == config.launcher.name)
        if is_launcher and _get(service.keys, "deploy", "replicas") not in (_NOTHING, 1):
            place = (*service.at, "deploy", "replicas")
            yield Conflict((place, service.at), "there is one launcher: leave it out")
        if service.group or is_launcher:
            yield from _environment(service)
    for one in services:
        other = next((each for each in services if each.name == one.name and each is not one), None)
        if other and one.at[0] == "workers":
            yield from _differences(one.keys, one.at, other.keys, other.at)
    networks = _get(config.stack, "networks", config.network.name)
    at: KeyPath = ("stack", "networks", config.network.name)
    if isinstance(networks, dict):
        yield from _network(config, networks, at)
        yield from _differences(config.network.stack, ("network", "stack"), networks, at)
    if not config.network.external:
        yield from _network(config, config.network.stack, ("network", "stack"))


def _group(service: "Service", index: int, group: Workers) -> Iterator[Conflict]:
    keys, home = service.keys, ("workers", index)
    replicas = group.replicas if group.mode == "replicated" else _NOTHING
    fields: list[tuple[tuple[str, ...], str, object]] = [
        (("deploy", "mode"), "mode", group.mode),
        (("deploy", "replicas"), "replicas", replicas),
    ]
    limits = ("deploy", "resources", "limits")
    if group.cpus is not None:
        fields.append(((*limits, "cpus"), "cpus", group.cpus))
    if group.memory is not None:
        fields.append(((*limits, "memory"), "memory", group.memory))
    if group.max_per_node is not None:
        place = ("deploy", "placement", "max_replicas_per_node")
        fields.append((place, "max_per_node", group.max_per_node))
    for path, field, value in fields:
        given = _get(keys, *path)
        if given is not _NOTHING and _plain(given, field) != _plain(value, field):
            message = (
                f"{shown(given)} contradicts the group's {field}: set it there, and leave "
                "it out here"
            )
            yield Conflict(((*service.at, *path), service.at, (*home, field)), message)
    for field, limit in (("cpus", group.cpus), ("memory", group.memory)):
        path = ("deploy", "resources", "reservations", field)
        wanted = _plain(_get(keys, *path), field)
        least = _plain(limit, field)
        numbers = isinstance(wanted, (int, float)) and isinstance(least, (int, float))
        if numbers and wanted > least:  # type: ignore[operator]
            message = f"{shown(_get(keys, *path))} is more than the group's {field} allow: Swarm "
            message += "refuses it"
            yield Conflict(((*service.at, *path), service.at, (*home, field)), message)
    hostname = _get(keys, "hostname")
    several = group.replicas > 1 or group.mode == "global"
    if isinstance(hostname, str) and several and "{{" not in hostname:
        message = f"every container would be called {shown(hostname)}, and hosts are found by "
        message += "their names: leave it out"
        yield Conflict(((*service.at, "hostname"), service.at), message)
    threads = _get(keys, "environment", "OMP_NUM_THREADS")
    if group.threads and threads is not _NOTHING and str(threads) != str(group.threads):
        at = (*service.at, "environment", "OMP_NUM_THREADS")
        message = (
            f"{shown(threads)} contradicts the group's threads: set it there, and leave it out here"
        )
        yield Conflict((at, service.at), message)


def _environment(service: "Service") -> Iterator[Conflict]:
    """MPI reads its parameters from the environment too, before any file."""
    environment = _get(service.keys, "environment")
    entries = enumerate(environment) if isinstance(environment, list) else ()
    names: dict[str | int, str] = {at: str(each).partition("=")[0] for at, each in entries}
    if isinstance(environment, dict):
        names = {name: name for name in environment}
    for at, name in names.items():
        param = next((name.removeprefix(each) for each in _PREFIXES if name.startswith(each)), name)
        if param in RESERVED_PARAMS:
            message = "is determined when a container starts and cannot be set: leave it out"
            yield Conflict(((*service.at, "environment", at), service.at), message)


def _network(config: Config, keys: dict[str, Any], at: KeyPath) -> Iterator[Conflict]:
    network = config.network
    mtu = "com.docker.network.driver.mtu"
    fixed: list[tuple[tuple[str, ...], tuple[object, ...], str]] = [
        (("driver",), ("overlay",), "the workers are on several servers: leave it out"),
        (("attachable",), (True,), "jobs attach themselves to the network: leave it out"),
        (("external",), (network.external,), "use network.external"),
        (("ipam", "config"), ([{"subnet": str(network.subnet)}],), "use network.subnet"),
        (("name",), (f"{config.name}_{network.name}",), "jobs look for it by network.name"),
    ]
    if network.internal:
        fixed.append((("internal",), (True,), "network.internal sets something else"))
    if network.mtu:
        fits = (str(network.mtu - 50), network.mtu - 50)
        fixed.append((("driver_opts", mtu), fits, "network.mtu sets something else"))
    for path, values, why in fixed:
        given = _get(keys, *path)
        if given is not _NOTHING and given not in values:
            yield Conflict(((*at, *path), at), f"{shown(given)} is not possible: {why}")


def _differences(one: Any, at: KeyPath, other: Any, elsewhere: KeyPath) -> Iterator[Conflict]:
    """Each value that two `stack` give to one key."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one.keys() & other.keys():
            yield from _differences(one[key], (*at, key), other[key], (*elsewhere, key))
    elif one != other and not (isinstance(one, list) and isinstance(other, list)):
        message = f"{dotted(elsewhere)} is {shown(other)}: set it in one place"
        yield Conflict((at, elsewhere), message)


def _plain(value: object, field: str) -> object:
    """`value` as it can be compared: 2g is 2048m, and '2' are 2.0 CPUs."""
    try:
        if field == "memory" and isinstance(value, str):
            return parse_bytes(value)
        return float(str(value)) if field == "cpus" else value
    except ValueError:
        return value


def _get(value: Any, *path: str) -> Any:
    """The value at `path` below the mapping `value`, or _NOTHING."""
    for key in path:
        value = value.get(key, _NOTHING) if isinstance(value, dict) else _NOTHING
    return value
