"""`mpigen pull` and `mpigen push`: files from the workers, and to them."""

import json
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mpigen.cli import complete, options, show, where
from mpigen.cli.options import CONTEXT, OUTPUT, STACK
from mpigen.cli.progress import say, sending
from mpigen.notation.counts import counted
from mpigen.untrusted.quoting import printable

if TYPE_CHECKING:
    from mpigen.job.events import Events
    from mpigen.job.hosts import Hosts
    from mpigen.job.pull import Pulled
    from mpigen.swarm.deployment import Deployment

_GROUPS = options.workers("Use only the hosts of this group. Repeat it for several, in order.")
_SHOWN = 20


def pull(
    paths: list[str] = typer.Argument(
        metavar="PATH...",
        help="Files, folders or patterns such as 'out/*.csv' on a host. A last argument that ends "
        "in / is --to.",
    ),
    from_: list[str] = typer.Option(
        [],
        "--from",
        metavar="HOST",
        help="The host (default: that of rank 0). May be repeated.",
        autocompletion=complete.hosts,
    ),
    every: bool = typer.Option(
        False, "--all", help="Copy from every host, into one folder per host."
    ),
    to: Path | None = typer.Option(
        None, "--to", help="The local folder (default: the current one)."
    ),
    groups: list[str] = _GROUPS,
    as_json: bool = options.json_output("Print the files as JSON."),
    output: Path = OUTPUT,
    stack: str = STACK,
    context: str | None = CONTEXT,
) -> None:
    """Copy files from workers to this machine, and compare their hashes.

    All files arrive, or none: after an interrupt, or with a full disk, nothing here has changed.
    Paths are relative to the folder where jobs start. Links are followed, and existing files are
    replaced.
    """
    from mpigen.errors import InputError
    from mpigen.job import pull as pulling
    from mpigen.job import spec

    if to is None and len(paths) > 1 and paths[-1].endswith("/"):
        to = Path(paths.pop())
    if every and from_:
        raise InputError("--all and --from cannot be combined")
    target = to or Path()
    for host in from_:
        options.refuse_bad_host(host)
    wanted = pulling.Wanted(tuple(paths), tuple(dict.fromkeys(from_)), every)
    job = spec.JobSpec("", (), "", groups=tuple(groups))
    with (
        options.ready(job, output, stack, context) as (cluster, hosts, events),
        sending() as (tick, sent),
    ):
        done = pulling.pull(cluster, hosts, wanted, target, events, tick, sent)
    if done.code >= 128:
        typer.echo("interrupted: nothing was written", err=True)
        raise typer.Exit(done.code)
    if as_json:
        rows = [
            {"host": file.host, "file": str(target / place)}
            | {"bytes": file.size, "sha256": file.sha256}
            for file, place in done.places.items()
        ]
        typer.echo(json.dumps(rows, indent=2))
        return
    tell(done, target)


def push(
    files: list[Path] = typer.Argument(metavar="FILE...", help="Files or folders on this machine."),
    to: str = typer.Option(
        "", "--to", help="The folder in the workers (default: where jobs start)."
    ),
    groups: list[str] = _GROUPS,
    output: Path = OUTPUT,
    stack: str = STACK,
    context: str | None = CONTEXT,
) -> None:
    """Copy files and folders to every worker, and compare their hashes.

    Run a program that you pushed with `mpigen run ./FILE`. If Swarm replaces a worker, the new one
    lacks the files. To keep a program, put it into the folder of app.source, and build and deploy;
    put data on storage that all servers share.
    """
    from mpigen.errors import ClusterError
    from mpigen.job import push as pushing
    from mpigen.job import spec

    job = spec.JobSpec("", (), "", groups=tuple(groups))
    with (
        options.ready(job, output, stack, context) as (cluster, hosts, events),
        sending() as (tick, sent),
    ):
        done = pushing.push(cluster, hosts, tuple(files), to, events, tick, sent)
    if done.code >= 128:
        typer.echo(
            "interrupted: on each worker, every file is either complete or as it was before",
            err=True,
        )
        raise typer.Exit(done.code)
    if done.failed:
        reasons = "".join(f"\n  {host}: {why}" for host, why in sorted(done.failed.items()))
        there = len(done.hosts) + len(done.failed)
        hint = "Workers that have the files keep them; push again when the others work."
        raise ClusterError(f"{len(done.hosts)} of {there} workers have the files:{reasons}", hint)
    names = ", ".join(file.name or str(file) for file in files)
    typer.echo(f"{names}: in {done.folder} of {len(done.hosts)} workers, hashes compared")
    show.note(
        "if Swarm replaces a worker, the new one lacks them; for data use storage: docs/files.md"
    )
    # data is read by a program, and runs nowhere
    if program := next((file.name for file in files if _is_program(file)), ""):
        path = f"{done.folder}/{program}" if to else f"./{program}"
        typer.echo(f"next: {where.again('run', output, stack, context, path)}")


