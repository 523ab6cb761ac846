"""Options that several commands share, and the deployment that most of them begin with.

A function makes an option whose help text, or default, differs between commands.
"""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mpigen.cli import complete, where

if TYPE_CHECKING:
    from mpigen.job.events import Events
    from mpigen.job.hosts import Hosts
    from mpigen.job.spec import JobSpec
    from mpigen.swarm.deployment import Deployment

SITE_FILE = Path("mpigen.yaml")
RENDERED = Path("output")


def config_file(help: str) -> Any:
    """--config, once."""
    return typer.Option(SITE_FILE, "--config", "-c", help=help)


def config_files(help: str) -> Any:
    """--config, for the site's file and the layers over it."""
    return typer.Option([SITE_FILE], "--config", "-c", help=help)


def site_output(help: str) -> Any:
    """--output, where the default is next to the site's file."""
    return typer.Option(None, "--output", "-o", help=help)


def json_output(help: str) -> Any:
    """--json."""
    return typer.Option(False, "--json", help=help)


def workers(help: str) -> Any:
    """--workers, repeatable."""
    return typer.Option([], "--workers", "-w", help=help, autocompletion=complete.groups)


def timeout(help: str) -> Any:
    """--timeout, a duration such as 90s."""
    return typer.Option("", "--timeout", help=help)


def wait(seconds: float, until: str) -> Any:
    """--wait, in seconds."""
    return typer.Option(seconds, help=f"Maximum number of seconds to wait until {until}.")


def name(default: str, help: str) -> Any:
    """--name, of a lab or a job."""
    return typer.Option(default, "--name", help=help)


CONFIG_FILES = config_files("The site's file. Repeat it to add layers.")
SITE_OUTPUT = site_output("The rendered folder (default: output/ beside the site's file).")
OUTPUT = typer.Option(RENDERED, "--output", "-o", help="The rendered folder.")
STACK = typer.Option("", "--stack", help="The stack's name (default: the cluster's).")
CONTEXT = typer.Option(
    None,
    "--context",
    envvar=where.VARIABLE,
    help="The docker context to use.",
    autocompletion=complete.contexts,
)
JSON = json_output("Print JSON.")
JSON_FOR_TABLE = json_output("Print JSON instead of a table.")


def deployment(output: Path, stack: str, context: str | None) -> "Deployment":
    """The cluster of the rendered folder `output`, on the engine of `context` or `where.choose`.

    `stack` defaults to the cluster's name. Raises InputError if the folder was not rendered,
    ClusterError if the engine does not answer.
    """
    from mpigen.artifacts import folder
    from mpigen.swarm import engine
    from mpigen.swarm.deployment import Deployment

    artifacts = folder.read(output)
    reached = engine.reach(where.choose(context, output))
    return Deployment(reached, artifacts, stack or artifacts.name)


def refuse_bad_host(host: str) -> None:
    """Raise InputError for what cannot be the name of a host, before ssh reads it."""
    from mpigen.errors import InputError

    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", host):
        raise InputError(
            f"--from {host}: this is not a host name", "mpigen status lists the hosts."
        )


@contextlib.contextmanager
def ready(
    job: "JobSpec", output: Path, stack: str, context: str | None
) -> "Iterator[tuple[Deployment, Hosts, Events]]":
    """The deployment and the hosts of a job; its signals become events while the block runs."""
    from mpigen.job import events as happening
    from mpigen.job import hosts as finding

    cluster = deployment(output, stack, context)
    hosts = finding.discover_hosts(cluster).choose(job.groups)
    finding.refuse_too_many(job, hosts)
    with happening.caught() as events:
        yield cluster, hosts, events
