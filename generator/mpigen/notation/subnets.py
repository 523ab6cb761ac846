"""Addresses of an overlay: how many a cluster needs, and the subnet that has them."""

from ipaddress import IPv4Address, IPv4Network

from mpigen.config.models import Config

DEFAULT_SUBNET = IPv4Network("10.77.0.0/24")
LARGEST_PREFIX = 8


def tasks_and_nodes(config: Config) -> tuple[int, int]:
    """The containers of all groups, and the most servers: one a container if that is not said."""
    tasks = sum(group.replicas for group in config.workers) + (config.launcher is not None)
    return tasks, config.network.nodes or tasks


def addresses_needed(tasks: int, nodes: int) -> int:
    """Addresses of an overlay: of each task, of each node, of the gateway, and of one job."""
    return tasks + nodes + 2


def prefix_for(addresses: int) -> int:
    """The longest IPv4 prefix whose network has room for `addresses` hosts."""
    return 32 - (addresses + 1).bit_length()


def default_subnet(addresses: int) -> IPv4Network:
    """The subnet of a site that names none: 10.77.0.0/24, or as much around it as is needed."""
    prefix = max(LARGEST_PREFIX, min(DEFAULT_SUBNET.prefixlen, prefix_for(addresses)))
    network = IPv4Address(int(DEFAULT_SUBNET.network_address) >> 32 - prefix << 32 - prefix)
    return IPv4Network((network, prefix))
