"""`mpigen run` and `mpigen shell`: work on the cluster from this machine."""

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mpigen.cli import job_words, options, where
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
    help="An additional mount for the job's own container, where mpirun runs, as in docker run "
    "--mount. Ranks run in the workers; both have the `storage` of mpigen.yaml.",
)
_ENV_FILE = typer.Option(
    [],
    "--env-file",
    metavar="FILE",
    help="Set variables for every rank from a file, as in docker run --env-file. May be repeated.",
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
    grace: int | None = typer.Option(
        None,
        "--grace",
        metavar="SECONDS",
        help="Seconds between SIGTERM and SIGKILL for the ranks when the job is ended "
        "(default: MPI decides, 0 to 2 s).",
    ),
    env: list[str] = _ENV,
    env_file: list[Path] = _ENV_FILE,
    workdir: str = typer.Option(
        "", "--workdir", metavar="DIR", help="The folder in which ranks start, on their hosts."
    ),
    mount: list[str] = _MOUNT,
    fetch: list[str] = typer.Option(
        [],
        "--fetch",
        metavar="GLOB",
        help="Pull these files from the job's hosts when it has ended, if the job wrote them. May "
        "be repeated.",
    ),
    fetch_to: Path = typer.Option(
        Path(),
        "--fetch-to",
        metavar="DIR",
        help="The local folder for --fetch (default: the current one).",
    ),
    label: bool = typer.Option(
        False,
        "--label",
        help="Prefix each line of output with its rank, such as [3]. Lines stay whole.",
    ),
    retries: int | None = typer.Option(
        None,
        "--retries",
        metavar="N",
        help="Run a batch job again, at most N times, if a host was lost; not if its program "
        "failed.",
    ),
    file: Path | None = typer.Option(
        None,
        "--file",
        "-f",
        help="A job file (see mpigen schema job). Other options override its values.",
    ),
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
    wait and cancel. With --fetch, files that it wrote are copied here from its hosts.
    """
    from mpigen.artifacts import folder
    from mpigen.cli import files
    from mpigen.cli.job_options import JobOptions, from_file
    from mpigen.job import env_file as env_files
    from mpigen.job import storage

    asked = JobOptions(
        command=tuple(command or ()),
        name=name,
        ranks=ranks,
        workers=tuple(groups),
        env=(*env_files.read(env_file, os.environ), *env),
        workdir=workdir,
        mounts=tuple(mount),
        timeout=timeout,
        grace=grace,
        label=label,
        detach=detach,
        retries=retries,
        fetch=tuple(fetch),
    )
    asked = asked.over(from_file(file)) if file else asked
    marked = files.fetch_variable(asked.fetch, asked.detach)
    asked = replace(asked, env=(*asked.env, *marked))
    job = asked.spec(folder.read(output).mpi)
    with options.ready(job, output, stack, context) as (cluster, hosts, events):
        job_words.say_shared(cluster, hosts, job)
        if asked.detach:
            _submit(cluster, hosts, storage.in_service(cluster, hosts, job))
            say(f"next: {where.again('logs', output, stack, context, f'{job.name} -f')}")
            return
        code = _foreground(cluster, hosts, job, events)
        if asked.fetch:
            code = files.fetch(cluster, hosts, asked.fetch, marked, fetch_to, events, code)
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
    """Open a shell in a job's container, on the overlay, and show the hosts.

    mpirun works there, and so does ssh to every worker by its name.
    """
    from mpigen.artifacts import folder
    from mpigen.job import spec, streams

    words = (("shell",), None, tuple(groups), tuple(env), tuple(mount), None)
    job = spec.mpirun(name, *words, mpi=folder.read(output).mpi)
    job = replace(
        job, argv=("sh", "-c", "mpi-hostfile && exec bash"), display="mpigen shell", ranks=0
    )
    with options.ready(job, output, stack, context) as (cluster, hosts, events):
        if streams.own().terminal:
            say(job_words.greeting(cluster, hosts))
        # an interactive shell ignores SIGTERM
        code = _foreground(cluster, hosts, job, events, first="SIGHUP")
    raise typer.Exit(code)


def _foreground(
    cluster: "Deployment",
    hosts: "Hosts",
    job: "JobSpec",
    events: "Events",
    first: str = "SIGTERM",
) -> int:
    from mpigen.job import ending, foreground, storage, streams

    job = storage.in_foreground(cluster, hosts, job, say)
    code = foreground.run(cluster, hosts, job, events, streams.own(), say, first)
    if code == ending.TIMED_OUT and job.timeout:
        say(f"mpigen: the job {job.name} was ended after {job.timeout} s (--timeout)")
    return code


def _submit(cluster: "Deployment", hosts: "Hosts", job: "JobSpec") -> None:
    from mpigen.job import batch

    batch.submit(cluster, hosts, job)
    typer.echo(job.name)
