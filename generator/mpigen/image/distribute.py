"""Copy an image to the nodes' engines, or push it to a registry."""

import os
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import Protocol

import docker
from docker.errors import ImageNotFound
from docker.models.images import Image

from mpigen.errors import ClusterError
from mpigen.image.identity import identity
from mpigen.image.platforms import OWN
from mpigen.notation import image_names
from mpigen.swarm.engine import Endpoint, blame, client_of
from mpigen.swarm.processes import Say

_LOAD_SECONDS = 600
_CHUNK = 1 << 20

Sent = Callable[[str, int, int], None]
"""A progress callback: a node's name, the bytes sent to it, and the total; from any thread."""


class Target(Protocol):
    """A node that an image can be copied to."""

    @property
    def name(self) -> str:
        """The node's name."""

    def connect(self, timeout: float = 60) -> docker.DockerClient:
        """A client of its engine. Raises ClusterError if it is silent."""


@dataclass(frozen=True)
class Remote:
    """A node whose Docker endpoint is known."""

    name: str
    where: Endpoint

    def connect(self, timeout: float = 60) -> docker.DockerClient:
        """A client of its engine. Raises ClusterError if it is silent."""
        return client_of(self.where, timeout)


def remotes(endpoints: dict[str, str], source: str) -> list[Remote]:
    """Nodes from names and URLs. Error messages name `source`, which gave the URLs."""
    return [Remote(name, Endpoint(url, f"{source} {name}")) for name, url in endpoints.items()]


def _ignore(node: str, sent: int, size: int) -> None:
    """Ignore the progress."""


def copy(
    source: docker.DockerClient,
    members: Sequence[Target],
    image: str,
    say: Say,
    also: Sequence[str] = (),
    sent: Sent = _ignore,
) -> None:
    """Copy an image to the nodes that have no image of that name, or a different one.

    It also gets the names `also` there. It is saved once, to a temporary file, and loaded
    by all nodes in parallel; an interrupt stops them.

    Raises ClusterError if `source` lacks it, or, after all other nodes have it, naming each node
    that is silent or cannot load it.
    """
    with blame(f"looking for {image}"):
        try:
            wanted = source.images.get(image)
        except ImageNotFound:
            raise ClusterError(
                f"this machine's engine has no image {image}",
                f"Build it; for a base image: mpigen lab base {image}",
            ) from None
    nodes = _Parallel()
    having = nodes.every(lambda node: _has(node, image, wanted), members)
    for node in having:
        say(f"{node.name} has {image} already")
    lacking = [node for node in members if node not in having and node.name not in nodes.faults]
    if lacking:
        size = wanted.attrs["Size"] / 1e6
        say(f"copying {image} ({size:.0f} MB) to {', '.join(node.name for node in lacking)}")
        # without a name: it is gone in any case, also if this process is killed
        with TemporaryFile() as file:
            with blame(f"saving {image}"):
                for chunk in source.api.get_image(image, chunk_size=_CHUNK):
                    file.write(chunk)
                file.flush()
            tar = file.fileno()
            having += nodes.every(
                lambda node: _load(node, tar, image, say, sent, nodes.stop), lacking
            )
    if also:
        nodes.every(lambda node: _tag(node, image, also), having)
    raise_all(nodes.faults.values())


def raise_all(faults: Collection[ClusterError]) -> None:
    """Raise all of these errors as one, if there are any."""
    messages = [error.message for error in faults]
    hints = dict.fromkeys(error.hint for error in faults if error.hint)
    if messages:
        raise ClusterError("\n".join(messages), "\n".join(hints))


def by_platform(
    nodes: Sequence[Target], wanted: Sequence[str]
) -> tuple[dict[str, list[Target]], list[ClusterError]]:
    """The nodes of each platform, if several are `wanted`; and why others get no image.

    A single image is for all nodes: some may run it by emulation.
    """
    if len(wanted) < 2:
        return {each: list(nodes) for each in wanted or [OWN]}, []
    found: dict[str, str] = {}
    asked = _Parallel()
    asked.every(lambda node: _ask(node, found), nodes)
    groups = {each: [node for node in nodes if found.get(node.name) == each] for each in wanted}
    missing = [
        ClusterError(
            f"{name} has {platform}, and image.platforms names {' and '.join(wanted)}",
            f"Add {platform} to image.platforms in mpigen.yaml, and render; or take that node out "
            "of image.endpoints.",
        )
        for name, platform in found.items()
        if platform not in wanted
    ]
    return groups, [*asked.faults.values(), *missing]


def _ask(node: Target, found: dict[str, str]) -> bool:
    with blame(f"asking {node.name} for its processor"):
        found[node.name] = f"linux/{node.connect().version()['Arch']}"
    return True


@dataclass
class _Parallel:
    """Work on several nodes in parallel; one that fails does not stop the others."""

    faults: dict[str, ClusterError] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)

    def every(self, work: Callable[[Target], bool], nodes: Sequence[Target]) -> list[Target]:
        """The nodes for which `work` returns true; failures go to `faults`."""
        with ThreadPoolExecutor(max(1, len(nodes))) as pool:
            try:
                answers = list(pool.map(lambda node: self._one(work, node), nodes))
            except BaseException:
                self.stop.set()
                raise
        return [node for node, answer in zip(nodes, answers, strict=True) if answer]

    def _one(self, work: Callable[[Target], bool], node: Target) -> bool:
        try:
            return work(node)
        except ClusterError as error:
            self.faults[node.name] = error
            return False


def _has(node: Target, image: str, wanted: Image) -> bool:
    client = node.connect()
    with blame(f"looking for {image} on {node.name}"):
        try:
            there = client.images.get(image)
        except ImageNotFound:
            return False
    return identity(there) == identity(wanted)


def _load(node: Target, tar: int, image: str, say: Say, sent: Sent, stop: threading.Event) -> bool:
    started = time.monotonic()
    api = node.connect(timeout=_LOAD_SECONDS).api
    with blame(f"{node.name} could not load {image}"):
        # errors are part of the stream, after a status of 200 OK
        for line in api.load_image(_parts(node, tar, sent, stop), quiet=True):  # type: ignore[no-untyped-call]
            if "error" in line:
                raise ClusterError(f"{node.name} could not load {image}: {line['error']}")
    say(f"{node.name} has {image} ({time.monotonic() - started:.1f} s)")
    return True


def _parts(node: Target, tar: int, sent: Sent, stop: threading.Event) -> Iterator[bytes]:
    """The content of an open file, from its begin, in parts; other threads read it as well."""
    size, done = os.fstat(tar).st_size, 0
    while part := os.pread(tar, _CHUNK, done):
        if stop.is_set():
            raise ClusterError(f"{node.name}: interrupted")
        yield part
        done += len(part)
        sent(node.name, done, size)


def _tag(node: Target, image: str, also: Sequence[str]) -> bool:
    client = node.connect()
    for name in also:
        with blame(f"calling {image} {name} on {node.name}"):
            client.images.get(image).tag(image_names.repository(name), image_names.tag(name))
    return True
