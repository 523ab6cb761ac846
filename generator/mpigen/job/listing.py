"""The jobs of a stack: batch jobs of the Swarm, and containers of this engine.

The module is not called `list`, which would hide the builtin.
"""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from docker.errors import APIError, NotFound
from requests.exceptions import RequestException

from mpigen.errors import InputError
from mpigen.job import batch
from mpigen.job.ending import PATIENCE
from mpigen.job.spec import (
    COMMAND_LABEL,
    GRACE_LABEL,
    HOSTS_LABEL,
    JOB_LABEL,
    JOB_STACK_LABEL,
    RANKS_LABEL,
    SWARM_TASK_LABEL,
)
from mpigen.notation.timestamps import parse_timestamp
from mpigen.swarm import state
from mpigen.swarm.deployment import Deployment
from mpigen.swarm.engine import Engine, blame

_STATES = {"complete": "done", "failed": "failed", "rejected": "failed", "running": "running"}


@dataclass(frozen=True)
class Job:
    """A job that was started. `state` is pending, running, done, failed, cancelled or lost.

    `id` is the name of a batch job's service, or a foreground job's container id. `node` runs its
    mpirun; `ranks` and `hosts` are the numbers that it was started with, 0 if nobody noted them.
    `grace` is the time in seconds that its ranks have after SIGTERM, if it asked for one.
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

    @property
    def over(self) -> bool:
        """Whether it will not run any more."""
        return self.state not in ("pending", "running")


def every(deployment: Deployment) -> list[Job]:
    """The jobs of a stack that this engine can see, oldest first.

    A manager lists all batch jobs; each engine lists only its own containers.
    """
    engine = deployment.engine
    found = []
    with blame(f"asking the engine at {engine.where.url} for its jobs"):
        info = engine.client.info()
        if info["Swarm"].get("ControlAvailable"):
            services = batch.services(deployment)
            ready = batch.ready_nodes(engine) if services else frozenset()
            found += [_batch(engine, service, ready) for service in services]
        labels = [JOB_LABEL, f"{JOB_STACK_LABEL}={deployment.stack}"]
        for container in engine.client.api.containers(all=True, filters={"label": labels}):
            if SWARM_TASK_LABEL not in container["Labels"]:
                found.append(_foreground(container, str(info["Name"])))
    return sorted(found, key=lambda job: job.created)


def foreign(deployment: Deployment, known: Sequence[Job]) -> list[str]:
    """Containers on the overlay other than the `known` jobs, as "ID on NODE"; needs a manager.

    They may be jobs that other engines started: all that Swarm knows of those is the container id.
    """
    ids = {job.id for job in known}
    engine = deployment.engine
    there = state.attached(engine, deployment.network) if engine.is_manager else {}
    return [f"{id[:12]} on {node}" for id, node in sorted(there.items()) if id not in ids]


def running(deployment: Deployment) -> list[str]:
    """The names of jobs that run; for containers of other engines, "ID on NODE"."""
    known = every(deployment)
    return [job.name for job in known if not job.over] + foreign(deployment, known)


def find(deployment: Deployment, name: str) -> Job:
    """The job of that name. Raises InputError if this engine can see none."""
    return find_all(deployment, (name,))[0]


def find_all(deployment: Deployment, names: Sequence[str]) -> list[Job]:
    """The jobs of these names. Raises InputError with all names that this engine does not see."""
    known = {job.name: job for job in every(deployment)} if names else {}
    if missing := [name for name in names if name not in known]:
        hint = "mpigen jobs lists those that can be seen from here."
        if not deployment.engine.is_manager:
            hint += " This engine is no manager: batch jobs are seen with --context MANAGER."
        stack = deployment.stack
        raise InputError(
            "\n".join(f"there is no job {n} of the stack {stack}" for n in missing), hint
        )
    return [known[name] for name in names]


def cancel(engine: Engine, job: Job) -> None:
    """End a job on all of its hosts. A batch job stays in the list, with its log.

    Raises ClusterError if it does not end.
    """
    if job.kind == "batch":
        if not job.over:
            batch.cancel(engine, job.id, job.name, job.grace)
        return
    api = engine.client.api
    with blame(f"ending the job {job.name}"), suppress(NotFound):
        with suppress(APIError, RequestException):
            api.kill(job.id, "SIGTERM")
            api.wait(job.id, int(PATIENCE) + job.grace, "removed")
        # it has not started yet, or does not end
        api.remove_container(job.id, force=True)


def remove(deployment: Deployment, jobs: Sequence[Job]) -> None:
    """Remove jobs that are over from the list, with their logs.

    Raises InputError, and removes nothing, if one is not over.
    """
    if left := [job.name for job in jobs if not job.over]:
        raise InputError(
            f"not over yet, and nothing was removed: {', '.join(left)}",
            f"End them first: mpigen cancel {' '.join(left)}",
        )
    for job in jobs:
        _remove(deployment.engine, job)


def end(engine: Engine, job: Job) -> None:
    """End a job if it is not over, and remove it. Raises ClusterError if it does not end."""
    cancel(engine, job)
    _remove(engine, job)


def _remove(engine: Engine, job: Job) -> None:
    if job.kind == "batch":
        batch.remove(engine, job.id, job.name)
        return
    with blame(f"removing the job {job.name}"), suppress(NotFound):
        engine.client.api.remove_container(job.id, force=True)


def _batch(engine: Engine, service: dict[str, Any], ready: Collection[str]) -> Job:
    labels = service["Spec"]["Labels"]
    task = batch.task(engine, service["ID"])
    state = _state(task, batch.is_cancelled(service), ready)
    exited = task is not None and task.exit_code is not None and state in ("done", "failed")
    code = task.exit_code if task and exited else None
    if state == "cancelled":
        code = (task and task.exit_code) or batch.CANCELLED
    elif state == "done":
        code = 0
    untold = task is not None and state in ("failed", "lost") and not exited
    return Job(
        **_from_labels(labels),
        kind="batch",
        state=state,
        created=parse_timestamp(service["CreatedAt"]),
        exit_code=code,
        node=task.node if task else "",
        error=batch.why_ended(task) if task and untold else _waits_for(task, state),
        id=service["Spec"]["Name"],
    )


def _state(task: state.Task | None, cancelled: bool, ready: Collection[str]) -> str:
    """The state of a batch job whose nodes `ready` are in touch with the Swarm."""
    if task and batch.lost(task, ready):
        return "lost"
    if cancelled and batch.has_ended(task):
        return "cancelled"
    if task is None:
        return "pending"
    return _STATES.get(task.state, "failed" if batch.has_ended(task) else "pending")


def _waits_for(task: state.Task | None, state: str) -> str:
    """Swarm's reason why a job has not begun, if it has told one."""
    return task.error if task and state == "pending" else ""


def _foreground(container: dict[str, Any], node: str) -> Job:
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
    }
