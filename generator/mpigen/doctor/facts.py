"""What the doctor knows of a Swarm: facts only, and how a probe's lines are read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Interface, IPv4Network

# https://docs.docker.com/engine/swarm/swarm-tutorial/#open-protocols-and-ports-between-the-hosts
MANAGER_PORT, GOSSIP_PORT, VXLAN_PORT = 2377, 7946, 4789

# An overlay without com.docker.network.driver.mtu is made for servers with this one, and its
# interfaces get so much less (measured), as its packets travel inside others.
_DEFAULT_MTU, _VXLAN_BYTES, _ESP_BYTES = 1500, 50, 26


@dataclass(frozen=True)
class Node:
    """A node as the managers know it. `address` is the one that the other nodes use.

    `manager` is leader, reachable or unreachable, and empty for a worker. `takes_workers`: the
    constraints of at least one worker group allow it.
    """

    id: str
    name: str
    state: str
    availability: str
    engine: str
    address: str
    manager: str = ""
    takes_workers: bool = True

    @property
    def is_ready(self) -> bool:
        """Whether Swarm starts containers there."""
        return (self.state, self.availability) == ("ready", "active")


@dataclass(frozen=True)
class Host:
    """A node as it looks from its own network. `free` is in bytes, on the disk of the images.

    `closed` says why for each ADDRESS:PORT that does not answer. `kernel` has what is known of
    the kernel's options, `image` what tells the image from another of the same name.
    """

    links: Mapping[str, int] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    routes: tuple[tuple[IPv4Network, str], ...] = ()
    closed: Mapping[str, str] = field(default_factory=dict)
    kernel: Mapping[str, bool] = field(default_factory=dict)
    free: int | None = None
    image: str = ""

    def link_of(self, address: str) -> str:
        """The interface that has this address, or ""."""
        return self.addresses.get(address, "")


@dataclass(frozen=True)
class Attached:
    """A node as it looks from a container on the cluster's overlay.

    `names` has the addresses that DNS gives for each group. `peers` has what came of a login to
    each address: yes, silent (no packet passes), large (only small ones do), or refused, and
    then why; `images` is what tells the image of those that were reached.
    """

    mtu: int | None = None
    names: Mapping[str, frozenset[str]] = field(default_factory=dict)
    peers: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Worker:
    """A running task of a group: its name as a host, its node's id, its overlay address."""

    host: str
    group: str
    node: str
    address: str


@dataclass(frozen=True)
class Facts:
    """All that was found out. What could not be asked for is empty, and `*_error` says why.

    `minimum` is the version of Docker that was rendered for. `hosts` and `attached` are by node
    id, as are their errors; `clocks` is in seconds against the leader. `networks` are the Swarm's
    others with their subnets. `options` are those of the stack's network. `wanted` has the replicas
    of each group; `workers` were running both before and after the nodes were asked, `changed` are
    addresses that came or went in between.
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
        """Whether the stack's network is encrypted: the option says so with no value, too."""
        return self.options.get("encrypted", "false") != "false"

    @property
    def mtu(self) -> int:
        """The MTU that the servers' network must have for the overlay, in bytes."""
        return int(self.options.get("com.docker.network.driver.mtu", _DEFAULT_MTU))

    @property
    def inner_mtu(self) -> int:
        """The MTU that the overlay's interfaces in the containers have, in bytes."""
        return self.mtu - _VXLAN_BYTES - (_ESP_BYTES if self.encrypted else 0)


def host(lines: Iterable[str]) -> Host:
    """What the lines of probes/node.sh say."""
    said = _by_key(lines)
    routes = [words for words in said["route"] if len(words) == 2]
    free = [int(words[0]) for words in said["free"] if words]
    return Host(
        links={words[0]: int(words[1]) for words in said["link"] if len(words) == 2},
        addresses={address.partition("/")[0]: link for link, address in said["address"]},
        routes=tuple((IPv4Network(route, strict=False), link) for route, link in routes),
        closed={words[0]: " ".join(words[1:]) for words in said["closed"]},
        kernel={option: answer == "yes" for option, answer in said["kernel"]},
        free=free[0] if free else None,
        image=" ".join(word for words in said["image"] for word in words),
    )


def attached(lines: Iterable[str]) -> Attached:
    """What the lines of probes/overlay.sh say."""
    said = _by_key(lines)
    names: dict[str, set[str]] = {}
    for name, address in said["dns"]:
        names.setdefault(name, set()).add(address)
    peers = {words[0]: words[1:] for words in said["peer"]}
    return Attached(
        mtu=int(said["mtu"][0][0]) if said["mtu"] else None,
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
    """The IPv4 ones of subnets as Docker writes them."""
    found = []
    for text in configured:
        try:
            found.append(IPv4Interface(text).network)
        except AddressValueError:
            continue
    return tuple(found)


def _by_key(lines: Iterable[str]) -> dict[str, list[list[str]]]:
    """The words of each line KEY=WORD WORD..., by key."""
    keys = ("link", "address", "route", "closed", "kernel", "free", "image", "dns", "mtu", "peer")
    said: dict[str, list[list[str]]] = {key: [] for key in keys}
    for line in lines:
        key, _, value = line.partition("=")
        said.setdefault(key, []).append(value.split())
    return said
