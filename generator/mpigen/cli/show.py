"""How things look: warnings, diffs, tables; a terminal gets colours, and nothing else does."""

import os
import sys
from collections.abc import Sequence

import typer

_COLOURS = {"+": typer.colors.GREEN, "-": typer.colors.RED}


def warn(sentence: str) -> None:
    """A warning, on standard error."""
    mark = "warning: "
    if wants_colour(err=True):
        mark = typer.style(mark, fg=typer.colors.YELLOW)
    typer.echo(mark + sentence, err=True)


def note(sentence: str) -> None:
    """What one should know about what is printed, on standard error."""
    typer.echo(f"note: {sentence}", err=True)


def diff(text: str, err: bool = False) -> None:
    """A unified diff, on standard output unless it explains an error.

    It is printed as the bytes that it is, whatever the locale can say.
    """
    text = _coloured(text) if wants_colour(err) else text
    typer.echo(text.encode(errors="surrogateescape"), nl=False, err=err)


def _coloured(text: str) -> str:
    """A unified diff with the colours that git gives it."""
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
    """Whether standard output, or standard error, is a terminal that wants colours."""
    # https://no-color.org
    return (sys.stderr if err else sys.stdout).isatty() and not os.environ.get("NO_COLOR")


def table(titles: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """A table on a terminal, columns of plain text off one."""
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table

        table = Table(*titles, box=None, pad_edge=False)
        for row in rows:
            table.add_row(*row)
        Console().print(table)
        return
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    for row in (titles, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


def clear() -> None:
    """An empty screen, on a terminal."""
    from rich.console import Console

    Console().clear()
