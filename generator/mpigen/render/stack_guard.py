"""What MPI and security need of stack.yml, and whether a site's own changes have undone it."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from mpigen.cluster.model import Cluster, Group


class _Need(NamedTuple):
    """A key of a service or network, whether its value will do, and why it must."""

    path: str
    holds: Callable[[Any], bool]
    why: str


def violated_requirements(document: Any, cluster: Cluster) -> list[str]:
    """A sentence for each thing in the parsed stack.yml that breaks what `cluster` relies on."""
    services = _mapping(document, "services")
    found = []
    for group in cluster.services:
        at = f"services.{group.name}"
        if group.name in services:
            found += list(_unmet(services[group.name], at, _service(group, cluster)))
        else:
            found.append(f"{at} is gone: jobs wait for its {group.replicas} containers")
    at = f"networks.{cluster.network.name}"
    found += list(
        _unmet(_mapping(document, "networks", cluster.network.name), at, _network(cluster))
    )
    return [f"stack.yml: {sentence}" for sentence in found]


def _service(group: Group, cluster: Cluster) -> list[_Need]:
    image = group.variant.tag if group.variant else cluster.tag
    user = f"{cluster.user.uid}:{cluster.user.gid}"
    capability = "no process needs a capability"
    login = "DNS names a worker only when others can log in to it"
    start = "the image's own starts sshd"
    count = f"jobs wait for {group.replicas}: set the group's replicas"
    return [
        _Need("image", _is(image), f"scripts/build.sh makes {image}"),
        _Need("hostname", _is(group.hostname), "hosts are found by this name"),
        _Need("user", _is(None, user), f"sshd and its keys are for {user}, root is for nobody"),
        _Need("cap_drop", _is(["ALL"]), capability),
        _Need("cap_add", _is(None, []), capability),
        _Need("ports", _is(None, []), "it is published to all who reach the servers"),
        _Need("init", _is(True), "nobody else ends what a job leaves"),
        _Need("entrypoint", _is(None), start),
        _Need("command", _is(None), start),
        _Need("healthcheck.test", _is(["CMD", "/usr/local/bin/mpi-health"]), login),
        _Need("healthcheck.disable", _is(None, False), login),
        *_keys(cluster),
        _Need("networks", lambda it: cluster.network.name in (it or ()), "MPI talks over it"),
        _Need("volumes", _has_shm, "ranks of a container talk over /dev/shm"),
        _Need("deploy.mode", _is(group.mode), "hosts are named by it: set the group's mode"),
        _Need(
            "deploy.replicas", _is(group.replicas if group.mode == "replicated" else None), count
        ),
        _Need("deploy.endpoint_mode", _is("dnsrr"), "a virtual address hides the hosts"),
    ]


def _keys(cluster: Cluster) -> list[_Need]:
    """Where the containers find their keys, if the image has none."""
    if cluster.ssh.delivery == "image":
        return []
    private = {"/etc/mpi/id_ed25519", "/etc/mpi/ssh_host_ed25519_key"}
    public = {"/etc/mpi/authorized_keys", "/etc/ssh/ssh_known_hosts"}
    return [
        _Need("secrets", _has_targets(private), "the image has no private keys"),
        _Need("configs", _has_targets(public), "the image may have the public halves of old keys"),
    ]


def _network(cluster: Cluster) -> list[_Need]:
    subnet = "the interface of MPI is found by its subnet"
    if cluster.network.external:
        return [_Need("external", _is(True), "network.external says that others make it")]
    return [
        _Need("driver", _is("overlay"), "the workers are on several servers"),
        _Need("attachable", _is(True), "jobs attach themselves to it"),
        _Need("external", _is(None, False), subnet),
        _Need("ipam.config", _is([{"subnet": cluster.subnet}]), subnet),
    ]


def _is(*values: object) -> Callable[[object], bool]:
    return lambda value: value in values


def _unmet(part: Any, at: str, needs: list[_Need]) -> Iterator[str]:
    for need in needs:
        value = part
        for key in need.path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if not need.holds(value):
            said = "is not set" if value is None else f"is {value!r}"
            yield f"{at}.{need.path} {said}; {need.why}"


def _has_shm(volumes: Any) -> bool:
    return any(
        isinstance(each, dict) and each.get("type") == "tmpfs" and each.get("target") == "/dev/shm"
        for each in volumes or ()
    )


def _has_targets(targets: set[str]) -> Callable[[Any], bool]:
    return lambda held: (
        targets <= {each.get("target") for each in held or () if isinstance(each, dict)}
    )


def _mapping(document: Any, *path: str) -> dict[str, Any]:
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else {}
