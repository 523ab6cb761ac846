"""Cluster: the data that templates read, every number and name of it."""

from dataclasses import dataclass

from mpigen.cluster.installation import Installation
from mpigen.cluster.platforms import Platform, platforms_of
from mpigen.cluster.variants import Variant
from mpigen.config.models import Network, Ssh, User
from mpigen.config.models_image import VENV, Image
from mpigen.distros import StubbedDependency
from mpigen.mpi.base import Implementation
from mpigen.package_managers import PackageManager
from mpigen.stackfile.merge import Addition

# In containers. docs/architecture.md: Large clusters are started without a tree
_MAX_TREE = 64
# Has mpirun and mpiexec alone: a site's packages and programs may bring an MPI of their own.
_FIRST = "/usr/local/libexec/mpi"


@dataclass(frozen=True)
class Group:
    """A group of equal workers. Sizes are in bytes, `cpus` is a string in Docker's notation.

    The launcher is a group too, with one container and no slots.
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
        """The host name of its containers, a template that Swarm fills in for each task."""
        if not self.slots:
            return self.name
        return self.name + ("-{{.Node.Hostname}}" if self.mode == "global" else "-{{.Task.Slot}}")


@dataclass(frozen=True)
class Mount:
    """A folder mounted into every worker.

    `volume` is the key of a named or NFS volume in stack.yml, and `driver_opts` its options for
    Docker's local driver. `size` is in bytes. `shared`: all servers are to see the same files.
    """

    type: str
    target: str
    source: str | None
    volume: str | None
    driver_opts: dict[str, str]
    size: int | None
    read_only: bool
    shared: bool = False


@dataclass(frozen=True)
class Program:
    """The MPI program in the image: `source` is a folder beside mpigen.yaml, `bin` in the image.

    `build` is the command that builds it, if any, and `python` are packages for the image's Python.
    """

    source: str
    build: str | None
    python: tuple[str, ...]
    bin: str
    check: str | None


@dataclass(frozen=True)
class Cluster:
    """All data for the templates: sections of mpigen.yaml, and values derived from them.

    `tag` is the image's tag, `engine` the oldest supported Docker version as numbers, `params` maps
    the name of each of MPI's parameter files to its parameters, and `additions` are the site's own
    keys for stack.yml. `brings_mpi`: the base image has the MPI, and nothing is installed but what
    is missing. `known_base`: mpigen knows the base image's release.
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
    manager: PackageManager
    installation: Installation
    brings_mpi: bool
    known_base: bool
    mpi: Implementation
    params: dict[str, dict[str, str]]
    subnet: str
    groups: tuple[Group, ...]
    launcher: Group | None
    mounts: tuple[Mount, ...]
    engine: tuple[int, ...]
    quick: bool  # all engines and clients know what came with Docker 25.0
    stack_version: str
    additions: tuple[Addition, ...]

    @property
    def services(self) -> tuple[Group, ...]:
        """The groups, and the launcher if there is one: the services of stack.yml."""
        return (*self.groups, *([self.launcher] if self.launcher else []))

    @property
    def variants(self) -> tuple[Variant, ...]:
        """The variants of the image `tag`: groups with the same packages share one."""
        return tuple(
            {group.variant.name: group.variant for group in self.groups if group.variant}.values()
        )

    @property
    def platforms(self) -> tuple[Platform, ...]:
        """The platforms that the images are built for; none if only for the engine's own."""
        return platforms_of(self.image, (self.tag, *(each.tag for each in self.variants)))

    @property
    def volumes(self) -> dict[str, dict[str, str]]:
        """The driver options of each volume that stack.yml declares, by its key."""
        return {mount.volume: mount.driver_opts for mount in self.mounts if mount.volume}

    @property
    def own_folders(self) -> tuple[str, ...]:
        """Folders to create in the image: a new volume takes the owner of the folder it covers."""
        return tuple(
            mount.target for mount in self.mounts if mount.volume and not mount.driver_opts
        )

    @property
    def untried(self) -> bool:
        """Whether mpigen's tests know neither this base image with its MPI, nor this wheel."""
        unknown = any("--hash" not in wheel for wheel in self.installation.wheels)
        return self.brings_mpi or not self.known_base or unknown

    @property
    def replicas(self) -> int:
        """The number of containers in all groups."""
        return sum(group.replicas for group in self.groups)

    @property
    def slots(self) -> int:
        """The number of slots in all groups."""
        return sum(group.replicas * group.slots for group in self.groups)

    @property
    def venv(self) -> str:
        """The Python virtual environment in the image."""
        return VENV

    @property
    def first_on_path(self) -> str:
        """The folder of the image that has mpigen's mpirun, before all others on PATH."""
        return _FIRST

    @property
    def path(self) -> str:
        """What the image puts before the base image's PATH."""
        own = [_FIRST, *([self.app.bin] if self.app else [])]
        own += [f"{VENV}/bin"] if self.app and self.app.python else []
        own += [self.installation.bin] if self.installation.prefix != "/usr" else []
        return ":".join(own)


def starts_daemons_flat(groups: tuple[Group, ...]) -> bool:
    """Whether mpirun starts every daemon itself instead of through a tree (over 64 containers)."""
    return sum(group.replicas for group in groups) > _MAX_TREE
