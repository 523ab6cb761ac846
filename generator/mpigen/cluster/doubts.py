"""Settings that work, and that hardly anyone means: a sentence each, which a render warns with."""

from collections.abc import Iterator

from mpigen.cluster import shm
from mpigen.cluster.model import Cluster


def doubts(cluster: Cluster) -> list[str]:
    """Return one sentence per doubtful setting."""
    return [
        *shm.too_small(cluster.groups),
        *_too_few_cpus(cluster),
        *_unused(cluster),
        *_assumed(cluster),
    ]


def _too_few_cpus(cluster: Cluster) -> Iterator[str]:
    """Groups whose ranks and threads get less than a CPU each. A single thread may have less."""
    for index, group in enumerate(cluster.groups):
        needed = group.slots * (group.threads or 1)
        if group.cpus and 1 < needed > float(group.cpus):
            what = f"{group.slots} {'slot' if group.slots == 1 else 'slots'}"
            what += f" of {group.threads} threads" if (group.threads or 1) > 1 else ""
            needs = "needs" if group.slots == 1 else "need"
            yield f"workers[{index}]: {what} {needs} {needed} CPUs, and cpus is {group.cpus}"


def _unused(cluster: Cluster) -> Iterator[str]:
    if cluster.image.distribute == "registry" and cluster.image.endpoints:
        yield "image.endpoints is not used with distribute: registry"


def _assumed(cluster: Cluster) -> Iterator[str]:
    """What is assumed of a base image, or of its MPI, that mpigen does not know."""
    if not cluster.untried:
        return
    base = cluster.image.base
    unknown = f"the MPI of {base}" if cluster.known_base else base
    read = [path for paths in cluster.installation.links.values() for path in paths]
    mpi = f"an MPI in {cluster.installation.prefix}"
    mpi += f" that reads {' and '.join(read)}" if read else ""
    packages = "" if cluster.brings_mpi else f"{cluster.manager.name}, its usual package names and "
    yield (
        f"image.base: mpigen does not know {unknown} and assumes {packages}{mpi}; "
        "mpigen deploy tries one rank on each host"
    )
