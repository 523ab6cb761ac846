"""`mpigen jobs`, `logs`, `wait` and `cancel`: jobs that were started before."""

import contextlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mpigen.cli import complete, options, show, where
from mpigen.cli.options import CONTEXT, JSON, JSON_FOR_TABLE, OUTPUT, STACK, deployment
from mpigen.cli.progress import say

if TYPE_CHECKING:
    from mpigen.job.describe import Job
    from mpigen.swarm.deployment import Deployment

_JOB = typer.Argument(
    metavar="JOB", help="The job's name, as listed by mpigen jobs.", autocompletion=complete.jobs
)
_JOBS = typer.Argument(
    metavar="JOB...", help="Names of jobs, as listed by mpigen jobs.", autocompletion=complete.jobs
)


def jobs(
    as_json: bool = JSON_FOR_TABLE,
    remove: list[str] = typer.Option(
        [],
        "--remove",
        metavar="JOB",
        help="Remove this finished job and its log. May be repeated.",
        autocompletion=complete.jobs,
    ),
    clear: bool = typer.Option(
        False, "--clear", help="Remove all listed jobs that have finished, with their logs."
    ),
    every: bool = typer.Option(
        False, "--all", "-a", help="Also list finished foreground jobs, with start, end and user."
    ),
    output: Path = OUTPUT,
    stack: str = STACK,
    context: str | None = CONTEXT,
) -> None:
    """List the cluster's jobs: batch jobs, and those in the foreground on this engine.

    Batch jobs that have ended or were cancelled are listed, and their logs kept, until you remove
    them. With --all, foreground jobs that you have started on this engine are listed as well.
    """
    from mpigen.job import listing

    cluster = deployment(output, stack, context)
    if clear or remove:
        known = listing.every(cluster, past=every) if clear else []
        chosen = listing.find_all(cluster, tuple(dict.fromkeys(remove)), past=True)
        chosen += [job for job in known if job.over and job not in chosen]
        listing.remove(cluster, chosen)
        for job in chosen:
            typer.echo(f"removed {job.name}")
        return
    found = listing.every(cluster, past=every)
    if as_json:
        typer.echo(json.dumps([_as_json(job) for job in found], indent=2))
        return
    if not cluster.engine.is_manager:
        from mpigen.swarm.engine import manager_context

        show.note(f"this engine is not a manager: to see batch jobs, use {manager_context()}")
    for each in listing.foreign(cluster, found):
        show.note(f"{each} may also be a job, but only its own engine can list it")
    if not found:
        typer.echo(f"{cluster.stack} has no jobs", err=True)
        return
    row, titles = (_long_row, _LONG_TITLES) if every else (_row, _TITLES)
    show.table(titles, [row(job) for job in found])
    for job in found:
        if job.error:
            show.note(f"{job.name}: {job.error}")
        if job.runs > 1:
            show.note(f"{job.name}: run {job.runs} of at most {job.retries + 1}")


def logs(
    name: str = _JOB,
    follow: bool = typer.Option(False, "--follow", "-f", help="Follow until the job has ended."),
    tail: str = typer.Option("all", "--tail", help="Number of lines to print from the end."),
    since: str = typer.Option(
        "", "--since", help="Print lines since 2026-11-30T08:00:00Z, or for the last 10m."
    ),
    timestamps: bool = typer.Option(
        False, "--timestamps", "-t", help="Prefix each line with its time."
    ),
    output: Path = OUTPUT,
    stack: str = STACK,
    context: str | None = CONTEXT,
) -> None:
    """Print the output of a batch job, with standard output and standard error separate."""
    from mpigen.job import excerpt, listing
    from mpigen.job import logs as copying

    wanted = excerpt.parse(tail, since, timestamps, datetime.now(UTC).timestamp())
    cluster = deployment(output, stack, context)
    job = listing.find(cluster, name)
    # a reader such as head closes the pipe
    with contextlib.suppress(BrokenPipeError):
        copying.copy(cluster.engine, job, wanted, follow, say)


