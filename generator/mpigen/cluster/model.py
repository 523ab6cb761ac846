"""Cluster: what the templates are given, every number and name of it."""

from dataclasses import dataclass

from mpigen.cluster.variants import Variant
from mpigen.config.models import Network, Ssh, User
from mpigen.config.models_image import Image
from mpigen.distros import StubbedDependency
from mpigen.mpi.base import Implementation
from mpigen.stackfile.merge import Addition

# containers: docs/architecture.md, "Large clusters are started without a tree"
_LARGEST_TREE = 64
VENV = "/opt/venv"
"""Where the image has the Python packages of `app.python`."""


@dataclass(frozen=True)
class Group:
    """A group of equal workers. Sizes are in bytes, `cpus` is text as Docker reads it.

    The launcher is one too, of one container with no slots.
    """

    name: str
    mode: str
    replicas: int
    slots: int
    threads: int | None
    cpus: str | None
    memory: int | None
    shm: int
    constraints: tuple[str, ...]
    max_per_node: int | None
    generic: dict[str, int]
    variant: Variant | None = None

    @property
    def hostname(self) -> str:
        """The hosts' names, as Swarm makes them for each task."""
        if not self.slots:
            return self.name
        return self.name + ("-{{.Node.Hostname}}" if self.mode == "global" else "-{{.Task.Slot}}")


@dataclass(frozen=True)
class Mount:
    """A folder of every worker. `volume` is its key in stack.yml, of a volume of its own or NFS.

    `driver_opts` are those of Docker's local driver; `size` is in bytes.
    """

    type: str
    target: str
    source: str | None
    volume: str | None
    driver_opts: dict[str, str]
    size: int | None
    read_only: bool


@dataclass(frozen=True)
class Program:
    """The MPI program in the image: `source` beside mpigen.yaml, `bin` in the image.

    `python` are packages for the image's Python, `build` a command, or none.
    """

    source: str
    build: str | None
    python: tuple[str, ...]
    bin: str
    check: str | None


@dataclass(frozen=True)
class Cluster:
    """Everything that templates may use: sections of mpigen.yaml, and values derived from them.

    `tag` is the image's, `engine` the oldest Docker version as numbers, `params` the parameters of
    each file that MPI reads, by its name, and `additions` the site's own keys for stack.yml.
    """

    name: str
    image: Image
    network: Network
    user: User
    ssh: Ssh
    tag: str
    runtime_packages: tuple[str, ...]
    first_packages: tuple[str, ...]
    unloaded: tuple[StubbedDependency, ...]
    build_packages: tuple[str, ...]
    app: Program | None
    mpi: Implementation
    params: dict[str, dict[str, str]]
    subnet: str
    groups: tuple[Group, ...]
    launcher: Group | None
    mounts: tuple[Mount, ...]
    engine: tuple[int, ...]
    additions: tuple[Addition, ...]

    @property
    def services(self) -> tuple[Group, ...]:
        """The groups, and the launcher if there is one."""
        return (*self.groups, *([self.launcher] if self.launcher else []))

    @property
    def variants(self) -> tuple[Variant, ...]:
        """The images beside `tag`: groups with the same packages share one."""
        return tuple(
            {group.variant.name: group.variant for group in self.groups if group.variant}.values()
        )

    @property
    def volumes(self) -> dict[str, dict[str, str]]:
        """Driver options of each volume that stack.yml declares."""
        return {mount.volume: mount.driver_opts for mount in self.mounts if mount.volume}

    @property
    def own_folders(self) -> tuple[str, ...]:
        """What the image makes, for a new volume to get the owner of the folder that it covers."""
        return tuple(
            mount.target for mount in self.mounts if mount.volume and not mount.driver_opts
        )

    @property
    def replicas(self) -> int:
        """Containers in all groups."""
        return sum(group.replicas for group in self.groups)

    @property
    def slots(self) -> int:
        """Ranks in all groups."""
        return sum(group.replicas * group.slots for group in self.groups)

    @property
    def quick(self) -> bool:
        """Whether engines and clients know a healthcheck's start_interval: Docker 25.0."""
        return self.engine >= (25, 0)

    @property
    def venv(self) -> str:
        """The Python environment in the image."""
        return VENV

    @property
    def path(self) -> str:
        """PATH in every container and ssh session."""
        own = [self.app.bin] if self.app else []
        own += [f"{VENV}/bin"] if self.app and self.app.python else []
        return ":".join([*own, "/usr/local/bin", "/usr/bin", "/bin"])


def starts_daemons_flat(groups: tuple[Group, ...]) -> bool:
    """Whether mpirun starts every daemon itself instead of through a tree (over 64 containers)."""
    return sum(group.replicas for group in groups) > _LARGEST_TREE
