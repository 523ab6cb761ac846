"""Where the MPI lies in the image, and how it gets there."""

from dataclasses import dataclass

from mpigen.config.models import Config
from mpigen.distros import release_of
from mpigen.mpi import IMPLEMENTATIONS
from mpigen.mpi.wheels import requirement
from mpigen.package_managers import PackageManager

# Where wheels are installed.
_WHEELS = "/opt/mpi"


@dataclass(frozen=True)
class Installation:
    """An MPI in the image: of the base's packages, of PyPI's wheels, or of the base image itself.

    `major` is the first number of its version, 0 if nobody knows it. `wheels` are lines of pip's
    requirements. `links` are the paths where MPI reads each parameter file, by the file's name.
    `environment` are the variables that it needs.
    """

    prefix: str
    major: int
    runtime: tuple[str, ...]
    build: tuple[str, ...]
    wheels: tuple[str, ...]
    links: dict[str, tuple[str, ...]]
    environment: dict[str, str]

    @property
    def bin(self) -> str:
        """The folder of its programs."""
        return f"{self.prefix}/bin"


def installation(config: Config, manager: PackageManager) -> Installation:
    """The MPI of `config`; packages are those of `manager`."""
    mpi = IMPLEMENTATIONS[config.mpi.implementation]
    packages = mpi.packages.get(manager.name)
    runtime: tuple[str, ...] = ()
    build = manager.compilers
    folders: tuple[str, ...] = ()
    prefix = config.mpi.prefix or "/usr"
    wheels: tuple[str, ...] = ()
    version = config.mpi.version
    if config.brings_mpi:
        build = ()
    elif version:
        prefix = _WHEELS
        wheels = tuple(requirement(project, version) for project in mpi.wheels)
        runtime = mpi.wheel_packages.get(manager.name, ())
    elif packages:
        prefix, runtime, folders = packages.prefix, packages.runtime, packages.folders
        build += packages.build
        release = release_of(config.image.base)
        version = release.versions.get(mpi.name) if release else None
    if prefix != "/usr":
        folders += (f"{prefix}/etc",)
    links = {
        file.name: tuple(f"{folder}/{file.name}" for folder in (*file.folders, *folders))
        for file in mpi.params_files
        if file.linked
    }
    environment = {
        name: value.replace("{prefix}", prefix) for name, value in mpi.environment.items()
    }
    return Installation(
        prefix=prefix,
        major=int((version or "0").partition(".")[0]),
        runtime=runtime,
        build=build,
        wheels=wheels,
        links=links,
        environment=environment if prefix != "/usr" else {},
    )
