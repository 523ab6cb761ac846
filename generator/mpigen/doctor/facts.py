"""The facts that the doctor collects about a cluster, and the parser of the probes' output."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Interface, IPv4Network

from mpigen.swarm.nodes import Node

# https://docs.docker.com/engine/swarm/swarm-tutorial/#open-protocols-and-ports-between-the-hosts
MANAGER_PORT, GOSSIP_PORT, VXLAN_PORT = 2377, 7946, 4789

# Docker's default MTU of an overlay's underlay, without com.docker.network.driver.mtu, and the
# bytes that VXLAN and ESP take from it on the overlay's interfaces (measured)
_DEFAULT_MTU, _VXLAN_BYTES, _ESP_BYTES = 1500, 50, 26


@dataclass(frozen=True)
class Host:
    """A node as seen from its own network. `free` is in bytes, on the disk of the images.

    `closed` maps each ADDRESS:PORT that does not answer to the reason. `kernel` has the known
    options of the kernel, `image` a fingerprint of the image's content.
    """

    links: Mapping[str, int] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    routes: tuple[tuple[IPv4Network, str], ...] = ()
    closed: Mapping[str, str] = field(default_factory=dict)
    kernel: Mapping[str, bool] = field(default_factory=dict)
    free: int | None = None
    image: str = ""

    def link_of(self, address: str) -> str:
        """The interface with this address, or ""."""
        return self.addresses.get(address, "")


@dataclass(frozen=True)
class Attached:
    """A node as seen from a container on the cluster's overlay.

    `names` has the addresses that DNS returns for each group. `peers` has the result of a login to
    each address: yes, silent (no packet passes), large (only small packets pass), or refused and
    the reason; `images` the image's fingerprint at each address that was reached.
    """

    names: Mapping[str, frozenset[str]] = field(default_factory=dict)
    peers: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Worker:
    """A running task of a group: its host name, its node's id, its overlay address."""

    host: str
    group: str
    node: str
    address: str


@dataclass(frozen=True)
class Facts:
    """All collected facts. A fact that could not be collected is empty, `*_error` has the reason.

    `minimum` is the version of Docker that the artifacts were rendered for. `spare` has the ids of
    nodes where no worker group may run. `hosts` and `attached` are by node id, and so are their
    errors and `clocks`, in seconds ahead of the leader. `networks` maps the Swarm's other networks
    to their subnets. `options` are those of the stack's network. `wanted` has the replicas of each
    group; `workers` ran both before and after the probes, `changed` has the addresses that came or
    went in between.
    """

    stack: str
    network: str
    subnet: IPv4Network
    image: str
    groups: tuple[str, ...]
    minimum: str = "20.10"
    client: str = ""
    client_error: str = ""
    where: str = ""
    engine: str = ""
    engine_error: str = ""
    engine_hint: str = ""
    swarm: str = ""
    is_manager: bool = False
    managers: tuple[str, ...] = ()
    swarm_error: str = ""
    swarm_hint: str = ""
    nodes: tuple[Node, ...] = ()
    spare: frozenset[str] = frozenset()
    options: Mapping[str, str] = field(default_factory=dict)
    networks: Mapping[str, tuple[IPv4Network, ...]] = field(default_factory=dict)
    deployed: bool = False
    image_size: int | None = None
    wanted: Mapping[str, int] = field(default_factory=dict)
    workers: tuple[Worker, ...] = ()
    changed: frozenset[str] = frozenset()
    hosts: Mapping[str, Host] = field(default_factory=dict)
    hosts_errors: Mapping[str, str] = field(default_factory=dict)
    attached: Mapping[str, Attached] = field(default_factory=dict)
    attached_errors: Mapping[str, str] = field(default_factory=dict)
    clocks: Mapping[str, float] = field(default_factory=dict)

    @property
    def encrypted(self) -> bool:
        """Whether the stack's network is encrypted, which the option means even without a value."""
        return self.options.get("encrypted", "false") != "false"

    @property
    def mtu(self) -> int:
        """The MTU that the overlay needs of the servers' network, in bytes."""
        return int(self.options.get("com.docker.network.driver.mtu", _DEFAULT_MTU))

    @property
    def inner_mtu(self) -> int:
        """The MTU of the overlay's interfaces in the containers, in bytes."""
        return self.mtu - _VXLAN_BYTES - (_ESP_BYTES if self.encrypted else 0)


def host(lines: Iterable[str]) -> Host:
    """Parse the output of probes/node.sh."""
    found = _by_key(lines)
    routes = [words for words in found["route"] if len(words) == 2]
    free = [int(words[0]) for words in found["free"] if words]
    return Host(
        links={words[0]: int(words[1]) for words in found["link"] if len(words) == 2},
        addresses={address.partition("/")[0]: link for link, address in found["address"]},
        routes=tuple((IPv4Network(route, strict=False), link) for route, link in routes),
        closed={words[0]: " ".join(words[1:]) for words in found["closed"]},
        kernel={option: answer == "yes" for option, answer in found["kernel"]},
        free=free[0] if free else None,
        image=" ".join(word for words in found["image"] for word in words),
    )


def attached(lines: Iterable[str]) -> Attached:
    """Parse the output of probes/overlay.sh."""
    found = _by_key(lines)
    names: dict[str, set[str]] = {}
    for name, address in found["dns"]:
        names.setdefault(name, set()).add(address)
    peers = {words[0]: words[1:] for words in found["peer"]}
    return Attached(
        names={name: frozenset(addresses) for name, addresses in names.items()},
        peers={
            address: words[0] if words[0] == "yes" else " ".join(words)
            for address, words in peers.items()
        },
        images={
            address: words[1]
            for address, words in peers.items()
            if words[0] == "yes" and len(words) > 1
        },
    )


def subnets(*configured: str) -> tuple[IPv4Network, ...]:
    """The IPv4 networks among subnets as Docker writes them."""
    found = []
    for text in configured:
        try:
            found.append(IPv4Interface(text).network)
        except AddressValueError:
            continue
    return tuple(found)


def _by_key(lines: Iterable[str]) -> dict[str, list[list[str]]]:
    """The words of each line KEY=WORD WORD..., by key."""
    keys = ("link", "address", "route", "closed", "kernel", "free", "image", "dns", "peer")
    found: dict[str, list[list[str]]] = {key: [] for key in keys}
    for line in lines:
        key, _, value = line.partition("=")
        found.setdefault(key, []).append(value.split())
    return found
