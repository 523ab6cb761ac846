"""A job that outlives its client: a Swarm service of one container that is never restarted.

It carries no label of the stack, so that `docker stack deploy --prune` leaves it alone.
"""

import time
from datetime import datetime
from typing import Any

from docker.errors import NotFound

from mpigen.artifacts.folder import Artifacts
from mpigen.errors import ClusterError, InputError
from mpigen.job.hosts import Hosts, options
from mpigen.job.spec import JOB_LABEL, STACK_LABEL, Work
from mpigen.swarm import processes, state
from mpigen.swarm.engine import Engine, blame

GRACE = 15
"""Seconds that a job has to end its ranks, before its container is killed."""
# what a job needs of the workers' secrets and configs, with ssh.delivery secret
_NEEDED = {"/etc/mpi/id_ed25519", "/etc/ssh/ssh_known_hosts"}
# Swarm's states of a task that will not run any more
OVER = {"complete", "failed", "rejected", "shutdown", "orphaned", "remove"}


def service_of(stack: str, name: str) -> str:
    """The name of a job's service; no group's has a `_` after the stack's."""
    return f"{stack}_job-{name}"


def submit(engine: Engine, artifacts: Artifacts, stack: str, hosts: Hosts, work: Work) -> None:
    """Hand a job to the Swarm, which starts it on a node where the first group may run.

    Raises InputError for a name that is taken, ClusterError for what Docker cannot do.
    """
    engine.need_manager()
    service = service_of(stack, work.name)
    if len(service) > 63:
        raise InputError(f"{service} is too long for a service's name", "Give a shorter --name.")
    words = [
        *("service", "create", "--detach", "--quiet", "--with-registry-auth", "--no-resolve-image"),
        *("--name", service, "--replicas", "1", "--restart-condition", "none"),
        *("--no-healthcheck", "--stop-grace-period", f"{GRACE}s", "--endpoint-mode", "dnsrr"),
        *_held(engine, state.deployed(engine, artifacts, stack)[0].service),
        *("--container-label", f"{JOB_LABEL}={work.name}"),
        *("--container-label", f"{STACK_LABEL}={stack}"),
        *options(work, hosts, artifacts, stack),
    ]
    for constraint in next(iter(hosts.constraints.values()), ()):
        words += ["--constraint", constraint]
    ends = ["timeout", "--kill-after", str(GRACE), str(work.timeout)] if work.timeout else []
    command = engine.command(*words, hosts.image, *ends, *work.words)
    try:
        processes.run(command, "docker service create", apart=True)
    except ClusterError as error:
        if "name conflicts with an existing object" in error.message:
            raise InputError(
                f"there is a job {work.name} already", f"Remove it: mpigen cancel {work.name}"
            ) from None
        raise


def _held(engine: Engine, worker: str) -> list[str]:
    """The options that give a job the workers' own user key and known hosts, if Swarm has them."""
    with blame(f"asking for the service {worker}"):
        spec = engine.client.api.inspect_service(worker)  # type: ignore[no-untyped-call]
    container = spec["Spec"]["TaskTemplate"]["ContainerSpec"]
    words = []
    for kind in ("Secret", "Config"):
        for held in container.get(f"{kind}s") or ():
            file = held.get("File") or {}
            if file.get("Name") in _NEEDED:
                words += [
                    f"--{kind.lower()}",
                    f"source={held[f'{kind}Name']},target={file['Name']},uid={file['UID']},"
                    f"gid={file['GID']},mode={file['Mode']:04o}",
                ]
    return words


def services(engine: Engine, stack: str) -> list[dict[str, Any]]:
    """The services of the stack's jobs, as the API has them, oldest first."""
    labels = [JOB_LABEL, f"{STACK_LABEL}={stack}"]
    with blame("asking for the services of jobs"):
        found = engine.client.api.services(filters={"label": labels})  # type: ignore[no-untyped-call]
    return sorted(found, key=lambda service: str(service["CreatedAt"]))


def task(engine: Engine, service: str) -> state.Task | None:
    """The one task of a job's service, unless Swarm has yet to make it."""
    return next(iter(state.tasks_of(engine, service)), None)


def lost(task: state.Task) -> bool:
    """Whether its node was lost: Swarm wants it down and has not heard that it is."""
    return task.desired in ("shutdown", "remove") and task.state not in OVER


def wait(engine: Engine, service: str, name: str, deadline: float | None) -> int | None:
    """The exit code of a job, when it has ended; None if `deadline` (time.monotonic) is first.

    Raises ClusterError for a job that did not start, or whose node was lost.
    """
    while True:
        now = task(engine, service)
        if now and now.state == "complete":
            return 0
        if now and now.state == "failed" and now.exit_code:
            return now.exit_code
        if now and (now.state in OVER or lost(now)):
            why = now.error or ("its node was lost" if lost(now) else f"it is {now.state}")
            raise ClusterError(f"the job {name} on {now.node or 'no node'}: {why}")
        if deadline is not None and time.monotonic() >= deadline:
            return None
        time.sleep(0.5)


def cancel(engine: Engine, service: str, name: str) -> None:
    """End a job, if it runs, and forget it. Raises ClusterError if its ranks do not end in time."""
    now = task(engine, service)
    ended = now is None or now.state in OVER
    with blame(f"ending the job {name}"):
        try:
            if not ended:
                engine.docker("service", "scale", "--detach", f"{service}=0")
                ended = _gone(engine, service, time.monotonic() + 2 * GRACE)
            engine.client.api.remove_service(service)  # type: ignore[no-untyped-call]
        except NotFound:
            return
    if not ended:
        raise ClusterError(
            f"the job {name} does not end on {now.node if now else 'its node'}",
            "Its service is removed; its container ends when that node is back in the Swarm.",
        )


def _gone(engine: Engine, service: str, deadline: float) -> bool:
    while time.monotonic() < deadline:
        now = task(engine, service)
        if now is None or now.state in OVER:
            return True
        time.sleep(0.3)
    return False


def moment(text: str) -> datetime:
    """A moment as Docker's API writes it, with nanoseconds, which Python's parser does not take."""
    whole, _, rest = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{rest[:6] or '0'}+00:00")
