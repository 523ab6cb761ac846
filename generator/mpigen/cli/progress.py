"""Progress on standard error: a spinner with ticks on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

_Seen = TypeVar("_Seen")
_Sent = Callable[[str, int, int], None]
_QUIET_SECONDS = 10.0


def say(line: str) -> None:
    """Print a line on standard error, which may have vanished with its terminal."""
    with suppress(OSError):
        typer.echo(line, err=True)


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Yield a callback that takes a line for each step as it begins, from any thread."""
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
    """Yield a callback that shows the new step in `steps`, and ticks off the previous one."""
    from rich.markup import escape

    step = steps.add_task("")
    last = ""
    lock = Lock()

    def tick(line: str) -> None:
        nonlocal last
        with lock, suppress(OSError):
            if last:
                console.print(f"[green]✓[/] {escape(last)}")
            last = line
            steps.reset(step, description=escape(line))

    try:
        yield tick
    except BaseException:
        with suppress(OSError):
            if last:
                console.print(f"[red]✗[/] {escape(last)}")
        raise
    tick("")


@contextmanager
def building() -> Iterator[tuple[Callable[[str], None], _Sent, Callable[[str], None]]]:
    """Yield the callbacks of `sending`, and one for the last line that a long step has printed.

    On a terminal that line stays below the step and its seconds; elsewhere one is printed where
    nothing else was for ten seconds.
    """
    if not sys.stderr.isatty():
        plain = _Plain()
        yield plain.say, lambda *_: None, plain.see
        return

    from rich import progress as rich
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    console = _console()
    named = rich.TextColumn("{task.description}")
    steps = rich.Progress(rich.SpinnerColumn(), named, rich.TimeElapsedColumn())
    bars = rich.Progress(named, rich.BarColumn(), rich.DownloadColumn())
    seen = Text(style="dim", no_wrap=True, overflow="ellipsis")
    tasks: dict[str, rich.TaskID] = {}

    def sent(name: str, done: int, size: int) -> None:
        if name not in tasks:
            tasks[name] = bars.add_task(name)
        bars.update(tasks[name], completed=done, total=size, visible=done < size)

    def see(line: str) -> None:
        seen.plain = f"  {line}" if line else ""

    screen = Live(Group(bars, steps, seen), console=console, transient=True, refresh_per_second=8)
    with screen, _ticks(console, steps) as tick:

        def begin(line: str) -> None:
            see("")
            tick(line)

        yield begin, sent, see


@dataclass
class _Plain:
    """Progress without a terminal; `last` is when the last line was printed, monotonic."""

    last: float = field(default_factory=time.monotonic)

    def say(self, line: str) -> None:
        self.last = time.monotonic()
        say(line)

    def see(self, line: str) -> None:
        if time.monotonic() - self.last > _QUIET_SECONDS:
            self.say(f"          ... {line}")


@contextmanager
def sending() -> Iterator[tuple[Callable[[str], None], _Sent]]:
    """Yield the callback of `progress`, and one for transfers, each a bar on a terminal.

    The second takes a name, the bytes sent to it, and the total.
    """
    with building() as (tick, sent, _):
        yield tick, sent


@contextmanager
def following(
    rows: Callable[[_Seen], list[tuple[str, ...]]],
) -> Iterator[tuple[Callable[[str], None], Callable[[_Seen], None]]]:
    """Yield the callback of `progress`, and one that shows containers while the user waits.

    On a terminal a table of their `rows` stays below the lines.
    """
    if not sys.stderr.isatty():
        yield say, lambda _seen: None
        return

    from rich.live import Live

    from mpigen.cli.show import rich_table

    console = _console()
    with Live(console=console, transient=True, refresh_per_second=4) as screen:

        def see(seen: _Seen) -> None:
            screen.update(rich_table(("container", "node", "state", "error"), rows(seen)))

        def show(line: str) -> None:
            with suppress(OSError):
                console.print(line, markup=False)

        yield show, see


def _console() -> "Console":
    from rich.console import Console

    return Console(stderr=True, highlight=False)
