"""The bridge network of a lab's nodes."""

import time
from ipaddress import IPv4Network
from pathlib import Path

import docker
from docker.errors import APIError, NotFound
from docker.types import IPAMConfig, IPAMPool

from mpigen.errors import ClusterError
from mpigen.lab import machine

_RELEASE_SECONDS = 30.0


def make(client: docker.DockerClient, name: str, labels: dict[str, str]) -> None:
    """Create the lab's bridge network in the first free /24 of 198.18.0.0/16.

    That range is reserved for benchmarks of networks (RFC 2544). Docker's own defaults,
    172.17-31/16, 192.168/16 and, for overlays, 10/8, stay free for the engines in the nodes, so
    docker_gwbridge has 172.18.0.0/16 on every node, as on real servers. Networks that the machine
    routes already are skipped, since an engine does not check an explicit subnet against them: if
    the bridge of a dead engine has the same subnet, its address rewriting breaks the lab's.
    """
    routed = machine.routed_networks(Path("/proc/net/route").read_text("utf-8"))
    for subnet in IPv4Network("198.18.0.0/16").subnets(new_prefix=24):
        if any(subnet.overlaps(each) for each in routed):
            continue
        pool = IPAMPool(subnet=str(subnet))
        try:
            client.networks.create(
                name,
                driver="bridge",
                check_duplicate=True,
                labels=labels,
                ipam=IPAMConfig(pool_configs=[pool]),
            )
            return
        except APIError as error:
            if "overlap" not in str(error.explanation).lower():
                raise ClusterError(f"making the network {name}: {error.explanation}") from error
    raise ClusterError("no /24 is free in 198.18.0.0/16", "Take other labs down: mpigen lab down")


def remove(client: docker.DockerClient, network: str) -> None:
    """Remove a network whose containers are gone; wait while a busy engine still lists them.

    Raises APIError if it still does after _RELEASE_SECONDS.
    """
    deadline = time.monotonic() + _RELEASE_SECONDS
    while True:
        try:
            client.api.remove_network(network)
            return
        except NotFound:
            return
        except APIError as error:
            held = "active endpoints" in str(error.explanation)
            if not held or time.monotonic() > deadline:
                raise
        time.sleep(0.5)
