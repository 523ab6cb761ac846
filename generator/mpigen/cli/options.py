"""Options that several commands share, and the deployment that most of them begin with.

A function makes an option whose help text, or default, differs between commands.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
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
    return typer.Option([], "--workers", "-w", help=help)


def timeout(help: str) -> Any:
    """--timeout, a duration such as 90s."""
    return typer.Option("", "--timeout", help=help)


def wait(seconds: float, until: str) -> Any:
    """--wait, in seconds."""
    return typer.Option(seconds, help=f"Seconds to wait at most until {until}.")


def name(default: str, help: str) -> Any:
    """--name, of a lab or a job."""
    return typer.Option(default, "--name", help=help)


CONFIG_FILES = config_files("The site's file; again for a layer over it.")
SITE_OUTPUT = site_output("The rendered folder; default output/ beside the site's file.")
OUTPUT = typer.Option(RENDERED, "--output", "-o", help="The rendered folder.")
STACK = typer.Option("", "--stack", help="The stack's name; default the cluster's.")
CONTEXT = typer.Option(None, "--context", help="The docker context to use.")
JSON = json_output("Print JSON.")
JSON_FOR_TABLE = json_output("Print JSON in place of a table.")


def deployment(output: Path, stack: str, context: str | None) -> "Deployment":
    """The cluster of the rendered folder `output`, on the engine of `context`.

    `stack` defaults to the cluster's name. Raises InputError if the folder was not rendered,
    ClusterError if the engine does not answer.
    """
    from mpigen.artifacts import folder
    from mpigen.swarm import engine
    from mpigen.swarm.deployment import Deployment

    artifacts = folder.read(output)
    return Deployment(engine.reach(context), artifacts, stack or artifacts.name)
