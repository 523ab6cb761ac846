"""The facts that the doctor collects about a cluster, and the parser of the probes' output."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Interface, IPv4Network

from mpigen.swarm.engine_faults import is_encrypted
from mpigen.swarm.nodes import Node

# https://docs.docker.com/engine/swarm/swarm-tutorial/#open-protocols-and-ports-between-the-hosts
MANAGER_PORT, GOSSIP_PORT, VXLAN_PORT = 2377, 7946, 4789

NO_LEADER = "does not have a leader"
"""A part of what a manager answers while the Swarm has no leader."""

# Docker's default MTU of an overlay's underlay, without com.docker.network.driver.mtu, and the
# bytes that VXLAN and ESP take from it on the overlay's interfaces (measured)
_DEFAULT_MTU, _VXLAN_BYTES, _ESP_BYTES = 1500, 50, 26


@dataclass(frozen=True)
class Host:
    """A node as seen from its own network. `free` is in bytes, on the disk of the images.

    `closed` maps each ADDRESS:PORT that does not answer to the reason; of those that are `untried`
    the node was too slow to tell. `kernel` has the known options of the kernel, `image` a
    fingerprint of the image's content.
    """

    links: Mapping[str, int] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    routes: tuple[tuple[IPv4Network, str], ...] = ()
    closed: Mapping[str, str] = field(default_factory=dict)
    untried: tuple[str, ...] = ()
    kernel: Mapping[str, bool] = field(default_factory=dict)
    free: int | None = None
    image: str = ""

    def link_of(self, address: str) -> str:
        """The interface with this address, or ""."""
        return self.addresses.get(address, "")


@dataclass(frozen=True)
class Attached:
    """A node as seen from a container on the cluster's overlay.

    `names` has the addresses that DNS returns for each group; a group is not among them where DNS
    has not answered in time. `peers` has the result of a login to each address: yes, silent (its
    kernel never answers), large (it answers small packets and never one of full size), slow with
    what was waited for and how many seconds, or refused and the reason. `logins` has the seconds
    that each login took, `images` the image's fingerprint at each address that was reached.
    `storage` has, by folder and address, the result of writing a file at the first address and
    reading it at each: same, other, or unwritten and the reason.
    """

    names: Mapping[str, frozenset[str]] = field(default_factory=dict)
    peers: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)
    logins: Mapping[str, int] = field(default_factory=dict)
    storage: Mapping[tuple[str, str], str] = field(default_factory=dict)


@dataclass(frozen=True)
class Worker:
    """A running task of a group: its host name, its node's id, its address on the network.

    Swarm does not know the address on a network of the servers' own (macvlan): there it is the
    host name.
    """

    host: str
    group: str
    node: str
    address: str


@dataclass(frozen=True)
class Facts:
    """All collected facts. A fact that could not be collected is empty, `*_error` has the reason.

    `minimum` is the version of Docker that the artifacts were rendered for. `spare` has the ids of
    nodes where no worker group may run. `hosts` and `attached` are by node id, and so are their
    errors and `clocks`, the least and the most seconds that each can be ahead of the leader's;
    `late` has the ids of nodes whose error is that they were not waited for any longer. `networks`
    maps the Swarm's other networks to their subnets. `driver` and `options` are those of the
    stack's network. `wanted` has the number of containers of each deployed group, and `everywhere`
    the groups with one on each node that may run it; `workers` ran both before and after the
    probes, `changed` has the addresses that came or went in between. `shared` are the folders of
    the containers in which all servers are to see the same files. The image is for `platforms`:
    those of mpigen.yaml, or else that of this engine's image.
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
    driver: str = "overlay"
    options: Mapping[str, str] = field(default_factory=dict)
    networks: Mapping[str, tuple[IPv4Network, ...]] = field(default_factory=dict)
    deployed: bool = False
    image_size: int | None = None
    wanted: Mapping[str, int] = field(default_factory=dict)
    everywhere: frozenset[str] = frozenset()
    workers: tuple[Worker, ...] = ()
    changed: frozenset[str] = frozenset()
    hosts: Mapping[str, Host] = field(default_factory=dict)
    hosts_errors: Mapping[str, str] = field(default_factory=dict)
    attached: Mapping[str, Attached] = field(default_factory=dict)
    attached_errors: Mapping[str, str] = field(default_factory=dict)
    clocks: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    late: frozenset[str] = frozenset()
    shared: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()

    @property
    def encrypted(self) -> bool:
        """Whether the stack's network is encrypted."""
        return is_encrypted(self.options)

    @property
    def is_overlay(self) -> bool:
        """Whether the stack's network is an overlay, and not one of the servers' own."""
        return self.driver == "overlay"

    @property
    def missing(self) -> tuple[str, ...]:
        """The groups that are rendered, and not deployed."""
        return tuple(group for group in self.groups if group not in self.wanted)

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
        untried=tuple(words[0] for words in found["untried"]),
        kernel={option: answer == "yes" for option, answer in found["kernel"]},
        free=free[0] if free else None,
        image=" ".join(word for words in found["image"] for word in words),
    )


def attached(lines: Iterable[str]) -> Attached:
    """Parse the output of probes/overlay.sh."""
    found = _by_key(lines)
    names: dict[str, set[str]] = {}
    for name, *addresses in found["dns"]:
        names.setdefault(name, set()).update(addresses)
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
        logins={address: int(seconds) for address, seconds in found["login"]},
        storage={
            (words[0], words[1]): " ".join(words[2:])
            for words in found["storage"]
            if len(words) > 2
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
    found: defaultdict[str, list[list[str]]] = defaultdict(list)
    for line in lines:
        key, _, value = line.partition("=")
        found[key].append(value.split())
    return found
