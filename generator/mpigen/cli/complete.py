"""What the shell completes: groups, hosts, jobs, labs and contexts.

A completion is quick and silent: what is not known within a moment, or at all, completes nothing.
"""

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from mpigen.artifacts.folder import Artifacts
    from mpigen.swarm.deployment import Deployment

SECONDS = 1.5
"""How long a completion may ask an engine, in seconds."""

_LAB = "mpigen-"
_Find = Callable[[typer.Context], list[str]]
_Complete = Callable[[typer.Context, str], list[str]]


def completes(find: _Find) -> _Complete:
    """Make a completion of a function that returns every name; errors complete nothing."""

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        try:
            with _limited():
                return [name for name in find(ctx) if name.startswith(incomplete)]
        except (Exception, SystemExit):  # an error's text would lie across the command line
            return []

    complete.__doc__ = find.__doc__
    return complete


@completes
def groups(ctx: typer.Context) -> list[str]:
    """The worker groups of the rendered folder."""
    return [group.name for group in _artifacts(ctx).groups]


@completes
def sizes(ctx: typer.Context) -> list[str]:
    """The groups that can be scaled, as GROUP=."""
    return [f"{group.name}=" for group in _artifacts(ctx).groups if group.mode != "global"]


@completes
def hosts(ctx: typer.Context) -> list[str]:
    """The workers: as rendered, or as deployed if an engine says so in time."""
    artifacts = _artifacts(ctx)
    rendered = [
        f"{group.name}-{number}"
        for group in artifacts.groups
        if group.mode != "global"
        for number in range(1, group.replicas + 1)
    ]
    try:
        from mpigen.swarm import state

        deployed = state.groups(_deployment(ctx))
    except Exception:
        return rendered
    return [f"{group.name}-{task.place}" for group in deployed for task in group.tasks] or rendered


@completes
def jobs(ctx: typer.Context) -> list[str]:
    """The jobs that the engine can see, the newest first."""
    from mpigen.job import listing

    return [job.name for job in reversed(listing.every(_deployment(ctx)))]


@completes
def contexts(_ctx: typer.Context) -> list[str]:
    """The contexts of docker on this machine."""
    return _contexts()


@completes
def labs(_ctx: typer.Context) -> list[str]:
    """The labs that are up, by their contexts."""
    return [name.removeprefix(_LAB) for name in _contexts() if name.startswith(_LAB)]


def _contexts() -> list[str]:
    # `docker context ls` takes ten times as long, and docker's own completion does not read them
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    found = folder.glob("contexts/meta/*/meta.json")
    return ["default", *sorted(json.loads(file.read_text("utf-8"))["Name"] for file in found)]


def _artifacts(ctx: typer.Context) -> "Artifacts":
    from mpigen.artifacts import folder

    return folder.read(Path(ctx.params.get("output") or "output"))


def _deployment(ctx: typer.Context) -> "Deployment":
    from mpigen.cli.options import deployment

    given = ctx.params
    output = Path(given.get("output") or "output")
    return deployment(output, given.get("stack") or "", given.get("context"))


@contextmanager
def _limited() -> Iterator[None]:
    """Raise TimeoutError in the block after `SECONDS`."""

    def late(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
