"""Progress on standard error: a spinner with ticks on a terminal, plain lines off one."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Give a callback that takes one line for each step, as it begins, from any thread.

    While it lasts SIGTERM raises SystemExit, so that a step cleans up as it does on Ctrl-C.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if not sys.stderr.isatty():
        yield lambda line: typer.echo(line, err=True)
        return

    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, highlight=False)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        step = bar.add_task("")
        last = ""

        def say(line: str) -> None:
            nonlocal last
            if last:
                console.print(f"[green]✓[/] {escape(last)}")
            last = line
            bar.reset(step, description=escape(line))

        try:
            yield say
        except BaseException:
            console.print(f"[red]✗[/] {escape(last)}")
            raise
        say("")
