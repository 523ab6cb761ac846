"""Progress on standard error: a spinner with ticks on a terminal, plain lines off one."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

_Seen = TypeVar("_Seen")


def say(line: str) -> None:
    """A line on standard error, which may have gone away with its terminal."""
    with suppress(OSError):
        typer.echo(line, err=True)


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Give a callback that takes one line for each step, as it begins, from any thread."""
    if not sys.stderr.isatty():
        yield say
        return

    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = _console()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with (
        Progress(*columns, console=console, transient=True) as steps,
        _ticks(console, steps) as tick,
    ):
        yield tick


@contextmanager
def _ticks(console: "Console", steps: "Progress") -> Iterator[Callable[[str], None]]:
    """Give a callback that shows the step that begins in `steps`, and ticks the one before."""
    from rich.markup import escape

    step = steps.add_task("")
    last = ""

    def tick(line: str) -> None:
        nonlocal last
        with suppress(OSError):
            if last:
                console.print(f"[green]✓[/] {escape(last)}")
            last = line
            steps.reset(step, description=escape(line))

    try:
        yield tick
    except BaseException:
        with suppress(OSError):
            console.print(f"[red]✗[/] {escape(last)}")
        raise
    tick("")


@contextmanager
def sending() -> Iterator[tuple[Callable[[str], None], Callable[[str, int, int], None]]]:
    """Give a callback as `progress` does, and one that is told how far things are.

    It takes a name, how many bytes of it are sent and how many it has. On a terminal each is a bar.
    """
    if not sys.stderr.isatty():
        yield say, lambda *_: None
        return

    from rich import progress as rich
    from rich.console import Group
    from rich.live import Live

    console = _console()
    named = rich.TextColumn("{task.description}")
    steps = rich.Progress(rich.SpinnerColumn(), named, rich.TimeElapsedColumn())
    bars = rich.Progress(named, rich.BarColumn(), rich.DownloadColumn())
    tasks: dict[str, rich.TaskID] = {}

    def sent(name: str, done: int, size: int) -> None:
        if name not in tasks:
            tasks[name] = bars.add_task(name)
        bars.update(tasks[name], completed=done, total=size, visible=done < size)

    screen = Live(Group(bars, steps), console=console, transient=True, refresh_per_second=8)
    with screen, _ticks(console, steps) as tick:
        yield tick, sent


@contextmanager
def following(
    rows: Callable[[_Seen], list[tuple[str, ...]]],
) -> Iterator[tuple[Callable[[str], None], Callable[[_Seen], None]]]:
    """Give a callback as `progress` does, and one that is shown containers while one waits.

    On a terminal what it is shown is a table that stays below the lines; `rows` makes its rows.
    """
    if not sys.stderr.isatty():
        yield say, lambda _seen: None
        return

    from rich.live import Live
    from rich.table import Table

    console = _console()
    with Live(console=console, transient=True, refresh_per_second=4) as screen:

        def see(seen: _Seen) -> None:
            table = Table("container", "node", "state", "error", box=None, pad_edge=False)
            for row in rows(seen):
                table.add_row(*row)
            screen.update(table)

        def show(line: str) -> None:
            with suppress(OSError):
                console.print(line, markup=False)

        yield show, see


def _console() -> "Console":
    from rich.console import Console

    return Console(stderr=True, highlight=False)
