"""A job that outlives its client: a Swarm service with one container that is never restarted.

It carries no label of the stack, so that `docker stack deploy --prune` leaves it alone.
"""

import time
from typing import Any

from docker.errors import NotFound

from mpigen.artifacts.paths import KNOWN_HOSTS_IN_IMAGE, USER_KEY_IN_IMAGE
from mpigen.errors import ClusterError, InputError
from mpigen.job.hosts import Hosts, create_options
from mpigen.job.spec import JOB_LABEL, JOB_STACK_LABEL, JobSpec
from mpigen.swarm import processes, state
from mpigen.swarm.deployment import Deployment
from mpigen.swarm.engine import Engine, blame

GRACE = 15
"""Seconds that a job has to end its ranks before its container is killed."""
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
    words = [
        *("service", "create", "--detach", "--quiet", "--with-registry-auth", "--no-resolve-image"),
        *("--name", service, "--replicas", "1", "--restart-condition", "none"),
        *("--no-healthcheck", "--stop-grace-period", f"{GRACE}s", "--endpoint-mode", "dnsrr"),
        *_key_options(engine, state.deployed(deployment)[0].service),
        *("--container-label", f"{JOB_LABEL}={job.name}"),
        *("--container-label", f"{JOB_STACK_LABEL}={stack}"),
        *create_options(job, hosts, deployment),
    ]
    for constraint in next(iter(hosts.constraints.values()), ()):
        words += ["--constraint", constraint]
    limit = ["timeout", "--kill-after", str(GRACE), str(job.timeout)] if job.timeout else []
    command = engine.command(*words, hosts.image, *limit, *job.argv)
    try:
        processes.run(command, "docker service create", own_session=True)
    except ClusterError as error:
        if "name conflicts with an existing object" in error.message:
            raise InputError(
                f"there is a job {job.name} already", f"Remove it: mpigen cancel {job.name}"
            ) from None
        raise


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
    """The one task of a job's service; None until Swarm has created it."""
    return next(iter(state.tasks_of(engine, service)), None)


def lost(task: state.Task) -> bool:
    """Whether its node was lost: Swarm wants it shut down, and its end was never reported."""
    return task.desired in ("shutdown", "remove") and not task.has_ended


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
        if now and (now.has_ended or lost(now)):
            why = now.error or ("its node was lost" if lost(now) else f"it is {now.state}")
            raise ClusterError(f"the job {name} on {now.node or 'no node'}: {why}")
        if deadline is not None and time.monotonic() >= deadline:
            return None
        time.sleep(0.5)


def cancel(engine: Engine, service: str, name: str) -> None:
    """End a job if it runs, and remove its service.

    Raises ClusterError if its ranks do not end in time.
    """
    now = task(engine, service)
    ended = now is None or now.has_ended
    with blame(f"ending the job {name}"):
        try:
            if not ended:
                engine.docker("service", "scale", "--detach", f"{service}=0")
                ended = _wait_until_ended(engine, service, time.monotonic() + 2 * GRACE)
            engine.client.api.remove_service(service)  # type: ignore[no-untyped-call]
        except NotFound:
            return
    if not ended:
        raise ClusterError(
            f"the job {name} does not end on {now.node if now else 'its node'}",
            "Its service is removed; its container ends when that node is back in the Swarm.",
        )


def _wait_until_ended(engine: Engine, service: str, deadline: float) -> bool:
    while time.monotonic() < deadline:
        now = task(engine, service)
        if now is None or now.has_ended:
            return True
        time.sleep(0.3)
    return False
