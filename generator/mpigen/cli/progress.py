"""Progress on standard error: a spinner with ticks on a terminal, plain lines off one."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

_Seen = TypeVar("_Seen")


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Give a callback that takes one line for each step, as it begins, from any thread.

    While it lasts SIGTERM raises SystemExit, so that a step cleans up as it does on Ctrl-C.
    """
    _end_on_sigterm()
    if not sys.stderr.isatty():
        yield lambda line: typer.echo(line, err=True)
        return

    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = _console()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with (
        Progress(*columns, console=console, transient=True) as steps,
        _ticks(console, steps) as say,
    ):
        yield say


@contextmanager
def _ticks(console: "Console", steps: "Progress") -> Iterator[Callable[[str], None]]:
    """Give a callback that shows the step that begins in `steps`, and ticks the one before."""
    from rich.markup import escape

    step = steps.add_task("")
    last = ""

    def say(line: str) -> None:
        nonlocal last
        if last:
            console.print(f"[green]✓[/] {escape(last)}")
        last = line
        steps.reset(step, description=escape(line))

    try:
        yield say
    except BaseException:
        console.print(f"[red]✗[/] {escape(last)}")
        raise
    say("")


@contextmanager
def sending() -> Iterator[tuple[Callable[[str], None], Callable[[str, int, int], None]]]:
    """Give a callback as `progress` does, and one that is told how far things are.

    It takes a name, how many bytes of it are sent and how many it has. On a terminal each is a bar.
    """
    if not sys.stderr.isatty():
        with progress() as say:
            yield say, lambda *_: None
        return

    from rich import progress as rich
    from rich.console import Group
    from rich.live import Live

    _end_on_sigterm()
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
    with screen, _ticks(console, steps) as say:
        yield say, sent


@contextmanager
def following(
    rows: Callable[[_Seen], list[tuple[str, ...]]],
) -> Iterator[tuple[Callable[[str], None], Callable[[_Seen], None]]]:
    """Give a callback as `progress` does, and one that is shown containers while one waits.

    On a terminal what it is shown is a table that stays below the lines; `rows` makes its rows.
    """
    if not sys.stderr.isatty():
        with progress() as say:
            yield say, _pass_over
        return

    from rich.live import Live
    from rich.table import Table

    _end_on_sigterm()
    console = _console()
    with Live(console=console, transient=True, refresh_per_second=4) as screen:

        def see(seen: _Seen) -> None:
            table = Table("container", "node", "state", "error", box=None, pad_edge=False)
            for row in rows(seen):
                table.add_row(*row)
            screen.update(table)

        yield lambda line: console.print(line, markup=False), see


def _pass_over(_seen: object) -> None:
    """Show nothing: the lines say enough off a terminal."""


def _console() -> "Console":
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def _end_on_sigterm() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
