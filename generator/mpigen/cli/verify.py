"""`mpigen verify`: run the rendered checks against the live cluster."""

from pathlib import Path

import typer

from mpigen.cli import where
from mpigen.cli.options import CONTEXT, OUTPUT, STACK, deployment


def verify(
    arguments: list[str] = typer.Argument(None, help="Options for pytest, for example -k sshd."),
    output: Path = OUTPUT,
    stack: str = STACK,
    context: str | None = CONTEXT,
    junit: Path | None = typer.Option(
        None, "--junit", help="Also write a report to this file, as JUnit XML.", dir_okay=False
    ),
) -> None:
    """Check the deployed cluster; print one line per check.

    Only a manager is needed: it reaches every container on every node by ssh over the overlay. If
    a check fails, its reason is printed. Exits 1 if a check fails or none was run, 3 if there is
    no manager or the cluster is not deployed.
    """
    from mpigen.artifacts.paths import MANIFEST
    from mpigen.stack import verify as checks

    # a folder of checks alone has no cluster to look for
    chosen = where.choose(context, output)
    if (output / MANIFEST).exists():
        checks.need_deployed(deployment(output, stack, chosen))
    checks.verify(output, stack, chosen, arguments or [], junit)
