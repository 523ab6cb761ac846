"""Subnets of an overlay: how many addresses a cluster needs, and the subnet that holds them."""

from ipaddress import IPv4Address, IPv4Network

DEFAULT_SUBNET = IPv4Network("10.77.0.0/24")
LARGEST_PREFIX = 8


def addresses_needed(tasks: int, nodes: int) -> int:
    """One address for each task and each node, one for the gateway and one for a job."""
    return tasks + nodes + 2


def prefix_for(addresses: int) -> int:
    """The longest IPv4 prefix whose network holds `addresses` hosts."""
    return 32 - (addresses + 1).bit_length()


def default_subnet(addresses: int) -> IPv4Network:
    """The subnet of a site that names none: 10.77.0.0/24, or a larger one around it if needed."""
    prefix = max(LARGEST_PREFIX, min(DEFAULT_SUBNET.prefixlen, prefix_for(addresses)))
    network = IPv4Address(int(DEFAULT_SUBNET.network_address) >> 32 - prefix << 32 - prefix)
    return IPv4Network((network, prefix))
