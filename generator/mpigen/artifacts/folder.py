"""The cluster that a rendered folder describes, for the commands that talk to Docker.

They take the folder alone, never mpigen.yaml: what was reviewed is what is built and deployed.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mpigen.artifacts import manifest
from mpigen.artifacts.paths import MANIFEST, STACK
from mpigen.errors import InputError
from mpigen.notation.image_names import add_variant


class Group(NamedTuple):
    """A worker group as rendered. How many containers it has now, only the Swarm knows.

    `variant` names its image where that is not the cluster's own.
    """

    name: str
    mode: str
    replicas: int
    slots: int
    variant: str = ""


class Artifacts(NamedTuple):
    """A rendered folder. `mpi` is the implementation, as in mpigen.yaml.

    `network` is the key in stack.yml, and the name on the Swarm too if it is `external`;
    `endpoints` maps nodes to URLs. `source`, the folder of the program's sources, and `ca`, a
    file, lie beside mpigen.yaml.
    """

    folder: Path
    name: str
    mpi: str
    image: str
    network: str
    external: bool
    subnet: str
    port: int
    delivery: str
    distribute: str
    endpoints: dict[str, str]
    engine: str
    source: str | None
    ca: str | None
    groups: tuple[Group, ...]

    @property
    def images(self) -> dict[str, str]:
        """The tag of each image by its variant; the cluster's own has the name ""."""
        names = ["", *(group.variant for group in self.groups)]
        return {name: add_variant(self.image, name) for name in names}

    @property
    def stack_file(self) -> Path:
        """The stack file that `docker stack deploy` is given."""
        return self.folder / STACK

    def network_of(self, stack: str) -> str:
        """The overlay's name on the Swarm."""
        return self.network if self.external else f"{stack}_{self.network}"

    def script(self, name: str) -> Path:
        """A rendered script, such as build.sh."""
        return self.folder / "scripts" / name


def record(artifacts: Artifacts) -> dict[str, Any]:
    """The cluster as the manifest holds it; `read` takes it back."""
    said = artifacts._asdict()
    del said["folder"]
    said["groups"] = [
        {key: value for key, value in group._asdict().items() if key != "variant" or value}
        for group in artifacts.groups
    ]
    return said


def read(folder: Path) -> Artifacts:
    """The artifacts in `folder`. Raises InputError where it is no rendered folder."""
    if not (folder / MANIFEST).exists():
        raise InputError(f"{folder} is no rendered folder: it has no {MANIFEST}", "mpigen render")
    try:
        return _artifacts(folder, manifest.read(folder).cluster)
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{folder / MANIFEST} is another mpigen's: it does not tell the cluster",
            "Render it again, and commit that: mpigen render",
        ) from error


def _artifacts(folder: Path, said: Mapping[str, Any]) -> Artifacts:
    groups = tuple(Group(**each) for each in said["groups"])
    return Artifacts(**{**said, "folder": folder, "groups": groups})