def wait(
    names: list[str] = _JOBS,
    timeout: str = options.timeout(
        "Maximum time to wait: 90s, 10m or 2h. Then exit with code 124."
    ),
    as_json: bool = JSON,
    output: Path = OUTPUT,
    stack: str = STACK,
    context: str | None = CONTEXT,
) -> None:
    """Wait until jobs have ended, and print the exit code of each.

    Exits with the first exit code that is not 0, in the order of the names.
    """
    from mpigen.job import spec, waiting

    limit = spec.seconds(timeout) if timeout else None
    cluster = deployment(output, stack, context)
    found = _found(cluster, names)
    done = {}
    for each in waiting.every(cluster.engine, found, limit):
        done[each.name] = each
        if each.reason:
            typer.echo(f"{each.name}: {each.reason}", err=True)
        if not as_json:
            typer.echo(f"{each.name} {each.exit_code}")
    in_order = [done[job.name] for job in found]
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in in_order], indent=2))
    raise typer.Exit(waiting.first_failure(in_order))


def cancel(
    names: list[str] = _JOBS,
    output: Path = OUTPUT,
    stack: str = STACK,
    context: str | None = CONTEXT,
) -> None:
    """End jobs on all of their hosts.

    mpigen jobs still lists a batch job, with its log, until you remove it.
    """
    from mpigen.job import listing

    cluster = deployment(output, stack, context)
    kept = []
    for job in _found(cluster, names):
        listing.cancel(cluster.engine, job)
        typer.echo(
            f"{job.name} had already ended: {job.state}" if job.over else f"ended {job.name}"
        )
        kept += [job.name] if job.kind == "batch" else []
    if kept:
        removals = " ".join(f"--remove {name}" for name in kept)
        logs_of = where.again("logs", output, stack, context, kept[0])
        remove = where.again("jobs", output, stack, context, removals)
        typer.echo(f"next: {logs_of}; {remove}", err=True)


def _found(cluster: "Deployment", names: Sequence[str]) -> "list[Job]":
    """The jobs of these names, each once, in this order. Raises InputError with all unknown."""
    from mpigen.job import listing

    return listing.find_all(cluster, tuple(dict.fromkeys(names)))


def _as_json(job: "Job") -> dict[str, Any]:
    ended = job.ended.isoformat() if job.ended else None
    elapsed = job.seconds(datetime.now(UTC))
    return {
        **asdict(job),
        "created": job.created.isoformat(),
        "ended": ended,
        "elapsed": None if elapsed is None else round(elapsed, 3),
    }


_TITLES = ("JOB", "STATE", "EXIT", "RANKS", "HOSTS", "AGE", "KIND", "NODE", "COMMAND")
_LONG_TITLES = (
    *("JOB", "STATE", "EXIT", "START", "END", "ELAPSED"),
    *("USER", "NODE", "RANKS", "KIND", "COMMAND"),
)


def _long_row(job: "Job") -> tuple[str, ...]:
    elapsed = job.seconds(datetime.now(UTC))
    return (
        job.name,
        job.state,
        "-" if job.exit_code is None else str(job.exit_code),
        _local(job.created),
        _local(job.ended) if job.ended else "-",
        "-" if elapsed is None else str(timedelta(seconds=round(elapsed))),
        job.user or "-",
        job.node or "-",
        str(job.ranks or "-"),
        job.kind,
        job.command,
    )


def _local(moment: datetime) -> str:
    """A time in the zone of this machine."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def _row(job: "Job") -> tuple[str, ...]:
    return (
        job.name,
        job.state,
        "-" if job.exit_code is None else str(job.exit_code),
        str(job.ranks or "-"),
        str(job.hosts or "-"),
        _age((datetime.now(UTC) - job.created).total_seconds()),
        job.kind,
        job.node or "-",
        job.command,
    )


def _age(seconds: float) -> str:
    """An age in one unit: 5s, 12m, 3h, 2d."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{int(seconds // size)}{unit}"
    return f"{max(0, int(seconds))}s"
