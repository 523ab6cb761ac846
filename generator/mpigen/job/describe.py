"""What `mpigen jobs` knows of a job: from its service and tasks, or from its container."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from mpigen.job import batch_task, retries, slots
from mpigen.job.spec import (
    COMMAND_LABEL,
    GRACE_LABEL,
    HOSTS_LABEL,
    JOB_LABEL,
    RANKS_LABEL,
    RETRIES_LABEL,
    SLOTS_LABEL,
    USER_LABEL,
)
from mpigen.notation.timestamps import parse_timestamp
from mpigen.swarm import state
from mpigen.swarm.engine import Engine

_STATES = {"complete": "done", "failed": "failed", "rejected": "failed", "running": "running"}


@dataclass(frozen=True)
class Job:
    """A job that was started. `state` is pending, running, done, failed, cancelled or lost.

    `id` is the name of a batch job's service, or a foreground job's container id. `node` runs its
    mpirun; `ranks` and `hosts` are the numbers that it was started with, 0 if nobody noted them.
    `grace` is the time in seconds that its ranks have after SIGTERM, if it asked for one.
    `created` is its start, `ended` its end if that is known; `user` has started it. `slots` are
    those that it takes of each group. `runs` counts the starts of a job that has `retries`.
    """

    name: str
    kind: str
    state: str
    ranks: int
    hosts: int
    created: datetime
    exit_code: int | None
    node: str
    command: str
    error: str
    id: str
    grace: int = 0
    ended: datetime | None = None
    user: str = ""
    slots: dict[str, int] = field(default_factory=dict)
    retries: int = 0
    runs: int = 1

    @property
    def over(self) -> bool:
        """Whether it will not run any more."""
        return self.state not in ("pending", "running")

    def seconds(self, now: datetime) -> float | None:
        """The time that it took, or has taken until `now`; None if its end is not known."""
        if self.over and not self.ended:
            return None
        return max(0.0, ((self.ended or now) - self.created).total_seconds())


def batch_jobs(
    engine: Engine, services: Sequence[dict[str, Any]], ready: Collection[str]
) -> list[Job]:
    """The batch jobs of these services, as the API returns them; nodes `ready` are in touch."""
    tasks = state.tasks_by_service(engine, [service["ID"] for service in services])
    # what Swarm does not know: how the program of a job with retries has ended
    untold = []
    for service in services:
        now = batch_task.last(tasks[service["ID"]])
        if _retries(service) and now and now.state == "complete":
            untold.append(now.id)
    noted = retries.noted_by_all(engine, untold)
    return [batch_job(service, tasks[service["ID"]], ready, noted) for service in services]


def batch_job(
    service: dict[str, Any],
    tasks: Sequence[state.Task],
    ready: Collection[str],
    noted: Mapping[str, int | None],
) -> Job:
    """A batch job by its service and its tasks, newest first; `noted` has exit codes by task."""
    task = batch_task.last(tasks)
    condition = _state(task, batch_task.is_cancelled(service), ready, bool(_retries(service)))
    code = task.exit_code if task and condition in ("done", "failed") else None
    if condition == "cancelled":
        code = (task and task.exit_code) or batch_task.CANCELLED
    elif condition == "done":
        code = 0
    error = _waits_for(task, condition)
    if task and condition == "done" and _retries(service):
        code = noted.get(task.id)
        condition = "failed" if code != 0 else condition
        error = retries.UNKNOWN if code is None else ""
    elif task and condition in ("failed", "lost") and code is None:
        error = batch_task.why_ended(task)
    # the last word of a lost node is older than its end
    ended = task and task.since and condition in ("done", "failed", "cancelled")
    return Job(
        **_from_labels(service["Spec"]["Labels"]),
        kind="batch",
        state=condition,
        created=parse_timestamp(service["CreatedAt"]),
        ended=parse_timestamp(task.since) if task and ended else None,
        exit_code=code,
        node=task.node if task else "",
        error=error,
        id=service["Spec"]["Name"],
        runs=max(1, sum(bool(each.node) for each in tasks)),
    )


def _retries(service: dict[str, Any]) -> int:
    return int(service["Spec"]["Labels"].get(RETRIES_LABEL) or 0)


def _state(
    task: state.Task | None, cancelled: bool, ready: Collection[str], retried: bool = False
) -> str:
    """The state of a batch job whose nodes `ready` are in touch with the Swarm."""
    if task and batch_task.lost(task, ready):
        return "lost"
    if cancelled and batch_task.has_ended(task):
        return "cancelled"
    if task is None or (retried and batch_task.waits_for_swarm(task)):
        return "pending"
    return _STATES.get(task.state, "failed" if batch_task.has_ended(task) else "pending")


def _waits_for(task: state.Task | None, state: str) -> str:
    """Swarm's reason why a job has not begun, if it has told one."""
    return task.error if task and state == "pending" else ""


def foreground_job(container: dict[str, Any], node: str) -> Job:
    """A job in the foreground by its container, as the API lists it, on this node."""
    state = {"created": "pending", "running": "running"}.get(container["State"], "failed")
    return Job(
        **_from_labels(container["Labels"]),
        kind="foreground",
        state=state,
        created=datetime.fromtimestamp(container["Created"], UTC),
        exit_code=None,
        node=node,
        error="",
        id=container["Id"],
    )


def _from_labels(labels: dict[str, str]) -> dict[str, Any]:
    return {
        "name": labels[JOB_LABEL],
        "ranks": int(labels.get(RANKS_LABEL) or 0),
        "hosts": int(labels.get(HOSTS_LABEL) or 0),
        "command": labels.get(COMMAND_LABEL, ""),
        "grace": int(labels.get(GRACE_LABEL) or 0),
        "user": labels.get(USER_LABEL, ""),
        "slots": slots.from_label(labels.get(SLOTS_LABEL, "")),
        "retries": int(labels.get(RETRIES_LABEL) or 0),
    }
