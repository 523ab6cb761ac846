"""Copy an image from this machine's engine to a lab's nodes."""

import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile

import docker
from docker.errors import ImageNotFound

from mpigen import processes
from mpigen.errors import ClusterError
from mpigen.lab.nodes import Node
from mpigen.processes import Say
from mpigen.swarm.engine import blame

_LOAD_SECONDS = 600


def copy(source: docker.DockerClient, members: Sequence[Node], image: str, say: Say) -> None:
    """Copy an image to the nodes that have another one under that name, or none.

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
    if not lacking:
        return
    size = wanted.attrs["Size"] / 1e6
    say(f"copying {image} ({size:.0f} MB) to {', '.join(node.name for node in lacking)}")
    with NamedTemporaryFile(prefix="mpigen-image-") as tar:
        with blame(f"saving {image}"):
            for chunk in source.api.get_image(image, chunk_size=1 << 20):
                tar.write(chunk)
            tar.flush()
        processes.each(lambda node: _load(node, Path(tar.name), image, say), lacking)


def _load(node: Node, tar: Path, image: str, say: Say) -> None:
    started = time.monotonic()
    with tar.open("rb") as data, blame(f"{node.name} could not load {image}"):
        # Errors come in the stream, after an answer of 200 OK.
        api = node.connect(timeout=_LOAD_SECONDS).api
        for line in api.load_image(data, quiet=True):  # type: ignore[no-untyped-call]
            if "error" in line:
                raise ClusterError(f"{node.name} could not load {image}: {line['error']}")
    say(f"{node.name} has {image} ({time.monotonic() - started:.1f} s)")


def _id(node: Node, image: str) -> str | None:
    client = node.connect()
    with blame(f"looking for {image} on {node.name}"):
        try:
            return client.images.get(image).id
        except ImageNotFound:
            return None
