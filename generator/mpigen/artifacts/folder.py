"""The cluster that a rendered folder describes, for the commands that talk to Docker.

They read the folder only, never mpigen.yaml: what was reviewed is built and deployed.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mpigen.artifacts import manifest
from mpigen.artifacts.paths import MANIFEST, STACK
from mpigen.errors import InputError
from mpigen.notation.image_names import add_variant

_SITE_FILE = "mpigen.yaml"


class Group(NamedTuple):
    """A worker group as rendered; only the Swarm knows how many containers it has now.

    `variant` is the name of the group's own image; empty if it runs the cluster's image.
    """

    name: str
    mode: str
    replicas: int
    slots: int
    variant: str = ""


class Artifacts(NamedTuple):
    """A rendered folder. `mpi` is the implementation, as in mpigen.yaml.

    `network` is the key in stack.yml, and also the name on the Swarm if `external`. `endpoints`
    maps nodes to URLs of Docker endpoints. The paths of `source`, the folder of the program's
    sources, and of the file `ca` are relative to the folder of mpigen.yaml. `shared` are folders
    of the containers in which all servers are to see the same files. `untried`: mpigen's
    tests do not know the base image or its MPI, so a deploy tries a job. `platforms` are those that
    the image is built for, if mpigen.yaml names any.
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
    shared: tuple[str, ...] = ()
    untried: bool = False
    platforms: tuple[str, ...] = ()

    @property
    def images(self) -> dict[str, str]:
        """The tag of each image by its variant; the key of the cluster's own image is ""."""
        names = ["", *(group.variant for group in self.groups)]
        return {name: add_variant(self.image, name) for name in names}

    @property
    def stack_file(self) -> Path:
        """The file for `docker stack deploy`."""
        return self.folder / STACK

    def network_of(self, stack: str) -> str:
        """Return the name of the overlay of `stack` on the Swarm."""
        return self.network if self.external else f"{stack}_{self.network}"


def record(artifacts: Artifacts) -> dict[str, Any]:
    """Return the cluster as the manifest stores it; `read` is the inverse."""
    fields = artifacts._asdict()
    del fields["folder"]
    for key in ("shared", "untried", "platforms"):
        if not fields[key]:
            del fields[key]
    fields["groups"] = [
        {key: value for key, value in group._asdict().items() if key != "variant" or value}
        for group in artifacts.groups
    ]
    return fields


def read(folder: Path) -> Artifacts:
    """Read the artifacts in `folder`. Raises InputError if it is no rendered folder."""
    if not (folder / MANIFEST).exists():
        raise _not_rendered(folder)
    try:
        return _artifacts(folder, manifest.read(folder).cluster)
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{folder / MANIFEST} is from another version of mpigen: it does not describe the "
            "cluster",
            "Render again, and commit the result: mpigen render",
        ) from error


def _not_rendered(folder: Path) -> InputError:
    """Say what is missing: the folder, its manifest, or the whole site."""
    if folder.exists():
        message = f"{folder} is not a rendered folder: it has no {MANIFEST}"
    elif len(folder.parts) == 1:
        message = f"there is no {folder}/ here"
    else:
        message = f"there is no folder {folder}"
    if (folder.parent / _SITE_FILE).exists():
        return InputError(message, "Run mpigen render, or cd to the site's folder.")
    return InputError(
        message,
        "cd to the site's folder and run mpigen render, or start a site with mpigen init.",
    )


def _artifacts(folder: Path, fields: Mapping[str, Any]) -> Artifacts:
    groups = tuple(Group(**each) for each in fields["groups"])
    lists = {key: tuple(map(str, fields.get(key, ()))) for key in ("shared", "platforms")}
    return Artifacts(**{**fields, "folder": folder, "groups": groups, **lists})
