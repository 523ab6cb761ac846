"""The jobs of a stack: batch jobs of the Swarm, and containers of this engine.

The module is not called `list`, which would hide the builtin.
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from docker.errors import APIError, NotFound
from requests.exceptions import RequestException

from mpigen.errors import ClusterError, InputError
from mpigen.job import attach, batch
from mpigen.job.spec import COMMAND_LABEL, HOSTS_LABEL, JOB_LABEL, JOB_STACK_LABEL, RANKS_LABEL
from mpigen.notation.timestamps import parse_timestamp
from mpigen.swarm import state
from mpigen.swarm.deployment import Deployment
from mpigen.swarm.engine import Engine, blame

_STATES = {"complete": "done", "failed": "failed", "rejected": "failed", "running": "running"}


@dataclass(frozen=True)
class Job:
    """A job that was started. `state` is pending, running, done, failed, cancelled or lost.

    `id` is the name of a batch job's service, or a foreground job's container id. `node` runs its
    mpirun; `ranks` and `hosts` are the numbers that it was started with.
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
            found += [_batch(engine, service) for service in batch.services(deployment)]
        labels = [JOB_LABEL, f"{JOB_STACK_LABEL}={deployment.stack}"]
        for container in engine.client.api.containers(all=True, filters={"label": labels}):
            if "com.docker.swarm.task.id" not in container["Labels"]:
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
    for job in every(deployment):
        if job.name == name:
            return job
    hint = "mpigen jobs lists those that can be seen from here."
    if not deployment.engine.is_manager:
        hint += " This engine is no manager: batch jobs are seen with --context MANAGER."
    raise InputError(f"there is no job {name} of the stack {deployment.stack}", hint)


def wait(engine: Engine, job: Job, timeout: float | None) -> int | None:
    """Wait for the job's exit code; None if that takes more than `timeout` seconds."""
    if job.kind == "batch":
        deadline = None if timeout is None else time.monotonic() + timeout
        return batch.wait(engine, job.id, job.name, deadline)
    limit = None if timeout is None else max(1, int(timeout))
    try:
        return int(engine.client.api.wait(job.id, limit, "removed")["StatusCode"])
    except NotFound:
        raise ClusterError(f"the job {job.name} has ended, and nobody kept its exit code") from None
    except RequestException as error:
        if limit and "timed out" in str(error).lower():
            return None
        raise ClusterError(f"waiting for the job {job.name}: {error}") from error


def cancel(engine: Engine, job: Job) -> None:
    """End a job on all of its hosts and remove it. Raises ClusterError if it does not end."""
    if job.kind == "batch":
        batch.cancel(engine, job.id, job.name)
        return
    api = engine.client.api
    with blame(f"ending the job {job.name}"), suppress(NotFound):
        with suppress(APIError, RequestException):
            api.kill(job.id, "SIGTERM")
            api.wait(job.id, int(attach.PATIENCE), "removed")
        # it has not started yet, or does not end
        api.remove_container(job.id, force=True)


def clear(deployment: Deployment) -> list[str]:
    """Remove finished jobs; return their names."""
    over = [job for job in every(deployment) if job.over]
    for job in over:
        cancel(deployment.engine, job)
    return [job.name for job in over]


def _batch(engine: Engine, service: dict[str, Any]) -> Job:
    labels = service["Spec"]["Labels"]
    task = batch.task(engine, service["ID"])
    state = "pending"
    if task:
        state = "lost" if batch.lost(task) else _STATES.get(task.state, state)
        if task.has_ended and state == "pending":
            state = "cancelled"
    over = state in ("done", "failed")
    return Job(
        **_from_labels(labels),
        kind="batch",
        state=state,
        created=parse_timestamp(service["CreatedAt"]),
        exit_code=(task.exit_code or 0 if state == "done" else task.exit_code)
        if task and over
        else None,
        node=task.node if task else "",
        error=task.error if task and not (over and task.exit_code is not None) else "",
        id=service["Spec"]["Name"],
    )


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
    }
