"""Subnets of an overlay: the addresses that a cluster needs, and a subnet with enough of them."""

from ipaddress import IPv4Address, IPv4Network

DEFAULT_SUBNET = IPv4Network("10.77.0.0/24")
LARGEST_PREFIX = 8


def addresses_needed(tasks: int, nodes: int) -> int:
    """Count one address per task and per node, one for the gateway and one for a job."""
    return tasks + nodes + 2


def prefix_for(addresses: int) -> int:
    """Return the longest IPv4 prefix whose network has `addresses` host addresses."""
    return 32 - (addresses + 1).bit_length()


def default_subnet(addresses: int) -> IPv4Network:
    """Return the default subnet: 10.77.0.0/24, or a larger one around it if needed."""
    prefix = max(LARGEST_PREFIX, min(DEFAULT_SUBNET.prefixlen, prefix_for(addresses)))
    network = IPv4Address(int(DEFAULT_SUBNET.network_address) >> 32 - prefix << 32 - prefix)
    return IPv4Network((network, prefix))
