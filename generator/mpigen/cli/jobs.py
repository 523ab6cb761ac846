"""`mpigen jobs`, `logs`, `wait` and `cancel`: jobs that were started before."""

import contextlib
import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mpigen.cli import options, show
from mpigen.cli.options import CONTEXT, JSON_FOR_TABLE, OUTPUT, STACK, deployment

if TYPE_CHECKING:
    from mpigen.job.listing import Job

_JOB = typer.Argument(metavar="JOB", help="The job's name, as mpigen jobs has it.")


def jobs(
    as_json: bool = JSON_FOR_TABLE,
    clear: bool = typer.Option(False, "--clear", help="Forget the batch jobs that are over."),
    output: Path = OUTPUT,
    stack: str = STACK,
    context: str | None = CONTEXT,
) -> None:
    """List the cluster's jobs: batch jobs, and those in the foreground on this engine.

    A batch job that is over stays until it is cancelled, or cleared.
    """
    from mpigen.job import listing

    cluster = deployment(output, stack, context)
    if clear:
        for name in listing.clear(cluster):
            typer.echo(f"forgot {name}")
        return
    found = listing.every(cluster)
    if as_json:
        rows = [{**asdict(job), "created": job.created.isoformat()} for job in found]
        typer.echo(json.dumps(rows, indent=2))
        return
    if not cluster.engine.is_manager:
        show.note("this engine is no manager: batch jobs are seen with --context MANAGER")
    for each in listing.foreign(cluster, found):
        show.note(f"{each} may be a job too, which only its own engine can tell")
    if not found:
        typer.echo(f"{cluster.stack} has no jobs", err=True)
        return
    titles = ("JOB", "STATE", "EXIT", "RANKS", "HOSTS", "AGE", "KIND", "NODE", "COMMAND")
    show.table(titles, [_row(job) for job in found])
    for job in found:
        if job.error:
            show.note(f"{job.name}: {job.error}")


def logs(
    name: str = _JOB,
    follow: bool = typer.Option(False, "--follow", "-f", help="Go on until the job has ended."),
    output: Path = OUTPUT,
    stack: str = STACK,
    context: str | None = CONTEXT,
) -> None:
    """Print what a batch job has printed, standard output and error apart."""
    from mpigen.job import listing
    from mpigen.job import logs as copying

    cluster = deployment(output, stack, context)
    job = listing.find(cluster, name)
    # a reader such as head closes the pipe
    with contextlib.suppress(BrokenPipeError):
        copying.copy(cluster.engine, job, follow, lambda line: typer.echo(line, err=True))


def wait(
    name: str = _JOB,
    timeout: str = options.timeout("Wait 90s, 10m, 2h at most: code 124."),
    output: Path = OUTPUT,
    stack: str = STACK,
    context: str | None = CONTEXT,
) -> None:
    """Wait until a job has ended, and exit with its exit code."""
    from mpigen.job import attach, listing, spec

    limit = spec.seconds(timeout) if timeout else None
    cluster = deployment(output, stack, context)
    code = listing.wait(cluster.engine, listing.find(cluster, name), limit)
    if code is None:
        typer.echo(f"the job {name} still runs after {timeout}", err=True)
        raise typer.Exit(attach.TIMED_OUT)
    raise typer.Exit(code)


def cancel(
    names: list[str] = typer.Argument(metavar="JOB...", help="Names, as mpigen jobs has them."),
    output: Path = OUTPUT,
    stack: str = STACK,
    context: str | None = CONTEXT,
) -> None:
    """End jobs on all of their hosts, and forget them."""
    from mpigen.job import listing

    cluster = deployment(output, stack, context)
    found = [listing.find(cluster, name) for name in names]
    for job in found:
        listing.cancel(cluster.engine, job)
        typer.echo(f"{'forgot' if job.over else 'ended'} {job.name}")


def _row(job: "Job") -> tuple[str, ...]:
    return (
        job.name,
        job.state,
        "-" if job.exit_code is None else str(job.exit_code),
        str(job.ranks),
        str(job.hosts),
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
