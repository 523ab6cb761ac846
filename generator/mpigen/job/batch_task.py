"""The task of a batch job: which it is, whether it was lost, how it has ended."""

import signal
import time
from collections.abc import Collection, Sequence
from typing import Any

from mpigen.errors import ClusterError
from mpigen.job import retries
from mpigen.swarm import nodes, state
from mpigen.swarm.engine import Engine, blame

CANCELLED_LABEL = "mpigen.cancelled"
CANCELLED = 128 + signal.SIGTERM
"""The exit code of a cancelled job of which no other is known."""
NOWHERE = "node.id==none"
"""The constraint of a cancelled job, which no node meets."""
# desired states of a task that Swarm no longer wants to run
_GIVEN_UP = ("shutdown", "remove")


def task(engine: Engine, service: str) -> state.Task | None:
    """The task of a job's service that ran last or runs; None until Swarm has created it."""
    return last(state.tasks_of(engine, service))


def last(tasks: Sequence[state.Task]) -> state.Task | None:
    """The last of a job's tasks, which are newest first.

    A cancelled job has one more, which no node may run.
    """
    may_run = [task for task in tasks if NOWHERE not in task.constraints]
    return next(iter(may_run or tasks), None)


def waits_for_swarm(task: state.Task) -> bool:
    """Whether the task of a job with retries has ended, and Swarm has not decided what follows.

    It makes the next task at the same moment at which it gives up this one.
    """
    return task.has_ended and task.state != "complete" and task.desired not in _GIVEN_UP


def is_cancelled(service: dict[str, Any]) -> bool:
    """Whether a service, as the API returns it, is a job that was cancelled."""
    return CANCELLED_LABEL in service["Spec"]["Labels"]


def lost(task: state.Task, ready: Collection[str]) -> bool:
    """Whether its node was lost: Swarm gave it up, and the node, not one of `ready`, is silent.

    A task that is being ended on a node that is there may take its time.
    """
    if task.state == "orphaned":
        return True
    return task.desired in _GIVEN_UP and not has_ended(task) and task.node not in ready


def is_lost(engine: Engine, task: state.Task) -> bool:
    """The same, of the nodes as they are now."""
    return lost(task, ready_nodes(engine) if task.desired in _GIVEN_UP else ())


def ready_nodes(engine: Engine) -> frozenset[str]:
    """The names of the nodes that are in touch with the Swarm, drained ones too."""
    with blame("asking for the nodes"):
        return frozenset(node.name for node in nodes.listed(engine.client) if node.state == "ready")


def has_ended(task: state.Task | None) -> bool:
    """Whether a task has ended, or will never begin: Swarm gave it up before it had a node."""
    if task is None or task.has_ended:
        return True
    return task.desired in _GIVEN_UP and not task.node and not task.container


def wait(
    engine: Engine, service: str, name: str, deadline: float | None, retried: bool = False
) -> int | None:
    """Wait for a job's exit code; None if `deadline` (time.monotonic) comes first.

    A job with retries has ended when Swarm does not run it again. Raises ClusterError for a job
    that did not start, or whose node was lost, or whose exit code is not known.
    """
    while True:
        now = task(engine, service)
        if now and not (retried and waits_for_swarm(now)):
            code = _code(engine, now, service, name, retried)
            if code is not None:
                return code
            if has_ended(now) or is_lost(engine, now):
                raise ClusterError(f"the job {name} on {now.node or 'no node'}: {why_ended(now)}")
        if deadline is not None and time.monotonic() >= deadline:
            return None
        time.sleep(0.5)


def _code(engine: Engine, now: state.Task, service: str, name: str, retried: bool) -> int | None:
    """The exit code of a job by its task; None if it has none."""
    if now.state == "complete" and retried:
        if (code := retries.noted(engine, now.id)) is None:
            raise ClusterError(f"the job {name} on {now.node}: {retries.UNKNOWN}")
        return code
    if now.state == "complete":
        return 0
    if now.state == "failed" and now.exit_code:
        return now.exit_code
    if has_ended(now) and is_cancelled(_inspect(engine, service, name)):
        return now.exit_code or CANCELLED
    return None


def why_ended(task: state.Task) -> str:
    """Swarm's reason for the end of a task that has no exit code of its own."""
    if task.error:
        return task.error
    if task.state == "shutdown":
        return "Swarm ended it: its node was drained, or unreachable for a while"
    return f"it is {task.state}" if task.has_ended else "its node was lost"


def _inspect(engine: Engine, service: str, name: str) -> dict[str, Any]:
    with blame(f"asking for the job {name}"):
        return dict(engine.client.api.inspect_service(service))  # type: ignore[no-untyped-call]
