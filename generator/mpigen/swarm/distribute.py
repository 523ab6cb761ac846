"""Get an image to where it is needed: into the nodes' engines, or to a registry."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Protocol

import docker
from docker.errors import ImageNotFound
from docker.models.images import Image

from mpigen import processes
from mpigen.errors import ClusterError
from mpigen.processes import Say
from mpigen.swarm.engine import Endpoint, Engine, blame, client_of

_LOAD_SECONDS = 600


class Target(Protocol):
    """A node that an image can be copied to."""

    @property
    def name(self) -> str:
        """How the node is called."""

    def connect(self, timeout: float = 60) -> docker.DockerClient:
        """A client of its engine. Raises ClusterError if it is silent."""


@dataclass(frozen=True)
class Remote:
    """A node whose Docker endpoint the site's file names."""

    name: str
    url: str

    def connect(self, timeout: float = 60) -> docker.DockerClient:
        """A client of its engine. Raises ClusterError if it is silent."""
        return client_of(Endpoint(self.url, f"image.endpoints of {self.name}"), timeout)


def copy(
    source: docker.DockerClient, members: Sequence[Target], image: str, say: Say, also: str = ""
) -> None:
    """Copy an image to the nodes that have another one under that name, or none.

    It is called `also` there too, if that is given.

    It is saved once, to a temporary file, and loaded by all nodes at the same time. Nodes are
    compared by image id, which is the same in all engines but those with the containerd image
    store (the default of Docker 29): from one of those, an image is copied each time.

    Raises ClusterError if `source` lacks it, or a node cannot load it.
    """
    with blame(f"looking for {image}"):
        try:
            wanted = source.images.get(image)
        except ImageNotFound:
            raise ClusterError(
                f"this machine's engine has no image {image}",
                f"Build it; for a base image: mpigen lab base {image}",
            ) from None
    lacking = [node for node in members if _id(node, image) != wanted.id]
    for node in members:
        if node not in lacking:
            say(f"{node.name} has {image} already")
    if lacking:
        _copy(source, lacking, image, wanted, say)
    if also:
        processes.each(lambda node: _call(node, image, also), members)


def push(engine: Engine, images: Sequence[str], say: Say) -> None:
    """Push images to the registry that their names say. Raises ClusterError if it refuses."""
    for image in images:
        say(f"docker push {image}")
        engine.docker("push", image)


def _copy(
    source: docker.DockerClient, lacking: Sequence[Target], image: str, wanted: Image, say: Say
) -> None:
    size = wanted.attrs["Size"] / 1e6
    say(f"copying {image} ({size:.0f} MB) to {', '.join(node.name for node in lacking)}")
    with NamedTemporaryFile(prefix="mpigen-image-") as tar:
        with blame(f"saving {image}"):
            for chunk in source.api.get_image(image, chunk_size=1 << 20):
                tar.write(chunk)
            tar.flush()
        processes.each(lambda node: _load(node, Path(tar.name), image, say), lacking)


def _load(node: Target, tar: Path, image: str, say: Say) -> None:
    started = time.monotonic()
    with tar.open("rb") as data, blame(f"{node.name} could not load {image}"):
        # Errors come in the stream, after an answer of 200 OK.
        api = node.connect(timeout=_LOAD_SECONDS).api
        for line in api.load_image(data, quiet=True):  # type: ignore[no-untyped-call]
            if "error" in line:
                raise ClusterError(f"{node.name} could not load {image}: {line['error']}")
    say(f"{node.name} has {image} ({time.monotonic() - started:.1f} s)")


def _call(node: Target, image: str, also: str) -> None:
    with blame(f"calling {image} {also} on {node.name}"):
        node.connect().images.get(image).tag(*also.rsplit(":", 1))


def _id(node: Target, image: str) -> str | None:
    client = node.connect()
    with blame(f"looking for {image} on {node.name}"):
        try:
            return client.images.get(image).id
        except ImageNotFound:
            return None
