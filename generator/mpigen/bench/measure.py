"""Run mpi-bench on a deployed cluster: a job like any other, with its output recorded."""

import re
import subprocess
import tempfile
from dataclasses import replace
from datetime import UTC, datetime

from mpigen import __version__
from mpigen.artifacts.folder import Artifacts
from mpigen.artifacts.paths import MPI_IN_IMAGE, PROGRAMS_IN_IMAGE, ROOTFS
from mpigen.bench import results
from mpigen.bench.results import Results
from mpigen.errors import ClusterError, InputError
from mpigen.job import foreground, spec
from mpigen.job.ending import INTERRUPTED
from mpigen.job.events import Events
from mpigen.job.hosts import Hosts
from mpigen.job.spec import JobSpec
from mpigen.job.streams import Streams
from mpigen.mpi.base import INTERFACE, SINGLE_COPY
from mpigen.swarm import state
from mpigen.swarm.deployment import Deployment
from mpigen.swarm.processes import Say

_PROGRAM = "mpi-bench"
_NOT_FOUND = 127
# Open MPI's parameters, by their beginnings, that only some of its versions take. Those of its
# daemons are in its own file for Open MPI 4, and for later ones in PRRTE's, which 4 does not read.
_OPENMPI, _PRRTE = "openmpi-mca-params.conf", "prte-mca-params.conf"
_VERSIONS = (
    (_OPENMPI, ("orte_", "oob_", "plm_", "hwloc_base_", "io_romio321_"), range(5)),
    (_OPENMPI, ("io_romio341_",), range(5, 6)),
    (_PRRTE, ("oob_",), range(5, 6)),
    (_PRRTE, ("prte_keepalive_",), range(6, 99)),
    (_PRRTE, ("",), range(5, 99)),
    # of OpenSHMEM, which a bench does not use
    (_OPENMPI, ("spml", "scoll", "atomic"), range(0)),
)


def refuse(artifacts: Artifacts, hosts: Hosts) -> None:
    """Raise InputError if the image has no mpi-bench, or there are fewer than two hosts."""
    if not (artifacts.folder / f"{ROOTFS}{PROGRAMS_IN_IMAGE}" / _PROGRAM).exists():
        raise InputError(
            f"{artifacts.folder} has no {_PROGRAM}: mpigen.yaml does not ask for it",
            "Add to mpigen.yaml:\n  image: {bench: true}\n"
            "and then: mpigen render, mpigen build, mpigen deploy.",
        )
    if hosts.known and sum(hosts.counts.values()) < 2:
        group = next(iter(hosts.counts))
        raise InputError(
            "a single host has no network to measure", f"Add more: mpigen scale {group}=2"
        )


def run(
    deployment: Deployment, hosts: Hosts, at_once: bool, events: Events, say: Say
) -> tuple[int, Results | None]:
    """Measure all pairs of `hosts` and the collectives; return the job's exit code and results.

    A pair that could not be measured is part of the results; an interrupted job has none.
    Raises ClusterError if the job failed without results.
    """
    placed = [f"{host}={node}" for host, node in _nodes(deployment, hosts).items()]
    job = JobSpec(
        name=spec.checked_name("", "bench"),
        argv=(_PROGRAM, *(["--at-once"] if at_once else []), *placed),
        display="mpigen bench",
        groups=tuple(hosts.counts),
    )
    with tempfile.TemporaryFile() as printed:
        streams = Streams(subprocess.DEVNULL, printed)
        code = foreground.run(deployment, hosts, job, events, streams, say)
        printed.seek(0)
        text = printed.read().decode(errors="replace")
    if code == _NOT_FOUND and not text:
        raise ClusterError(
            f"the image {hosts.image} of the stack {deployment.stack} has no {_PROGRAM}",
            "It was deployed before image.bench was set: mpigen build, mpigen deploy.",
        )
    if code in INTERRUPTED:
        return code, None
    about = {
        "cluster": deployment.artifacts.name,
        "stack": deployment.stack,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "mpigen": __version__,
        "image": hosts.image,
        "settings": {},
    }
    try:
        found = results.parse(text, about)
    except ValueError:
        raise ClusterError(
            f"the bench ended with {code}, without results", "See its output above."
        ) from None
    return code, replace(found, settings=_settings(deployment.artifacts, found))


def _nodes(deployment: Deployment, hosts: Hosts) -> dict[str, str]:
    """The node of each host; empty if no manager can be asked."""
    if not hosts.known:
        return {}
    return {
        f"{group.name}-{task.place}": task.node
        for group in state.deployed(deployment)
        if group.name in hosts.counts
        for task in group.tasks
    }


def _settings(artifacts: Artifacts, measured: Results) -> dict[str, str]:
    """The settings that may explain a difference: the subnet, and what this MPI takes of files."""
    interfaces = {host.interface for host in measured.hosts}
    words = {
        INTERFACE: interfaces.pop() if len(interfaces) == 1 else "the overlay's",
        SINGLE_COPY: "cma, or none if the engine forbids it",
    }
    major = re.search(r"\d+", measured.mpi) if artifacts.mpi == "openmpi" else None
    found = {"subnet": artifacts.subnet}
    for file in sorted((artifacts.folder / f"{ROOTFS}{MPI_IN_IMAGE}").glob("*-params.conf")):
        for line in file.read_text(encoding="utf-8").splitlines():
            name, sign, value = (part.strip() for part in line.partition("="))
            if not sign or name.startswith("#"):
                continue
            if major is None or _takes(int(major[0]), file.name, name):
                found[name] = words.get(value, value)
    return found


def _takes(major: int, file: str, name: str) -> bool:
    """Whether that version of Open MPI takes a parameter of one of its files."""
    return all(
        major in versions
        for its, beginnings, versions in _VERSIONS
        if its == file and name.startswith(beginnings)
    )
