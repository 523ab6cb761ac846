"""Requirements of MPI and security on stack.yml, checked after a site's own changes."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from mpigen.cluster.model import Cluster, Group
from mpigen.untrusted.quoting import shown

# measured with clients of 27.5, 28.2, 28.5 and 29.1: it is in the schema, but not in the request
_OOM = (
    "docker stack deploy of Docker 27.1 to 29.1 reads it and does not pass it on: "
    "set it with docker service update --oom-score-adj"
)


class _Rule(NamedTuple):
    """A key of a service or network, a test of its value, and the reason for it."""

    path: str
    holds: Callable[[Any], bool]
    why: str


def violated_requirements(document: Any, cluster: Cluster) -> list[str]:
    """One sentence per requirement of `cluster` that the parsed stack.yml `document` breaks."""
    services = _mapping(document, "services")
    found = []
    for group in cluster.services:
        at = f"services.{group.name}"
        if group.name in services:
            found += list(_violations(services[group.name], at, _service_rules(group, cluster)))
        else:
            found.append(f"{at} is missing: jobs wait for its {group.replicas} containers")
    at = f"networks.{cluster.network.name}"
    found += list(
        _violations(
            _mapping(document, "networks", cluster.network.name), at, _network_rules(cluster)
        )
    )
    return [f"stack.yml: {sentence}" for sentence in found]


def _service_rules(group: Group, cluster: Cluster) -> list[_Rule]:
    """The rules for the service of `group`."""
    image = group.variant.tag if group.variant else cluster.tag
    user = f"{cluster.user.uid}:{cluster.user.gid}"
    capability = "no process needs a capability"
    login = "DNS names a worker only when others can log in to it"
    start = "the image's own starts sshd"
    count = f"jobs wait for {group.replicas}: set the group's replicas"
    return [
        _Rule("image", _is(image), f"scripts/build.sh makes {image}"),
        _Rule("hostname", _is(group.hostname), "hosts are found by this name"),
        _Rule("user", _is(None, user), f"sshd and its keys are for {user}, and nobody uses root"),
        _Rule("cap_drop", _is(["ALL"]), capability),
        _Rule("cap_add", _is(None, []), capability),
        _Rule("ports", _is(None, []), "it is published to all who reach the servers"),
        _Rule("init", _is(True), "nothing else ends what a job leaves behind"),
        _Rule("entrypoint", _is(None), start),
        _Rule("command", _is(None), start),
        _Rule("healthcheck.test", _is(["CMD", "/usr/local/bin/mpi-health"]), login),
        _Rule("healthcheck.disable", _is(None, False), login),
        *_key_rules(cluster),
        _Rule("oom_score_adj", _is(None), _OOM),
        _Rule("networks", lambda it: cluster.network.name in (it or ()), "MPI talks over it"),
        _Rule("volumes", _has_shm, "ranks of a container talk over /dev/shm"),
        _Rule("deploy.mode", _is(group.mode), "hosts are named by it: set the group's mode"),
        _Rule(
            "deploy.replicas", _is(group.replicas if group.mode == "replicated" else None), count
        ),
        _Rule("deploy.endpoint_mode", _is("dnsrr"), "a virtual address hides the hosts"),
    ]


def _key_rules(cluster: Cluster) -> list[_Rule]:
    """The secrets and configs that deliver the ssh keys, if the image does not contain them."""
    if cluster.ssh.delivery == "image":
        return []
    private = {"/etc/mpi/id_ed25519", "/etc/mpi/ssh_host_ed25519_key"}
    public = {"/etc/mpi/authorized_keys", "/etc/ssh/ssh_known_hosts"}
    return [
        _Rule("secrets", _has_targets(private), "the image has no private keys"),
        _Rule("configs", _has_targets(public), "the image may have the public halves of old keys"),
    ]


def _network_rules(cluster: Cluster) -> list[_Rule]:
    """The rules for the cluster's network."""
    subnet = "the interface of MPI is found by its subnet"
    if cluster.network.external:
        return [_Rule("external", _is(True), "with network.external it already exists")]
    return [
        _Rule("driver", _is("overlay"), "the workers are on several servers"),
        _Rule("attachable", _is(True), "jobs attach themselves to it"),
        _Rule("external", _is(None, False), subnet),
        _Rule("ipam.config", _is([{"subnet": cluster.subnet}]), subnet),
    ]


def _is(*values: object) -> Callable[[object], bool]:
    """A test whether a value is one of `values`."""
    return lambda value: value in values


def _violations(section: Any, at: str, rules: list[_Rule]) -> Iterator[str]:
    """One sentence per rule that `section`, found at the path `at`, breaks."""
    for rule in rules:
        value = section
        for key in rule.path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if not rule.holds(value):
            state = "is not set" if value is None else f"is {shown(value)}"
            yield f"{at}.{rule.path} {state}; {rule.why}"


def _has_shm(volumes: Any) -> bool:
    """Whether a tmpfs is mounted at /dev/shm."""
    return any(
        isinstance(each, dict) and each.get("type") == "tmpfs" and each.get("target") == "/dev/shm"
        for each in volumes or ()
    )


def _has_targets(targets: set[str]) -> Callable[[Any], bool]:
    """A test whether secrets or configs are mounted at all `targets`."""
    return lambda mounted: (
        targets <= {each.get("target") for each in mounted or () if isinstance(each, dict)}
    )


def _mapping(document: Any, *path: str) -> dict[str, Any]:
    """The mapping at `path` in `document`; empty if there is none."""
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else {}
