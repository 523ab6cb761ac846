"""Images for several kinds of processors: who builds each, from which base, and who gets it."""

from collections.abc import Sequence
from contextlib import suppress

import docker
from docker.errors import ImageNotFound
from docker.models.images import Image

from mpigen.artifacts.folder import Artifacts
from mpigen.errors import ClusterError
from mpigen.image import select
from mpigen.notation import image_names
from mpigen.notation.platforms import architecture
from mpigen.swarm.engine import Engine, blame
from mpigen.swarm.processes import Say

OWN = ""
"""The platform of an image that is built without one: that of the engine."""


def name_of(artifacts: Artifacts, image: str, platform: str) -> str:
    """The name of `image` for a platform on the engine that builds it.

    Engines keep one image of a name, so several platforms have several names.
    """
    if len(artifacts.platforms) < 2:
        return image
    return image_names.add_architecture(image, architecture(platform))


def runs_on(platform: str, engine: Engine) -> bool:
    """Whether an engine runs images of a platform without emulation."""
    return platform in (OWN, engine.platform)


def builders(artifacts: Artifacts, engine: Engine, others: Sequence[Engine]) -> dict[str, Engine]:
    """The engine that builds for each platform: `engine`, if not the first that needs no emulation.

    `others` are the known engines of servers.
    """
    if not artifacts.platforms:
        return {OWN: engine}
    return {
        platform: next((each for each in (engine, *others) if runs_on(platform, each)), engine)
        for platform in artifacts.platforms
    }


def base(engine: Engine, name: str, platform: str, say: Say) -> str:
    """The id of a base image for a platform, pulled if need be; its name if it cannot be had."""
    if name == "scratch" or "$" in name:
        return name
    foreign = not runs_on(platform, engine)
    own = image_names.add_architecture(name, architecture(platform)) if foreign else name
    with suppress(ClusterError):  # missing, or an invalid name
        image = select.get(engine, own)
        # another platform may have been pulled under this name
        if platform in (OWN, select.platform_of(image)):
            return str(image.id)
    # BuildKit would pull it into its own cache, and its id would stay unknown
    say(f"pulling {name}" + (f" for {platform}" if foreign else ""))
    try:
        if foreign:
            pull_beside(engine.client, name, platform, own)
        else:
            engine.docker("pull", *(["--platform", platform] if platform else []), name)
        return str(select.get(engine, own).id)
    except ClusterError:  # the build fails too, or gets it elsewhere
        return name


def pull_beside(client: docker.DockerClient, name: str, platform: str, own: str) -> None:
    """Pull an image for a foreign platform as `own`: an engine has its own one under `name`.

    Pulling moves a tag, even with a list of platforms behind it, so it is moved back. Raises
    ClusterError if no registry has it, or if `name` is a digest that the engine has already.
    """
    with blame(f"pulling {name} for {platform}"):
        before = _find(client, name)
        try:
            image = client.images.pull(
                name, None if "@" in name else image_names.tag(name), platform=platform
            )
            if select.platform_of(image) != platform:
                raise ClusterError(
                    f"{name} is here for {select.platform_of(image)}, and not for {platform}",
                    "Name a tag as image.base: an engine has one image of a digest.",
                )
            image.tag(image_names.repository(own), image_names.tag(own))
        finally:
            if before and "@" not in name:
                before.tag(image_names.repository(name), image_names.tag(name))
            elif not before and _find(client, name):
                client.images.remove(name)


def _find(client: docker.DockerClient, name: str) -> Image | None:
    try:
        return client.images.get(name)
    except ImageNotFound:
        return None
