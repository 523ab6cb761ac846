"""A job that outlives its client: a Swarm service with one container.

Swarm runs it again only if the job asks for it (`retries.py`). It carries no label of the stack, so
that `docker stack deploy --prune` leaves it alone.
"""

import time
from contextlib import suppress
from typing import Any

from docker.errors import NotFound

from mpigen.artifacts.paths import KNOWN_HOSTS_IN_IMAGE, USER_KEY_IN_IMAGE
from mpigen.errors import ClusterError, InputError
from mpigen.job import batch_task, retries
from mpigen.job.hosts import Hosts, create_options
from mpigen.job.spec import (
    GRACE_LABEL,
    JOB_LABEL,
    JOB_STACK_LABEL,
    RETRIES_LABEL,
    SWARM_TASK_LABEL,
    JobSpec,
)
from mpigen.swarm import processes, state
from mpigen.swarm.deployment import Deployment
from mpigen.swarm.engine import Engine, blame

GRACE = 15
"""Seconds that mpirun has to end before its container is killed, besides the job's own grace."""
# the workers' secrets and configs that a job needs too, with ssh.delivery secret
_NEEDED = {USER_KEY_IN_IMAGE, KNOWN_HOSTS_IN_IMAGE}


def service_of(stack: str, name: str) -> str:
    """The name of a job's service. No group's service has a `_` after the stack's name."""
    return f"{stack}_job-{name}"


def submit(deployment: Deployment, hosts: Hosts, job: JobSpec) -> None:
    """Hand a job to the Swarm, which starts it on a node where the first group may run.

    Raises InputError if the name is taken, ClusterError if Docker fails.
    """
    engine, stack = deployment.engine, deployment.stack
    engine.need_manager()
    service = service_of(stack, job.name)
    if len(service) > 63:
        raise InputError(f"{service} is too long for a service's name", "Give a shorter --name.")
    _refuse_foreground(deployment, job.name)
    grace = GRACE + job.grace
    words = [
        *("service", "create", "--detach", "--quiet", "--with-registry-auth", "--no-resolve-image"),
        *("--name", service, "--replicas", "1", *retries.options(job)),
        *("--no-healthcheck", "--stop-grace-period", f"{grace}s", "--endpoint-mode", "dnsrr"),
        *_key_options(engine, state.deployed(deployment)[0].service),
        *("--label", f"{GRACE_LABEL}={job.grace}"),
        *("--label", f"{RETRIES_LABEL}={job.retries}"),
        *("--container-label", f"{JOB_LABEL}={job.name}"),
        *("--container-label", f"{JOB_STACK_LABEL}={stack}"),
        *create_options(job, hosts, deployment),
    ]
    for constraint in next(iter(hosts.constraints.values()), ()):
        words += ["--constraint", constraint]
    limit = ["timeout", "--kill-after", str(grace), str(job.timeout)] if job.timeout else []
    argv = (*limit, *job.argv)
    argv = retries.wrapped(argv) if job.retries else argv
    command = engine.command(*words, hosts.image, *argv)
    try:
        processes.run(command, "docker service create", own_session=True)
    except ClusterError as error:
        if "name conflicts with an existing object" in error.message:
            raise _namesake(job.name) from None
        raise


def _namesake(name: str) -> InputError:
    return InputError(
        f"the batch job {name} already exists",
        f"Take another --name; or end it (mpigen cancel {name}), and remove it "
        f"(mpigen jobs --remove {name}).",
    )


def refuse_namesake(deployment: Deployment, name: str) -> None:
    """Raise InputError if there is a batch job of that name; only a manager knows."""
    engine = deployment.engine
    with blame(f"asking the engine at {engine.where.url} for the job {name}"):
        if not engine.is_manager:
            return
        try:
            engine.client.api.inspect_service(service_of(deployment.stack, name))  # type: ignore[no-untyped-call]
        except NotFound:
            return
    raise _namesake(name)


def _refuse_foreground(deployment: Deployment, name: str) -> None:
    """Raise InputError if this engine has a job of that name in the foreground."""
    engine = deployment.engine
    labels = [f"{JOB_LABEL}={name}", f"{JOB_STACK_LABEL}={deployment.stack}"]
    with blame(f"asking the engine at {engine.where.url} for the job {name}"):
        found = engine.client.api.containers(all=True, filters={"label": labels})
    if any(SWARM_TASK_LABEL not in each["Labels"] for each in found):
        raise InputError(
            f"a foreground job {name} already exists",
            f"Take another --name; or end it: mpigen cancel {name}",
        )


def _key_options(engine: Engine, worker: str) -> list[str]:
    """Options that give a job the user key and known hosts of a worker service.

    Empty unless Swarm delivers them, as secrets and configs.
    """
    with blame(f"asking for the service {worker}"):
        spec = engine.client.api.inspect_service(worker)  # type: ignore[no-untyped-call]
    container = spec["Spec"]["TaskTemplate"]["ContainerSpec"]
    options = []
    for kind in ("Secret", "Config"):
        for each in container.get(f"{kind}s") or ():
            file = each.get("File") or {}
            if file.get("Name") in _NEEDED:
                options += [
                    f"--{kind.lower()}",
                    f"source={each[f'{kind}Name']},target={file['Name']},uid={file['UID']},"
                    f"gid={file['GID']},mode={file['Mode']:04o}",
                ]
    return options


def services(deployment: Deployment) -> list[dict[str, Any]]:
    """The services of the stack's batch jobs as the API returns them, oldest first."""
    labels = [JOB_LABEL, f"{JOB_STACK_LABEL}={deployment.stack}"]
    api = deployment.engine.client.api
    with blame("asking for the services of jobs"):
        found = api.services(filters={"label": labels})  # type: ignore[no-untyped-call]
    return sorted(found, key=lambda service: str(service["CreatedAt"]))


def cancel(engine: Engine, service: str, name: str, grace: int) -> None:
    """End a job that runs, or is to run. Its service stays, and with it the log.

    Swarm removes the log with the container where a service is scaled to 0. So the service gets a
    constraint that no node meets: Swarm ends the task, keeps it, and starts no other.
    Raises ClusterError if its ranks do not end in time.
    """
    words = (
        "--detach",
        "--quiet",
        "--no-resolve-image",
        "--label-add",
        f"{batch_task.CANCELLED_LABEL}=true",
    )
    engine.docker("service", "update", *words, "--constraint-add", batch_task.NOWHERE, service)
    deadline = time.monotonic() + 2 * GRACE + grace
    now = batch_task.task(engine, service)
    while not batch_task.has_ended(now):
        assert now
        if batch_task.is_lost(engine, now) or time.monotonic() >= deadline:
            raise ClusterError(
                f"the job {name} does not end on {now.node}",
                "Its container ends when that node is back in the Swarm.",
            )
        time.sleep(0.3)
        now = batch_task.task(engine, service)


def remove(engine: Engine, service: str, name: str) -> None:
    """Remove the service of a job that has ended, and its log."""
    with blame(f"removing the job {name}"), suppress(NotFound):
        engine.client.api.remove_service(service)  # type: ignore[no-untyped-call]
