"""`mpigen verify`: run the rendered checks against the live cluster."""

from pathlib import Path

import typer

from mpigen.cli import where
from mpigen.cli.options import CONTEXT, OUTPUT, STACK, deployment


def verify(
    arguments: list[str] = typer.Argument(None, help="Passed on to pytest, as in -k sshd."),
    output: Path = OUTPUT,
    stack: str = STACK,
    context: str | None = CONTEXT,
    junit: Path | None = typer.Option(
        None, "--junit", help="Write a report of it to this file too, as JUnit XML.", dir_okay=False
    ),
) -> None:
    """Check the deployed cluster; one line a check.

    Every task on every node is reached from a manager alone, by ssh over the overlay. The reason
    of a check that fails is printed with it. Exits 1 if a check fails or none was run, 3 if there
    is no manager or the cluster is not deployed.
    """
    from mpigen.artifacts.paths import MANIFEST
    from mpigen.stack import verify as checks

    # a folder of checks alone has no cluster to look for
    chosen = where.choose(context, output)
    if (output / MANIFEST).exists():
        checks.need_deployed(deployment(output, stack, chosen))
    checks.verify(output, stack, chosen, arguments or [], junit)
