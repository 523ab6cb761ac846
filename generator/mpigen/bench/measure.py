"""Runs mpi-bench on a deployed cluster: a job like any other, whose output is kept."""

import subprocess
import tempfile
from datetime import UTC, datetime

from mpigen import __version__
from mpigen.artifacts.folder import Artifacts
from mpigen.bench import results
from mpigen.bench.results import Results
from mpigen.errors import ClusterError, InputError
from mpigen.job import foreground, spec
from mpigen.job.attach import Events
from mpigen.job.hosts import Hosts
from mpigen.job.spec import Work
from mpigen.job.streams import Streams
from mpigen.swarm import state
from mpigen.swarm.engine import Engine
from mpigen.swarm.processes import Say

_PROGRAM = "mpi-bench"
_NOT_FOUND = 127


def refuse(artifacts: Artifacts, hosts: Hosts) -> None:
    """Raise InputError where there is nothing to measure, or nothing to do it with."""
    if not (artifacts.folder / "rootfs/usr/local/bin" / _PROGRAM).exists():
        raise InputError(
            f"{artifacts.folder} has no {_PROGRAM}: its image was not asked to have it",
            "Write into mpigen.yaml:\n  image: {bench: true}\n"
            "and then: mpigen render, mpigen build, mpigen deploy.",
        )
    if hosts.known and sum(hosts.counts.values()) < 2:
        group = next(iter(hosts.counts))
        raise InputError(
            "one host alone has no network to measure", f"Get more: mpigen scale {group}=2"
        )


def run(
    engine: Engine,
    artifacts: Artifacts,
    stack: str,
    hosts: Hosts,
    at_once: bool,
    events: Events,
    say: Say,
) -> tuple[int, Results | None]:
    """Measure all pairs of `hosts`, and the collectives; the job's exit code and what it told.

    There are results where a pair could not be measured, too; none where it was interrupted.
    Raises ClusterError where the job failed without any.
    """
    where = _nodes(engine, artifacts, stack, hosts)
    placed = [f"{host}={node}" for host, node in where.items()]
    asked = Work(
        name=spec.checked_name("", "bench"),
        words=(_PROGRAM, *(["--at-once"] if at_once else []), *placed),
        shown="mpigen bench",
        groups=tuple(hosts.counts),
    )
    with tempfile.TemporaryFile() as printed:
        streams = Streams(subprocess.DEVNULL, printed)
        code = foreground.run(engine, artifacts, stack, hosts, asked, events, streams, say)
        printed.seek(0)
        said = printed.read().decode(errors="replace")
    if code == _NOT_FOUND and not said:
        raise ClusterError(
            f"the image {hosts.image} of the stack {stack} has no {_PROGRAM}",
            "It was deployed before image.bench was set: mpigen build, mpigen deploy.",
        )
    if code > 128:
        return code, None
    about = {
        "cluster": artifacts.name,
        "stack": stack,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "mpigen": __version__,
        "image": hosts.image,
        "settings": _settings(artifacts),
    }
    try:
        return code, results.parse(said, about)
    except ValueError:
        raise ClusterError(
            f"the bench has ended with {code} and without results", "See what it says above."
        ) from None


def _nodes(engine: Engine, artifacts: Artifacts, stack: str, hosts: Hosts) -> dict[str, str]:
    """The node of each host; empty where no manager can be asked."""
    if not hosts.known:
        return {}
    return {
        f"{group.name}-{task.place}": task.node
        for group in state.deployed(engine, artifacts, stack)
        if group.name in hosts.counts
        for task in group.tasks
    }


def _settings(artifacts: Artifacts) -> dict[str, str]:
    """What may matter of what was rendered: the network, and what MPI is told."""
    found = {"subnet": artifacts.subnet}
    for file in sorted((artifacts.folder / "rootfs/etc/mpi").glob("*-params.conf")):
        for line in file.read_text(encoding="utf-8").splitlines():
            name, sign, value = line.partition("=")
            if sign and not line.startswith("#"):
                found[name.strip()] = value.strip()
    return found
