"""What the verbs that talk to Docker know of a rendered folder: the manifest says it.

They take the folder alone, never mpigen.yaml: what was reviewed is what is built and deployed.
"""

from pathlib import Path
from typing import Any, NamedTuple

from mpigen.cluster import Cluster
from mpigen.cluster import Group as Planned
from mpigen.errors import InputError
from mpigen.output import MANIFEST, recorded_cluster
from mpigen.variants import reference


class Group(NamedTuple):
    """A worker group as rendered; how many containers it has now, the Swarm knows.

    `variant` names its image where that is another than the cluster's (`variants.py`).
    """

    name: str
    mode: str
    replicas: int
    slots: int
    variant: str = ""


class Artifacts(NamedTuple):
    """A rendered folder. `network` is the key in stack.yml, and on the Swarm too if it is
    `external`; `endpoints` maps nodes to URLs.

    `source` is the folder of the program's sources, and `ca` a file, beside mpigen.yaml.
    """

    folder: Path
    name: str
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
        """The cluster's image by the name "", and its variants by theirs: the users' tags."""
        names = ["", *(group.variant for group in self.groups)]
        return {name: reference(self.image, name) for name in names}

    @property
    def stack_file(self) -> Path:
        """What `docker stack deploy` is given."""
        return self.folder / "stack.yml"

    def network_of(self, stack: str) -> str:
        """The overlay's name on the Swarm."""
        return self.network if self.external else f"{stack}_{self.network}"

    def script(self, name: str) -> Path:
        """A rendered script, such as build.sh."""
        return self.folder / "scripts" / name


def record(cluster: Cluster) -> dict[str, Any]:
    """What the manifest says of a cluster, as JSON has it."""
    return {
        "name": cluster.name,
        "image": cluster.tag,
        "network": cluster.network,
        "external": cluster.external,
        "subnet": cluster.subnet,
        "port": cluster.port,
        "delivery": cluster.delivery,
        "distribute": cluster.distribute,
        "endpoints": dict(cluster.endpoints),
        "engine": ".".join(map(str, cluster.engine)),
        "source": cluster.app.source if cluster.app else None,
        "ca": cluster.ca,
        "groups": [_record(each) for each in cluster.groups],
    }


def _record(group: Planned) -> dict[str, Any]:
    own = {"variant": group.variant.name} if group.variant else {}
    sizes = {"replicas": group.replicas, "slots": group.slots}
    return {"name": group.name, "mode": group.mode, **sizes, **own}


def read(folder: Path) -> Artifacts:
    """The artifacts in `folder`. Raises InputError where it is no rendered folder."""
    if not (folder / MANIFEST).exists():
        raise InputError(f"{folder} is no rendered folder: it has no {MANIFEST}", "mpigen render")
    said = recorded_cluster(folder)
    try:
        groups = tuple(Group(**each) for each in said.pop("groups"))
        return Artifacts(folder=folder, groups=groups, **said)
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{folder / MANIFEST} is another mpigen's: it does not tell the cluster",
            "Render it again, and commit that: mpigen render",
        ) from error
