"""A job that outlives its client: a Swarm service with one container that is never restarted.

It carries no label of the stack, so that `docker stack deploy --prune` leaves it alone.
"""

import signal
import time
from collections.abc import Collection
from contextlib import suppress
from typing import Any

from docker.errors import NotFound

from mpigen.artifacts.paths import KNOWN_HOSTS_IN_IMAGE, USER_KEY_IN_IMAGE
from mpigen.errors import ClusterError, InputError
from mpigen.job.hosts import Hosts, create_options
from mpigen.job.spec import (
    GRACE_LABEL,
    JOB_LABEL,
    JOB_STACK_LABEL,
    SWARM_TASK_LABEL,
    JobSpec,
)
from mpigen.swarm import nodes, processes, state
from mpigen.swarm.deployment import Deployment
from mpigen.swarm.engine import Engine, blame

GRACE = 15
"""Seconds that mpirun has to end before its container is killed, besides the job's own grace."""
CANCELLED_LABEL = "mpigen.cancelled"
CANCELLED = 128 + signal.SIGTERM
"""The exit code of a cancelled job of which no other is known."""
# desired states of a task that Swarm no longer wants to run
_GIVEN_UP = ("shutdown", "remove")
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
        *("--name", service, "--replicas", "1", "--restart-condition", "none"),
        *("--no-healthcheck", "--stop-grace-period", f"{grace}s", "--endpoint-mode", "dnsrr"),
        *_key_options(engine, state.deployed(deployment)[0].service),
        *("--label", f"{GRACE_LABEL}={job.grace}"),
        *("--container-label", f"{JOB_LABEL}={job.name}"),
        *("--container-label", f"{JOB_STACK_LABEL}={stack}"),
        *create_options(job, hosts, deployment),
    ]
    for constraint in next(iter(hosts.constraints.values()), ()):
        words += ["--constraint", constraint]
    limit = ["timeout", "--kill-after", str(grace), str(job.timeout)] if job.timeout else []
    command = engine.command(*words, hosts.image, *limit, *job.argv)
    try:
        processes.run(command, "docker service create", own_session=True)
    except ClusterError as error:
        if "name conflicts with an existing object" in error.message:
            raise _namesake(job.name) from None
        raise


def _namesake(name: str) -> InputError:
    return InputError(
        f"there is a batch job {name} already",
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
            f"there is a job {name} in the foreground already",
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


def task(engine: Engine, service: str) -> state.Task | None:
    """The task of a job's service that ran or runs; None until Swarm has created it.

    A cancelled job has a second one, which no node may run.
    """
    return next(iter(state.tasks_of(engine, service)[::-1]), None)


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


def wait(engine: Engine, service: str, name: str, deadline: float | None) -> int | None:
    """Wait for a job's exit code; None if `deadline` (time.monotonic) comes first.

    Raises ClusterError for a job that did not start, or whose node was lost.
    """
    while True:
        now = task(engine, service)
        if now and now.state == "complete":
            return 0
        if now and now.state == "failed" and now.exit_code:
            return now.exit_code
        if now and has_ended(now) and is_cancelled(_inspect(engine, service, name)):
            return now.exit_code or CANCELLED
        if now and (has_ended(now) or is_lost(engine, now)):
            raise ClusterError(f"the job {name} on {now.node or 'no node'}: {why_ended(now)}")
        if deadline is not None and time.monotonic() >= deadline:
            return None
        time.sleep(0.5)


def why_ended(task: state.Task) -> str:
    """Swarm's reason for the end of a task that has no exit code of its own."""
    if task.error:
        return task.error
    if task.state == "shutdown":
        return "Swarm ended it: its node was drained, or out of touch for a while"
    return f"it is {task.state}" if task.has_ended else "its node was lost"


def _inspect(engine: Engine, service: str, name: str) -> dict[str, Any]:
    with blame(f"asking for the job {name}"):
        return dict(engine.client.api.inspect_service(service))  # type: ignore[no-untyped-call]


def cancel(engine: Engine, service: str, name: str, grace: int) -> None:
    """End a job that runs, or is to run. Its service stays, and with it the log.

    Swarm removes the log with the container where a service is scaled to 0. So the service gets a
    constraint that no node meets: Swarm ends the task, keeps it, and starts no other.
    Raises ClusterError if its ranks do not end in time.
    """
    words = ("--detach", "--quiet", "--no-resolve-image", "--label-add", f"{CANCELLED_LABEL}=true")
    engine.docker("service", "update", *words, "--constraint-add", "node.id==none", service)
    deadline = time.monotonic() + 2 * GRACE + grace
    now = task(engine, service)
    while not has_ended(now):
        assert now
        if is_lost(engine, now) or time.monotonic() >= deadline:
            raise ClusterError(
                f"the job {name} does not end on {now.node}",
                "Its container ends when that node is back in the Swarm.",
            )
        time.sleep(0.3)
        now = task(engine, service)


def remove(engine: Engine, service: str, name: str) -> None:
    """Remove the service of a job that has ended, and its log."""
    with blame(f"removing the job {name}"), suppress(NotFound):
        engine.client.api.remove_service(service)  # type: ignore[no-untyped-call]
