"""The jobs of a stack: batch jobs of the Swarm, and containers of this engine."""

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
from mpigen.job.spec import COMMAND_LABEL, HOSTS_LABEL, JOB_LABEL, RANKS_LABEL, STACK_LABEL
from mpigen.swarm import state
from mpigen.swarm.engine import Engine, blame

_STATES = {"complete": "done", "failed": "failed", "rejected": "failed", "running": "running"}


@dataclass(frozen=True)
class Job:
    """A job that there is. `state` is pending, running, done, failed, cancelled or lost.

    `id` is its service's name for a batch job, its container's id for another. `node` is where
    its mpirun is; `ranks` and `hosts` are what it was started for.
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


def every(engine: Engine, stack: str) -> list[Job]:
    """The jobs of a stack that can be seen from here, oldest first.

    A manager tells all batch jobs; each engine, only its own containers.
    """
    found = []
    with blame(f"asking the engine at {engine.where.url} for its jobs"):
        info = engine.client.info()
        if info["Swarm"].get("ControlAvailable"):
            found += [_batch(engine, service) for service in batch.services(engine, stack)]
        labels = [JOB_LABEL, f"{STACK_LABEL}={stack}"]
        for container in engine.client.api.containers(all=True, filters={"label": labels}):
            if "com.docker.swarm.task.id" not in container["Labels"]:
                found.append(_foreground(container, str(info["Name"])))
    return sorted(found, key=lambda job: job.created)


def unknown(engine: Engine, network: str, known: Sequence[Job]) -> list[str]:
    """The containers on the overlay that are none of `known`, as "ID on NODE", on a manager.

    They may be jobs that other engines have started: Swarm knows them by no other name.
    """
    ids = {job.id for job in known}
    there = state.attached(engine, network) if engine.is_manager else {}
    return [f"{id[:12]} on {node}" for id, node in sorted(there.items()) if id not in ids]


def running(engine: Engine, network: str, stack: str) -> list[str]:
    """The jobs by name; what other engines have put on the network, by its id and node."""
    known = every(engine, stack)
    return [job.name for job in known if not job.over] + unknown(engine, network, known)


def find(engine: Engine, stack: str, name: str) -> Job:
    """The job of that name. Raises InputError if none can be seen from here."""
    for job in every(engine, stack):
        if job.name == name:
            return job
    hint = "mpigen jobs lists those that can be seen from here."
    if not engine.is_manager:
        hint += " This engine is no manager: batch jobs are seen with --context MANAGER."
    raise InputError(f"there is no job {name} of the stack {stack}", hint)


def wait(engine: Engine, job: Job, timeout: float | None) -> int | None:
    """The job's exit code, when it has ended; None if that takes more than `timeout` seconds."""
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
    """End a job on all of its hosts, and forget it. Raises ClusterError if it does not end."""
    if job.kind == "batch":
        batch.cancel(engine, job.id, job.name)
        return
    api = engine.client.api
    with blame(f"ending the job {job.name}"), suppress(NotFound):
        with suppress(APIError, RequestException):
            api.kill(job.id, "SIGTERM")
            api.wait(job.id, int(attach.PATIENCE), "removed")
        # where it has not begun, or does not end
        api.remove_container(job.id, force=True)


def clear(engine: Engine, stack: str) -> list[str]:
    """Forget the jobs that are over; their names."""
    over = [job for job in every(engine, stack) if job.over]
    for job in over:
        cancel(engine, job)
    return [job.name for job in over]


def _batch(engine: Engine, service: dict[str, Any]) -> Job:
    labels = service["Spec"]["Labels"]
    task = batch.task(engine, service["ID"])
    state = "pending"
    if task:
        state = "lost" if batch.lost(task) else _STATES.get(task.state, state)
        if task.state in batch.OVER and state == "pending":
            state = "cancelled"
    over = state in ("done", "failed")
    return Job(
        **_told(labels),
        kind="batch",
        state=state,
        created=batch.moment(service["CreatedAt"]),
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
        **_told(container["Labels"]),
        kind="foreground",
        state=state,
        created=datetime.fromtimestamp(container["Created"], UTC),
        exit_code=None,
        node=node,
        error="",
        id=container["Id"],
    )


def _told(labels: dict[str, str]) -> dict[str, Any]:
    return {
        "name": labels[JOB_LABEL],
        "ranks": int(labels.get(RANKS_LABEL) or 0),
        "hosts": int(labels.get(HOSTS_LABEL) or 0),
        "command": labels.get(COMMAND_LABEL, ""),
    }
