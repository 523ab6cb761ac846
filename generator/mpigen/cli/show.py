"""How things look: warnings, diffs, tables; a terminal gets colours, and nothing else does."""

import os
import sys

import typer

_COLOURS = {"+": typer.colors.GREEN, "-": typer.colors.RED, "@": typer.colors.CYAN}


def warn(sentence: str) -> None:
    """A warning, on standard error."""
    typer.echo(_styled("warning: ", typer.colors.YELLOW, sys.stderr.isatty()) + sentence, err=True)


def diff(text: str, err: bool = False) -> None:
    """A unified diff, on standard output unless it explains an error."""
    terminal = (sys.stderr if err else sys.stdout).isatty()
    for line in text.splitlines():
        heading = line.startswith(("+++", "---", "diff "))
        colour = None if heading else _COLOURS.get(line[:1])
        typer.echo(_styled(line, colour, terminal, bold=heading), err=err)


def _styled(text: str, colour: str | None, terminal: bool, bold: bool = False) -> str:
    # https://no-color.org
    if not terminal or os.environ.get("NO_COLOR"):
        return text
    return typer.style(text, fg=colour, bold=bold)


def table(titles: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
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
