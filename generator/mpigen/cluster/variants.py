"""Image variants: one for each set of additional packages that groups of workers have."""

from collections.abc import Sequence
from dataclasses import dataclass

from mpigen.config.models_workers import Workers
from mpigen.notation.image_names import add_variant, image_variable


@dataclass(frozen=True)
class Variant:
    """The cluster's image with additional packages, named after the first group that has them.

    `tag` is the tag of the cluster's image with the variant's name appended.
    """

    name: str
    packages: tuple[str, ...]
    tag: str

    @property
    def stage(self) -> str:
        """Its stage in the Dockerfile; the prefix keeps it apart from all other stages."""
        return f"group-{self.name}"

    @property
    def variable(self) -> str:
        """The environment variable with which a user gives deploy.sh another image."""
        return image_variable(self.name)


def variants_by_group(
    groups: Sequence[Workers], tag: str, packages: Sequence[str]
) -> dict[str, Variant]:
    """The variant of each group with packages that the image lacks, by the group's name."""
    made: dict[tuple[str, ...], Variant] = {}
    found = {}
    for group in groups:
        if added := tuple(sorted({*group.packages} - {*packages})):
            own = Variant(group.name, added, add_variant(tag, group.name))
            found[group.name] = made.setdefault(added, own)
    return found
