"""Images beside the cluster's own: one for each set of packages that groups of workers add."""

from collections.abc import Sequence
from dataclasses import dataclass

from mpigen.config import Workers


@dataclass(frozen=True)
class Variant:
    """The cluster's image with more packages, named after the first group that has them.

    `tag` is its user's tag, beside that of the cluster's image.
    """

    name: str
    packages: tuple[str, ...]
    tag: str

    @property
    def stage(self) -> str:
        """The Dockerfile's stage; no group's name can be that of another stage."""
        return f"group-{self.name}"

    @property
    def variable(self) -> str:
        """What deploy.sh is told another image by."""
        return variable(self.name)


def of_groups(groups: Sequence[Workers], tag: str, packages: Sequence[str]) -> dict[str, Variant]:
    """The variant of each group that has packages beside those of the image, by its name."""
    made: dict[tuple[str, ...], Variant] = {}
    found = {}
    for group in groups:
        if more := tuple(sorted({*group.packages} - {*packages})):
            own = Variant(group.name, more, reference(tag, group.name))
            found[group.name] = made.setdefault(more, own)
    return found


def reference(image: str, name: str) -> str:
    """A variant of an image: `host:5000/mpi:1` -> `host:5000/mpi:1-gpu`; no name is the image."""
    if not name:
        return image
    tagged = ":" in image.rpartition("/")[2]
    return f"{image}{'' if tagged else ':latest'}-{name}"


def base(image: str, name: str) -> str:
    """The image that `image` is that variant of; by digest it has no such name, and is itself."""
    return image if "@" in image else image.removesuffix(f"-{name}") if name else image


def variable(name: str) -> str:
    """The variable of deploy.sh for the image of a variant, or for the cluster's own."""
    return f"IMAGE_{name.upper().replace('-', '_')}" if name else "IMAGE"
