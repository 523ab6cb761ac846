"""The base images that are known: which MPI each brings, and what of it is left out or broken."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple


@dataclass(frozen=True)
class Unloaded:
    """A package that MPI's own ask for, and of which a cluster without GPUs loads nothing.

    An empty package stands for it, and claims to be of `version` where that is asked for.
    `askers` are packages of those `mpi`: where another one asks too, it is installed all the same.
    `modules` is a pattern of files that need it, and are left out with it.
    """

    package: str
    askers: tuple[str, ...]
    mpi: tuple[str, ...] = ("openmpi", "mpich")
    version: str | None = None
    modules: str | None = None

    @property
    def claim(self) -> str:
        """What the empty package provides, as Debian writes it."""
        return f"{self.package} (= {self.version})" if self.version else self.package


class Release(NamedTuple):
    """A release of Debian or Ubuntu, known by its image's name.

    `versions` maps implementations to the version that its packages have (the distributions'
    package pages, looked up in November 2026), `broken` those that cannot be used to the reason.
    `unloaded` is left out of the runtime image. `first` is installed before all else there:
    small packages that apt would take a large one for.
    """

    name: str
    image: str
    versions: dict[str, str]
    broken: Mapping[str, str] = MappingProxyType({})
    unloaded: tuple[Unloaded, ...] = ()
    first: tuple[str, ...] = ()


RELEASES = (
    Release(
        "Debian 12",
        "debian:(bookworm|12)",
        {"openmpi": "4.1.4", "mpich": "4.0.2"},
        # pmodels/mpich#6596; every second job of 8 ranks on three nodes, whatever UCX was told
        {
            "mpich": "Debian 12's MPICH (4.0.2) hangs in MPI_Finalize now and then where ranks are "
            "on several nodes: take openmpi, or debian:trixie-slim"
        },
        # 42 MB with ICU: OpenCL's loader, X11 and libxml2, for hwloc to look for GPUs
        unloaded=(Unloaded("libhwloc-plugins", ("libopenmpi3", "libpmix2"), ("openmpi",)),),
    ),
    Release(
        "Debian 13",
        "debian:(trixie|13)",
        {"openmpi": "5.0.7", "mpich": "4.2.1"},
        unloaded=(
            # 235 MB with LLVM and Z3: AMD's HIP, for two modules of UCX. Debian's libc6 breaks
            # versions before 5.7.1-5+b1.
            Unloaded(
                "libamdhip64-5",
                ("libucx0",),
                version="5.7.1-6+deb13u1",
                modules="/usr/lib/*/ucx/lib*_rocm.so*",
            ),
            # 9 MB, as in Debian 12, and Intel's Level Zero
            Unloaded("libhwloc-plugins", ("libopenmpi40", "libpmix2t64"), ("openmpi",)),
        ),
        # for openssh-server, in place of systemd
        first=("systemd-standalone-sysusers",),
    ),
    Release("Ubuntu 22.04", r"ubuntu:(jammy|22\.04)", {"openmpi": "4.1.2", "mpich": "4.0"}),
    Release(
        "Ubuntu 24.04",
        r"ubuntu:(noble|24\.04)",
        {"openmpi": "4.1.6", "mpich": "4.2.0"},
        {
            "mpich": "Ubuntu 24.04's MPICH (4.2.0-5build3) starts every rank as a job of its own: "
            "take openmpi, or debian:trixie-slim"
        },
    ),
)


def release_of(base: str) -> Release | None:
    """The release that an image is of, by its name; None for a site's own image."""
    name = base.partition("@")[0]
    for release in RELEASES:
        if re.fullmatch(rf"(.*/)?{release.image}([.-].*)?", name):
            return release
    return None
