"""`mpigen verify`: run the rendered checks against the live cluster."""

from pathlib import Path

import typer

from mpigen.cli.options import CONTEXT, OUTPUT, STACK


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

    Every task on every node is reached from a manager alone, by ssh over the overlay. Exits 1 if
    a check says no, or if there was none.
    """
    from mpigen.stack.verify import verify as run_checks

    run_checks(output, stack, context, arguments or [], junit)