def _is_program(file: Path) -> bool:
    return file.is_file() and os.access(file, os.X_OK)


def fetch_variable(patterns: Sequence[str], detach: bool) -> tuple[str, ...]:
    """The variable that marks the hosts of a job whose files are to be fetched, if any are.

    Raises InputError for a batch job, which has ended long after this command, and bad patterns.
    """
    from mpigen.errors import InputError
    from mpigen.job import gather

    if not patterns:
        return ()
    for pattern in patterns:
        gather.refuse_bad(pattern)
    if detach:
        words = shlex.join(patterns)
        raise InputError(
            "--fetch works for foreground jobs only, and --detach starts a batch job",
            f"Pull the files when it has ended: mpigen wait JOB; mpigen pull --all {words}",
        )
    return (f"{gather.MARK_VARIABLE}={gather.new_mark()}",)


def fetch(
    cluster: "Deployment",
    hosts: "Hosts",
    patterns: Sequence[str],
    marked: tuple[str, ...],
    to: Path,
    events: "Events",
    code: int,
) -> int:
    """Pull what a job has written, and return the job's exit `code`, or that of an interrupt.

    The job's own failure counts more than one of the copy. After an interrupt nothing is fetched.
    """
    from mpigen.errors import MpigenError
    from mpigen.job import pull as pulling
    from mpigen.job.ending import INTERRUPTED

    by_hand = f"mpigen pull --all {shlex.join(patterns)}"
    if code in INTERRUPTED:
        say(f"the job was interrupted, and nothing was fetched; by hand: {by_hand}")
        return code
    wanted = pulling.Wanted(tuple(patterns), job=marked[0].partition("=")[2])
    try:
        with sending() as (tick, sent):
            done = pulling.pull(cluster, hosts, wanted, to, events, tick, sent)
    except MpigenError as error:
        if not code:
            raise
        say(f"not fetched: {error.message}\nby hand: {by_hand}")
        return code
    if done.code >= 128:
        say(f"interrupted: nothing was fetched; by hand: {by_hand}")
        return done.code
    tell(done, to, fetched=True)
    return code


def tell(done: "Pulled", target: Path, fetched: bool = False) -> None:
    """Print which files have come, from where; what a job's own output precedes, to stderr.

    Most jobs write their files on one host: others that have none are worth a note after a pull.
    """
    for file, place in list(done.places.items())[:_SHOWN]:
        line = f"{target / place}: {_size(file.size)} from {file.host}"
        typer.echo(printable(line), err=fetched)
    if (more := len(done.places) - _SHOWN) > 0:
        typer.echo(f"and {more} more", err=fetched)
    total = _size(sum(file.size for file in done.places))
    hosts = len({file.host for file in done.places})
    count = counted(len(done.places), "file")
    replaced = f", {done.replaced} replaced" if done.replaced else ""
    typer.echo(
        f"{count}, {total}, from {counted(hosts, 'host')}{replaced}: hashes compared",
        err=fetched,
    )
    if done.without and not fetched:
        show.note(f"no such file on {', '.join(done.without)}")
    if done.others:
        show.note(f"{done.others} skipped: neither files nor folders")


def _size(size: int) -> str:
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} bytes"
