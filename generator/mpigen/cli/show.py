"""Print warnings, diffs and tables, with colours on a terminal only."""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from mpigen.untrusted.quoting import printable

if TYPE_CHECKING:
    from rich.table import Table

_COLOURS = {"+": typer.colors.GREEN, "-": typer.colors.RED}


def warn(sentence: str) -> None:
    """Print a warning on standard error."""
    mark = "warning: "
    if wants_colour(err=True):
        mark = typer.style(mark, fg=typer.colors.YELLOW)
    typer.echo(mark + printable(sentence), err=True)


def note(sentence: str) -> None:
    """Print a note on standard error, such as a limit of the printed results."""
    typer.echo(f"note: {sentence}", err=True)


def diff(text: str, err: bool = False) -> None:
    """Print a unified diff on standard output, or on standard error if it explains an error.

    It is written as UTF-8, whatever the locale.
    """
    text = _coloured(text) if wants_colour(err) else text
    typer.echo(text.encode(errors="surrogateescape"), nl=False, err=err)


def _coloured(text: str) -> str:
    """A unified diff in git's colours."""
    lines = []
    in_hunk = False
    for line in text.split("\n"):
        # each line of a hunk begins with one of " +-" or a backslash
        in_hunk = line.startswith("@@") or (in_hunk and not line.startswith("diff "))
        colour = typer.colors.CYAN if line.startswith("@@") else _COLOURS.get(line[:1])
        if in_hunk and colour:
            line = typer.style(line, fg=colour)
        elif line and not in_hunk:
            line = typer.style(line, bold=True)
        lines.append(line)
    return "\n".join(lines)


def wants_colour(err: bool = False) -> bool:
    """Whether standard output, or standard error, is a terminal and NO_COLOR is not set."""
    # https://no-color.org
    return (sys.stderr if err else sys.stdout).isatty() and not os.environ.get("NO_COLOR")


def table(titles: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print a table that fits the terminal, or columns of plain text elsewhere."""
    if sys.stdout.isatty():
        from rich.console import Console

        Console().print(rich_table(titles, rows))
        return
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    for row in (titles, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


def rich_table(titles: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> "Table":
    """A table for a terminal."""
    from rich.table import Table

    made = Table(*titles, box=None, pad_edge=False)
    for row in rows:
        made.add_row(*row)
    return made


def clear() -> None:
    """Clear the screen of a terminal."""
    from rich.console import Console

    Console().clear()
