"""Settings that work, and that hardly anyone means: a sentence each, which a render warns with."""

from collections.abc import Iterator
from itertools import chain

from mpigen.cluster import shm
from mpigen.cluster.model import Cluster


def doubts(cluster: Cluster) -> list[str]:
    """Return one sentence per doubtful setting."""
    found = (
        shm.too_small(cluster.groups),
        _too_few_cpus(cluster),
        _unused(cluster),
        _unhashed(cluster),
        _assumed(cluster),
    )
    return list(chain(*found))


def _too_few_cpus(cluster: Cluster) -> Iterator[str]:
    """Groups whose ranks and threads get less than a CPU each. A single thread may have less."""
    for index, group in enumerate(cluster.groups):
        needed = group.slots * (group.threads or 1)
        if group.cpus and 1 < needed > float(group.cpus):
            what = f"{group.slots} {'slot' if group.slots == 1 else 'slots'}"
            what += f" of {group.threads} threads" if (group.threads or 1) > 1 else ""
            needs = "needs" if group.slots == 1 else "need"
            yield f"workers[{index}]: {what} {needs} {needed} CPUs, and cpus is {group.cpus}"


def _unhashed(cluster: Cluster) -> Iterator[str]:
    for wheel in cluster.installation.wheels:
        if "--hash" not in wheel:
            yield (
                f"mpi.version: mpigen has not run {wheel}, and knows no hash of it: the build "
                "takes what PyPI has under that name"
            )


def _unused(cluster: Cluster) -> Iterator[str]:
    # with platforms they build
    unused = cluster.image.endpoints and not cluster.image.platforms
    if cluster.image.distribute == "registry" and unused:
        yield "image.endpoints is not used with distribute: registry"


def _assumed(cluster: Cluster) -> Iterator[str]:
    """What is assumed of a base image, or of its MPI, that mpigen does not know."""
    if cluster.known_base and not cluster.brings_mpi:
        return
    base, installed = cluster.image.base, cluster.installation
    assumed = []
    if not cluster.brings_mpi:
        assumed.append(f"{cluster.manager.name} with its usual package names")
    if not installed.wheels:
        read = [path for paths in installed.links.values() for path in paths]
        reads = f" that reads {' and '.join(read)}" if read else ""
        assumed.append(f"an MPI in {installed.prefix}{reads}")
    unknown = f"the MPI of {base}" if cluster.known_base else base
    yield (
        f"image.base: mpigen does not know {unknown} and assumes {', and '.join(assumed)}; "
        "mpigen deploy tries one rank on each host"
    )
