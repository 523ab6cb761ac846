"""The jobs of a stack: batch jobs of the Swarm, and containers of this engine.

The module is not called `list`, which would hide the builtin.
"""

from collections.abc import Sequence
from contextlib import suppress

from docker.errors import APIError, NotFound
from requests.exceptions import RequestException

from mpigen.errors import InputError
from mpigen.job import batch, batch_task, describe, history
from mpigen.job.describe import Job
from mpigen.job.ending import PATIENCE
from mpigen.job.spec import JOB_LABEL, JOB_STACK_LABEL, SWARM_TASK_LABEL
from mpigen.swarm import state
from mpigen.swarm.deployment import Deployment
from mpigen.swarm.engine import Engine, blame, manager_context


def every(deployment: Deployment, past: bool = False) -> list[Job]:
    """The jobs of a stack that this engine can see, oldest first.

    A manager lists all batch jobs; each engine lists only its own containers. With `past` also the
    foreground jobs that this user has started on this engine, and that have ended.
    """
    engine = deployment.engine
    found = []
    with blame(f"asking the engine at {engine.where.url} for its jobs"):
        info = engine.client.info()
        if info["Swarm"].get("ControlAvailable"):
            services = batch.services(deployment)
            ready = batch_task.ready_nodes(engine) if services else frozenset()
            found += describe.batch_jobs(engine, services, ready)
        labels = [JOB_LABEL, f"{JOB_STACK_LABEL}={deployment.stack}"]
        for container in engine.client.api.containers(all=True, filters={"label": labels}):
            if SWARM_TASK_LABEL not in container["Labels"]:
                found.append(describe.foreground_job(container, str(info["Name"])))
    if past:
        there = {job.id for job in found}
        before = history.jobs(deployment.stack, str(info["ID"]))
        found += [job for job in before if job.id not in there]
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


def find_all(deployment: Deployment, names: Sequence[str], past: bool = False) -> list[Job]:
    """The jobs of these names; several past ones may have the same.

    Raises InputError with all names that this engine does not see.
    """
    known: dict[str, list[Job]] = {}
    for job in every(deployment, past) if names else []:
        known.setdefault(job.name, []).append(job)
    if missing := [name for name in names if name not in known]:
        hint = "mpigen jobs lists the jobs that can be seen from here."
        if not deployment.engine.is_manager:
            hint += f" This engine is not a manager: to see batch jobs, use {manager_context()}."
        stack = deployment.stack
        raise InputError(
            "\n".join(f"there is no job {n} of the stack {stack}" for n in missing), hint
        )
    return [job for name in names for job in known[name]]


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
            f"not finished yet, so nothing was removed: {', '.join(left)}",
            f"End them first: mpigen cancel {' '.join(left)}",
        )
    for job in jobs:
        _remove(deployment.engine, job)
    history.forget({job.id for job in jobs if job.kind == "foreground"})


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
