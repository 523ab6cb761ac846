"""The engines that a lab's nodes can have, and the image of a node with each."""

import hashlib
from importlib.resources import files
from io import BytesIO
from typing import NamedTuple

import docker
from docker.errors import BuildError, ImageNotFound

from mpigen.errors import ClusterError
from mpigen.lab import base
from mpigen.swarm import processes
from mpigen.swarm.engine import blame
from mpigen.swarm.processes import Say


class Kind(NamedTuple):
    """A kind of engine: the base image whose package provides it, and options of its dockerd."""

    base: str
    options: tuple[str, ...] = ()


ENGINES = {
    "28.5": Kind("debian:forky-slim"),
    # with the image store that is Docker 29's default
    "28.5-containerd": Kind("debian:forky-slim", ("--feature", "containerd-snapshotter=true")),
    "26.1": Kind("debian:trixie-slim"),
    "20.10": Kind("debian:bookworm-slim"),
}
"""The engines that a node can have, the newest first. After a dash: what distinguishes its kind."""
NEWEST = next(iter(ENGINES))
"""The engine of a lab's nodes if no other is asked for."""


def node_image(client: docker.DockerClient, engine: str, say: Say) -> str:
    """The tag of the image for nodes with that `engine`, built first if it is missing here.

    Raises ClusterError, with the last lines of the build, if that fails.
    """
    dockerfile = files(__package__).joinpath("node.Dockerfile").read_bytes()
    tag = (
        f"mpigen-lab-node:{engine.partition('-')[0]}-{hashlib.sha256(dockerfile).hexdigest()[:12]}"
    )
    with blame(f"looking for {tag}"):
        try:
            client.images.get(tag)
            return tag
        except ImageNotFound:
            pass
    base.ensure(client, ENGINES[engine].base, say)
    say(f"building the node image {tag}")
    with blame(f"building {tag}"):
        try:
            client.images.build(
                fileobj=BytesIO(dockerfile),
                tag=tag,
                buildargs={"BASE": ENGINES[engine].base},
                rm=True,
                forcerm=True,
            )
        except BuildError as error:
            log = "".join(str(line.get("stream", "")) for line in error.build_log)
            raise ClusterError(f"building {tag}: {error.msg}\n{processes.tail(log)}") from error
    return tag
