"""Known base images: the MPI versions of each, what is broken in it, and what is left out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple


@dataclass(frozen=True)
class StubbedDependency:
    """A GPU dependency replaced by an empty package, since nothing loads it without GPUs.

    `askers` are the packages of the implementations `mpi` that may depend on it; if any other
    package does, the real one is installed. The empty package claims to be `version`, if given.
    `modules` is a pattern of files that need the package, and are removed with it.
    """

    package: str
    askers: tuple[str, ...]
    mpi: tuple[str, ...] = ("openmpi", "mpich")
    version: str | None = None
    modules: str | None = None

    @property
    def claim(self) -> str:
        """The Provides entry of the empty package, in Debian's notation."""
        return f"{self.package} (= {self.version})" if self.version else self.package


class Release(NamedTuple):
    """A release of Debian or Ubuntu, recognised by its image's name; `image` is a pattern of it.

    `versions` maps implementations to their packaged version (the distributions' package pages,
    looked up in November 2026), `broken` maps unusable implementations to the reason. `unloaded`
    is left out of the runtime image. `first_packages` are installed there before all others:
    small packages in place of large ones that apt would choose.
    """

    name: str
    image: str
    versions: dict[str, str]
    broken: Mapping[str, str] = MappingProxyType({})
    unloaded: tuple[StubbedDependency, ...] = ()
    first_packages: tuple[str, ...] = ()


RELEASES = (
    Release(
        "Debian 12",
        "debian:(bookworm|12)",
        {"openmpi": "4.1.4", "mpich": "4.0.2"},
        # pmodels/mpich#6596; every second job of 8 ranks on three nodes hung, with any UCX setting
        {
            "mpich": "Debian 12's MPICH (4.0.2) sometimes hangs in MPI_Finalize if ranks are "
            "on several nodes: use openmpi, or debian:trixie-slim"
        },
        # 42 MB with ICU: OpenCL's loader, X11 and libxml2, with which hwloc searches for GPUs
        unloaded=(
            StubbedDependency("libhwloc-plugins", ("libopenmpi3", "libpmix2"), ("openmpi",)),
        ),
    ),
    Release(
        "Debian 13",
        "debian:(trixie|13)",
        {"openmpi": "5.0.7", "mpich": "4.2.1"},
        unloaded=(
            # 235 MB with LLVM and Z3: AMD's HIP, which two modules of UCX use. It needs a version
            # since Debian's libc6 has Breaks on those before 5.7.1-5+b1.
            StubbedDependency(
                "libamdhip64-5",
                ("libucx0",),
                version="5.7.1-6+deb13u1",
                modules="/usr/lib/*/ucx/lib*_rocm.so*",
            ),
            # 9 MB: the same as in Debian 12, and Intel's Level Zero
            StubbedDependency("libhwloc-plugins", ("libopenmpi40", "libpmix2t64"), ("openmpi",)),
        ),
        # openssh-server depends on it or systemd, and apt would choose systemd
        first_packages=("systemd-standalone-sysusers",),
    ),
    # testing until it is released, in 2027
    Release(
        "Debian 14",
        "debian:(forky|14)",
        {"openmpi": "6.0.0~rc2", "mpich": "5.0.2"},
        unloaded=(
            # 240 MB with LLVM, Z3 and clang: AMD's HIP and its runtime
            StubbedDependency(
                "libamdhip64-6",
                ("libucx0",),
                version="6.4.3-5",
                modules="/usr/lib/*/ucx/lib*_rocm.so*",
            ),
            StubbedDependency(
                "libhsa-runtime64-1", ("libucx0", "libamdhip64-6"), version="6.4.3+dfsg-5"
            ),
            StubbedDependency("libhwloc-plugins", ("libopenmpi40", "libpmix2t64"), ("openmpi",)),
        ),
        first_packages=("systemd-standalone-sysusers",),
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
    """Return the release of the image `base` by its name; None for a site's own image."""
    name = base.partition("@")[0]
    for release in RELEASES:
        if re.fullmatch(rf"(.*/)?{release.image}([.-].*)?", name):
            return release
    return None
