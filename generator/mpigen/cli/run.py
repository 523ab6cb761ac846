"""`mpigen run`, `mpigen shell` and `mpigen push`: work on the cluster from this machine."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mpigen.cli import options
from mpigen.cli.options import CONTEXT, OUTPUT, STACK
from mpigen.cli.progress import say

if TYPE_CHECKING:
    from mpigen.job.events import Events
    from mpigen.job.hosts import Hosts
    from mpigen.job.spec import JobSpec
    from mpigen.swarm.deployment import Deployment

_GROUPS = options.workers("Use only the hosts of this group. Repeat it for several, in order.")
_ENV = typer.Option([], "--env", "-e", help="NAME=VALUE for every rank. May be repeated.")
_MOUNT = typer.Option(
    [],
    "--mount",
    help="A mount for the job's own container, where mpirun is, as in docker run --mount. "
    "Ranks run in the workers, whose mounts are in mpigen.yaml.",
)
_NAME = options.name("", "The job's name (default: the program's name and six random hex digits).")


def run(
    command: list[str] = typer.Argument(
        None, metavar="CMD [ARG]...", help="The program. Options of mpirun may precede it."
    ),
    ranks: int | None = typer.Option(
        None, "-n", "--ranks", help="Number of ranks (default: all slots)."
    ),
    groups: list[str] = _GROUPS,
    timeout: str = options.timeout("End the job after 90s, 10m or 2h, with exit code 124."),
    grace: int = typer.Option(
        0,
        "--grace",
        metavar="SECONDS",
        show_default=False,
        help="Time for ranks between SIGTERM and SIGKILL when the job is ended "
        "(default: up to MPI, 0 to 2 s).",
    ),
    env: list[str] = _ENV,
    mount: list[str] = _MOUNT,
    detach: bool = typer.Option(
        False, "--detach", "-d", help="Submit a batch job, which runs on a node of Swarm's choice."
    ),
    name: str = _NAME,
    output: Path = OUTPUT,
    stack: str = STACK,
    context: str | None = CONTEXT,
) -> None:
    """Run an MPI job and exit with its exit code.

    The job is a container of the workers' image on the node that docker talks to. It has this
    command's input, output and terminal. Ctrl-C, SIGTERM and SIGHUP end it on every node; SIGUSR1
    and SIGUSR2 reach the ranks. With --detach it outlives this command: see mpigen jobs, logs,
    wait and cancel.
    """
    from mpigen.artifacts import folder
    from mpigen.job import spec

    limit = spec.seconds(timeout) if timeout else None
    words = (tuple(command or ()), ranks, tuple(groups), tuple(env), tuple(mount), limit, grace)
    job = spec.mpirun(name, *words, mpi=folder.read(output).mpi)
    with _ready(job, output, stack, context) as (cluster, hosts, events):
        if detach:
            _submit(cluster, hosts, job)
            return
        code = _foreground(cluster, hosts, job, events)
    raise typer.Exit(code)


def shell(
    groups: list[str] = _GROUPS,
    env: list[str] = _ENV,
    mount: list[str] = _MOUNT,
    name: str = _NAME,
    output: Path = OUTPUT,
    stack: str = STACK,
    context: str | None = CONTEXT,
) -> None:
    """Open a shell in a job's container, on the overlay.

    mpirun works there, and so does ssh to every worker by its name.
    """
    from mpigen.artifacts import folder
    from mpigen.job import spec

    words = (("shell",), None, tuple(groups), tuple(env), tuple(mount), None)
    job = spec.mpirun(name, *words, mpi=folder.read(output).mpi)
    job = replace(job, argv=("sh", "-c", "mpi-hostfile && exec bash"), display="mpigen shell")
    with _ready(job, output, stack, context) as (cluster, hosts, events):
        # an interactive shell ignores SIGTERM
        code = _foreground(cluster, hosts, job, events, first="SIGHUP")
    raise typer.Exit(code)


def push(
    files: list[Path] = typer.Argument(metavar="FILE...", help="Files on this machine."),
    to: str = typer.Option("", "--to", help="The folder there (default: where jobs start)."),
    groups: list[str] = _GROUPS,
    output: Path = OUTPUT,
    stack: str = STACK,
    context: str | None = CONTEXT,
) -> None:
    """Copy files to the same folder of every worker, and compare their hashes.

    The next `mpigen run ./FILE` runs a program. A worker that Swarm replaces later does not have
    it: put what is to stay into app/, and so into the image.
    """
    from mpigen.errors import ClusterError
    from mpigen.job import push as pushing
    from mpigen.job import spec

    job = spec.JobSpec("", (), "", groups=tuple(groups))
    with _ready(job, output, stack, context) as (cluster, hosts, events):
        done = pushing.push(cluster, hosts, tuple(files), to, events, say)
    if done.code >= 128:
        typer.echo("interrupted: each worker has a file whole, or as it was before", err=True)
        raise typer.Exit(done.code)
    if done.failed:
        reasons = "".join(f"\n  {host}: {why}" for host, why in sorted(done.failed.items()))
        there = len(done.hosts) + len(done.failed)
        hint = "Those that have them keep them; push again when the others are well."
        raise ClusterError(f"{len(done.hosts)} of {there} workers have the files:{reasons}", hint)
    names = ", ".join(file.name for file in files)
    typer.echo(f"{names}: in {done.folder} of {len(done.hosts)} workers, hashes compared")
    typer.echo("note: a worker that Swarm replaces later does not have it", err=True)
    # data is read by a program, and runs nowhere
    if program := next((file.name for file in files if os.access(file, os.X_OK)), ""):
        typer.echo(f"next: mpigen run {'./' if not to else done.folder + '/'}{program}")


@contextlib.contextmanager
def _ready(
    job: "JobSpec", output: Path, stack: str, context: str | None
) -> "Iterator[tuple[Deployment, Hosts, Events]]":
    """The deployment and the hosts of a job; its signals become events while the block runs."""
    from mpigen.job import events as happening
    from mpigen.job import hosts as finding

    cluster = options.deployment(output, stack, context)
    hosts = finding.discover_hosts(cluster).choose(job.groups)
    finding.refuse_too_many(job, hosts)
    with happening.caught() as events:
        yield cluster, hosts, events


def _foreground(
    cluster: "Deployment",
    hosts: "Hosts",
    job: "JobSpec",
    events: "Events",
    first: str = "SIGTERM",
) -> int:
    from mpigen.job import ending, foreground, streams

    code = foreground.run(cluster, hosts, job, events, streams.own(), say, first)
    if code == ending.TIMED_OUT and job.timeout:
        say(f"mpigen: the job {job.name} was ended after {job.timeout} s (--timeout)")
    return code


def _submit(cluster: "Deployment", hosts: "Hosts", job: "JobSpec") -> None:
    from mpigen.job import batch

    batch.submit(cluster, hosts, job)
    typer.echo(job.name)
    say(f"next: mpigen logs {job.name} -f")
