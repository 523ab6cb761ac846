"""The platforms that the image is built for, and the names of images on the way there."""

from dataclasses import dataclass

from mpigen.config.models_image import Image
from mpigen.notation.image_names import add_architecture
from mpigen.notation.platforms import architecture


@dataclass(frozen=True)
class Platform:
    """A platform that the image is built for, such as linux/arm64.

    `base` is the name that the base image has on an engine with another processor. `tags` maps the
    tag of each of the cluster's images to its name for this platform: engines keep one image of a
    name, so names differ if there are several platforms.
    """

    name: str
    base: str
    tags: dict[str, str]


def platforms_of(image: Image, tags: tuple[str, ...]) -> tuple[Platform, ...]:
    """The platforms of `image.platforms`, with the names of the images `tags`."""
    several = len(image.platforms) > 1
    return tuple(
        Platform(
            name,
            add_architecture(image.base, architecture(name)),
            {tag: add_architecture(tag, architecture(name)) if several else tag for tag in tags},
        )
        for name in image.platforms
    )
