"""Images beside the cluster's own: one for each set of packages that groups of workers add."""

from collections.abc import Sequence
from dataclasses import dataclass

from mpigen.config.models_workers import Workers
from mpigen.notation.image_names import add_variant, image_variable


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
        return image_variable(self.name)


def of_groups(groups: Sequence[Workers], tag: str, packages: Sequence[str]) -> dict[str, Variant]:
    """The variant of each group that has packages beside those of the image, by its name."""
    made: dict[tuple[str, ...], Variant] = {}
    found = {}
    for group in groups:
        if more := tuple(sorted({*group.packages} - {*packages})):
            own = Variant(group.name, more, add_variant(tag, group.name))
            found[group.name] = made.setdefault(more, own)
    return found
