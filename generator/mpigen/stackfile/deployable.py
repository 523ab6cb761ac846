"""What Docker refuses of a stack file whose format is right: see `schema.py` for that."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from mpigen.untrusted.quoting import clip, shown

Path = tuple[str | int, ...]

# what a service takes by name, and the section of the stack file that declares it
_DECLARED = {"networks": "network", "volumes": "volume", "secrets": "secret", "configs": "config"}
SECTIONS = tuple(_DECLARED)
# folders without which a container does not start, or no other can log in to it
_NEEDED = (
    "/bin",
    "/dev",
    "/etc/mpi",
    "/etc/ssh",
    "/lib",
    "/lib64",
    "/proc",
    "/run/mpi",
    "/sys",
    "/usr/bin",
    "/usr/lib",
    "/usr/local/bin",
    "/usr/local/libexec/mpi",
    "/usr/sbin",
)


class Around(NamedTuple):
    """What surrounds a service.

    `declared` has the names of each section of the stack file, `taken` the mounts that the service
    has anyway, by their targets, with what mounts them.
    """

    declared: Mapping[str, Collection[str]]
    taken: Mapping[str, str]
    has_image: bool
    dnsrr: bool


def faults(service: Any, around: Around) -> Iterator[tuple[Path, str]]:
    """Path and message of each fault of `service`; what its format forbids is passed over."""
    if not isinstance(service, dict):
        return
    if not around.has_image and not service.get("image"):
        yield (), "an additional service needs an image, but has none"
    for section, what in _DECLARED.items():
        for path, name in _named(service.get(section), section):
            if name not in around.declared[section]:
                message = f"{shown(name)} is not a {what} of this stack: "
                known = ", ".join(sorted(around.declared[section]))
                message += f"declare it as stack: {{{section}: {{{clip(name)}: ...}}}}"
                yield path, message + (f"; known: {clip(known)}" if known else "")
    for index, each in enumerate(_list(service.get("volumes"))):
        if isinstance(each, dict) and each.get("type") == "bind" and not each.get("source"):
            yield ("volumes", index), "lacks source: a bind mounts a folder of the server"
    ulimits = service.get("ulimits")
    for name, each in ulimits.items() if isinstance(ulimits, dict) else ():
        if isinstance(each, dict) and _less(each.get("hard"), each.get("soft")):
            yield ("ulimits", name), "the soft limit is above the hard one"
    yield from _ports(service, around)
    yield from _mounts(service, around)


def _named(value: Any, section: str) -> Iterator[tuple[Path, str]]:
    """The names that a service takes from a section of the stack file, with their places."""
    if isinstance(value, dict):
        yield from (((section, name), name) for name in value)
    for index, each in enumerate(_list(value)):
        name: Any = each
        if section == "volumes" and isinstance(each, str):
            source, colon, _ = each.partition(":")
            name = source if colon and source[:1] not in ("/", ".", "~") else None
        elif isinstance(each, dict):
            name = each.get("source") if each.get("type", "volume") == "volume" else None
        if isinstance(name, str) and name:
            yield (section, index), name


def _ports(service: dict[str, Any], around: Around) -> Iterator[tuple[Path, str]]:
    deploy = service.get("deploy")
    mode = deploy.get("endpoint_mode") if isinstance(deploy, dict) else None
    ports = service.get("ports")
    if mode == "vip" or not (mode or around.dnsrr) or not isinstance(ports, list):
        return
    for index, port in enumerate(ports):
        if not isinstance(port, dict) or port.get("mode", "ingress") == "ingress":
            message = "Swarm refuses it with endpoint_mode: dnsrr, which the workers need: publish "
            yield (
                ("ports", index),
                message + "it on each server, for example {mode: host, target: 80}",
            )


def _mounts(service: dict[str, Any], around: Around) -> Iterator[tuple[Path, str]]:
    first: dict[str, str] = dict(around.taken)
    for path, target in _targets(service):
        place = target.rstrip("/")
        if not target.startswith("/"):
            yield path, f"{shown(target)} is not an absolute path: write it like /data"
        elif place in first:
            yield (
                path,
                f"{first[place]} also mounts {place}: an engine refuses two mounts in one place",
            )
        elif hidden := next((each for each in _NEEDED if f"{each}/".startswith(f"{place}/")), ""):
            message = f"{target} would hide {hidden}, which containers need: "
            yield path, message + "use another folder, for example /data"
        first.setdefault(place, ".".join(map(str, path)))


def _targets(service: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    """The place of each mount of a service in its containers."""
    volumes, tmpfs = service.get("volumes"), service.get("tmpfs")
    for index, each in enumerate(_list(volumes)):
        target: Any = each.get("target") if isinstance(each, dict) else None
        if isinstance(each, str):
            parts = each.split(":")
            target = parts[min(1, len(parts) - 1)]
        if isinstance(target, str):
            yield ("volumes", index), target
    for index, each in enumerate([tmpfs] if isinstance(tmpfs, str) else _list(tmpfs)):
        if isinstance(each, str):
            at: Path = ("tmpfs",) if isinstance(tmpfs, str) else ("tmpfs", index)
            yield at, each.partition(":")[0]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _less(one: Any, other: Any) -> bool:
    return isinstance(one, int) and isinstance(other, int) and 0 <= one < other


def section_faults(section: str, entries: Any) -> Iterator[tuple[Path, str]]:
    """Path and message of each fault of the networks, volumes, secrets or configs of a stack."""
    for name, entry in entries.items() if isinstance(entries, dict) else ():
        keys = entry if isinstance(entry, dict) else {}
        external = keys.get("external")
        own = sorted(keys.keys() & {"driver", "driver_opts", "file", "ipam", "labels", "internal"})
        if external and own:
            message = f"external means that it already exists: leave out {', '.join(own)}"
            yield (section, name, "external"), message
        elif isinstance(external, dict) and "name" in external and "name" in keys:
            yield (section, name, "name"), "external has a name as well: leave out one of them"
        elif section in ("secrets", "configs") and not (
            external or keys.keys() & {"file", "driver"}
        ):
            message = "needs file, or external: true if it already exists"
            yield (section, name), message


def declared(document: Mapping[str, Any]) -> dict[str, set[str]]:
    """The names that each section of a stack file declares; Docker adds a network `default`."""
    sections = {section: document.get(section) for section in SECTIONS}
    names = {
        section: set(each) if isinstance(each, dict) else set()
        for section, each in sections.items()
    }
    names["networks"].add("default")
    return names


def undeployable(document: Any) -> list[tuple[Path, str]]:
    """Path and message of each fault of the services of a whole stack file."""
    around = Around(declared(document), {}, has_image=False, dnsrr=False)
    found = [
        (("services", name, *path), message)
        for name, service in (document.get("services") or {}).items()
        for path, message in faults(service, around)
    ]
    for section in SECTIONS:
        found += section_faults(section, document.get(section))
    return found
