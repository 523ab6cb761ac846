"""Watch a stack start: progress, whether it is up, and the reasons if it is not."""

import subprocess
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from mpigen.swarm.engine import Engine
from mpigen.swarm.state import LiveGroup, Task

_SURE_SECONDS = 15.0
_LINES = 8
_LOG_SECONDS = 20

# part of a task's error -> its meaning and the next step
_CAUSES = {
    "no suitable node": "no node can run it: check its constraints and the nodes' free resources",
    "insufficient resources": "no node has that much memory or CPU free: ask for less, or add one",
    "range of cpus is": "its node has fewer CPUs than `cpus`: ask for less",
    "no such image": "the node lacks the image: mpigen build brings it there",
    "bind source path does not exist": "a folder of `storage` is missing there: create it",
    "unhealthy": "it accepted no ssh login in time: check its log, the load of its node, and that "
    "the overlay's subnet is free",
    "overlaps with": "its network overlaps another: mpigen down, and set another network.subnet",
}


@dataclass
class Watch:
    """The last line about each group, and since when each stuck task cannot start."""

    _last: dict[str, str] = field(default_factory=dict)
    _stuck: dict[str, float] = field(default_factory=dict)

    def changes(self, groups: Sequence[LiveGroup]) -> list[str]:
        """A line for each group whose state differs from the previous call."""
        lines = []
        for group in groups:
            line = f"{group.name}: {group.running} of {group.wanted} containers are healthy"
            if self._last.get(group.name) != line:
                self._last[group.name] = line
                lines.append(line)
        return lines

    def hopeless(self, groups: Sequence[LiveGroup]) -> bool:
        """Whether a task has waited longer than _SURE_SECONDS for a suitable node."""
        now = time.monotonic()
        stuck = {
            task.id
            for group in groups
            for task in group.tasks
            if f"{group.name}-{task.place}" in group.unplaced
        }
        self._stuck = {task: self._stuck.get(task, now) for task in stuck}
        return any(now - since > _SURE_SECONDS for since in self._stuck.values())


def is_up(groups: Sequence[LiveGroup]) -> bool:
    """Whether there are groups, all containers are healthy, and no update is in progress."""
    return bool(groups) and all(
        group.running == group.wanted == len(group.tasks) and group.update in ("", "completed")
        for group in groups
    )


def reasons(engine: Engine, groups: Sequence[LiveGroup], before: Collection[str] = ()) -> list[str]:
    """Why each group is not up: the errors and last log lines of its tasks, and their meaning.

    Failed tasks with an id in `before` are left out.
    """
    lines = []
    for group in groups:
        waiting = [task for task in group.tasks if task.state != "running"]
        if not waiting and group.running == group.wanted:
            continue
        lines.append(f"{group.name}: {group.running} of {group.wanted} containers are healthy")
        reported: set[str] = set()
        for task in [*waiting, *(each for each in group.failed if each.id not in before)]:
            # the same error of the same node is reported once
            about = f"{task.node or 'no node'}: {task.state}: {task.error or 'no error yet'}"
            if about in reported or len(reported) >= _LINES:
                continue
            reported.add(about)
            lines.append(f"  {group.name}-{task.place} on {about}")
            lines += [f"    {text}" for text in _log(engine, task)]
        for text, meaning in _CAUSES.items():
            if any(text in line.lower() for line in reported):
                lines.append(f"  {meaning}")
    return lines


def _log(engine: Engine, task: Task) -> list[str]:
    """The last log lines of a task's container, if it has one and its node answers."""
    if not task.container:
        return []
    command = engine.command("service", "logs", "--raw", "--tail", str(_LINES), task.id)
    try:
        # docker prints the container's standard error to its own
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_LOG_SECONDS,
            check=True,
        )
    except subprocess.SubprocessError:
        return []
    return done.stdout.decode("utf-8", "replace").splitlines()[-_LINES:]
