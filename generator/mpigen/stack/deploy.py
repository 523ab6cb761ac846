"""Deploy the stack with the rendered deploy.sh, scale it, and remove it."""

import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from mpigen.artifacts.paths import DOWN_SCRIPT
from mpigen.errors import CheckFailed, ClusterError, InputError
from mpigen.job import listing
from mpigen.stack import preflight, rollout, watch
from mpigen.stack.rollout import See
from mpigen.swarm import leftovers, state
from mpigen.swarm.deployment import Deployment
from mpigen.swarm.engine import blame
from mpigen.swarm.processes import Say, tail
from mpigen.swarm.state import LiveGroup

_POLL = 0.5


def deploy(
    deployment: Deployment, images: Mapping[str, str], wait: float, say: Say, see: See
) -> None:
    """Deploy the stack, and wait at most `wait` seconds until it is up.

    `images` comes from `select.references_to_deploy`. Raises ClusterError with everything that
    would keep the stack from starting, before anything is deployed, or with the errors of its
    containers after.
    """
    stack = deployment.stack
    say("checking for problems")
    problems = preflight.problems(deployment, images, say)
    if problems:
        raise ClusterError(
            f"nothing was deployed: {stack} could not start\n"
            + "\n".join(f"  {problem}" for problem in problems)
        )
    before = {task.id for each in state.groups(deployment) for task in each.failed}
    say(f"deploying {', '.join(images.values())}")
    goes_on = f"Swarm continues with {stack}; mpigen status shows it, mpigen down ends it"
    with _on_interrupt(goes_on, say):
        why, printed = rollout.follow(deployment, images, wait, say, see)
    if not why:
        return
    groups = state.groups(deployment)
    if not groups:
        raise ClusterError(f"docker stack deploy has failed:\n{tail(printed)}")
    there = {group.name for group in groups}
    lost = [each.name for each in deployment.artifacts.groups if each.name not in there]
    # if the groups are up, another service is not, and deploy.sh has printed that
    reasons = [f"{name}: its service is gone" for name in lost]
    reasons += watch.reasons(deployment.engine, groups, before)
    raise ClusterError(
        "\n".join([f"{stack} is not up, {why}:", *(reasons or [tail(printed)])]),
        "Swarm keeps trying. mpigen status shows its state, mpigen down removes it.",
    )


def refuse_removal(
    deployment: Deployment, groups: Sequence[LiveGroup], wanted: Mapping[str, int]
) -> None:
    """Raise CheckFailed if a group gets fewer containers while jobs run, which may use them."""
    fewer = [each.name for each in groups if wanted.get(each.name, each.wanted) < each.wanted]
    running = listing.running(deployment) if fewer else []
    if running:
        raise CheckFailed(
            f"jobs are running on {deployment.stack}, and fewer containers of {', '.join(fewer)} "
            "may end "
            f"them: {', '.join(running)}",
            "Wait for them, or cancel them (mpigen jobs), or scale with --force.",
        )


def scale(
    deployment: Deployment, wanted: dict[str, int], wait: float, say: Say, see: See
) -> list[LiveGroup]:
    """Scale each group to its number in `wanted`, and wait until all containers are healthy.

    Containers that stay are not restarted, so their jobs run on. Raises InputError, before
    anything is changed, if the nodes may not run that many.
    """
    engine = deployment.engine
    groups = {group.name: group for group in state.deployed(deployment)}
    services = {groups[name].service: count for name, count in wanted.items()}
    if problems := preflight.too_many(engine, services):
        raise InputError("\n".join(problems), "Nothing was changed.")
    # not with the SDK: it sends the service back with Swarm's defaults filled in, which Swarm
    # takes for a change, and restarts every container (docker-py 7.2.0, Service.scale)
    sizes = [f"{service}={count}" for service, count in services.items()]
    deadline = time.monotonic() + wait
    goes_on = "Swarm continues scaling; mpigen status shows it, mpigen scale reverts it"
    with _on_interrupt(goes_on, say):
        engine.docker("service", "scale", "--detach", *sizes)
        while True:
            now = state.groups(deployment)
            see(now)
            if watch.is_up(now) and all(wanted.get(g.name, g.wanted) == g.wanted for g in now):
                return now
            if time.monotonic() > deadline:
                raise ClusterError(
                    "\n".join([f"not up after {wait:.0f} s:", *watch.reasons(engine, now)]),
                    "Swarm keeps trying; mpigen scale with fewer reverts it.",
                )
            time.sleep(_POLL)


def down(deployment: Deployment, wait: float, say: Say) -> bool:
    """Remove the stack, its jobs and its network; return whether there was anything to remove.

    Raises ClusterError, naming the containers on the network: before anything is removed if only
    their own engine can end them, or if the network is still there after `wait` seconds.
    """
    engine, stack = deployment.engine, deployment.stack
    engine.need_manager()
    if others := listing.foreign(deployment, listing.every(deployment)):
        raise ClusterError(
            "nothing was removed: containers that only their own engine can end are on "
            f"{deployment.network}: " + ", ".join(others),
            "End them on their nodes: docker rm --force ID",
        )
    found = _remove_jobs(deployment, say)
    if leftovers.sweep(engine, deployment.network):
        say("removed what a killed command had left on the nodes")
    label = {"label": f"{state.NAMESPACE_LABEL}={stack}"}
    with blame(f"asking for the stack {stack}"):
        parts: list[Any] = engine.client.api.services(filters=label)  # type: ignore[no-untyped-call]
        parts += engine.client.api.networks(filters=label)
        parts += engine.client.api.secrets(filters=label)
        parts += engine.client.api.configs(filters=label)  # type: ignore[no-untyped-call]
    if not parts:
        return found
    say(f"removing the stack {stack}, and waiting until its network is gone")
    with _on_interrupt(f"a part of {stack} may still be there; mpigen down removes it", say):
        done = subprocess.run(
            ["sh", str(deployment.artifacts.folder / DOWN_SCRIPT)],
            env={**os.environ, **engine.environment, "STACK": stack, "WAIT": str(int(wait))},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
        )
    if done.returncode:
        raise ClusterError(
            f"{stack} is not gone:\n{tail(done.stdout + done.stderr)}",
            "Swarm continues removing it; to wait longer: mpigen down --wait SECONDS",
        )
    return True


@contextmanager
def _on_interrupt(what: str, say: Say) -> Iterator[None]:
    """If the block is interrupted, but not if it fails, say what is left behind."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        say(f"interrupted: {what}")
        raise


def _remove_jobs(deployment: Deployment, say: Say) -> bool:
    found = listing.every(deployment)
    for job in found:
        say(f"{'removing' if job.over else 'ending'} the job {job.name}")
        listing.end(deployment.engine, job)
    return bool(found)
