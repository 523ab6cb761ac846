"""The stack on the Swarm: deployed by the rendered deploy.sh, scaled, removed, and watched."""

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from mpigen.artifacts.folder import Artifacts
from mpigen.errors import ClusterError, InputError
from mpigen.job import listing
from mpigen.notation.image_names import image_variable
from mpigen.stack import preflight, watch
from mpigen.swarm import state
from mpigen.swarm.engine import Engine, blame
from mpigen.swarm.processes import Say, tail
from mpigen.swarm.state import LiveGroup

_POLL = 0.5

See = Callable[[Sequence[LiveGroup]], None]
"""Is shown the groups each time that they are looked at."""


def deploy(
    engine: Engine,
    artifacts: Artifacts,
    stack: str,
    images: Mapping[str, str],
    wait: float,
    say: Say,
    see: See,
) -> None:
    """Deploy the stack, and wait `wait` seconds at most until it is up.

    `images` are those of `image.every`. Raises ClusterError with all that is in the way before, or
    that has failed after.
    """
    say("looking for what would be in the way")
    problems = preflight.problems(engine, artifacts, stack, images)
    if problems:
        raise ClusterError(
            f"nothing was deployed: {stack} could not start\n"
            + "\n".join(f"  {problem}" for problem in problems)
        )
    before = {task.id for each in state.groups(engine, artifacts, stack) for task in each.failed}
    say(f"deploying {', '.join(images.values())}")
    gave_up = False
    goes_on = f"Swarm goes on with {stack}; mpigen status shows it, mpigen down ends it"
    # a file, since nobody reads a pipe meanwhile: deploy.sh would wait for ever once it is full
    with tempfile.TemporaryFile() as log, _leaves(goes_on, say):
        script = subprocess.Popen(
            ["sh", str(artifacts.script("deploy.sh"))],
            env={
                **os.environ,
                **engine.environment,
                "STACK": stack,
                **{image_variable(name): image for name, image in images.items()},
                "WAIT": str(int(wait)),
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        seen = watch.Watch()
        try:
            while script.poll() is None:
                time.sleep(_POLL)
                with suppress(ClusterError):  # while the managers choose a leader
                    groups = state.groups(engine, artifacts, stack)
                    see(groups)
                    for line in seen.changes(groups):
                        say(line)
                    if seen.hopeless(groups):
                        gave_up = True
                        script.terminate()
        except BaseException:
            script.terminate()
            script.wait()
            raise
        log.seek(0)
        printed = log.read().decode("utf-8", "replace")
    if script.returncode == 0:
        return
    if script.returncode == InputError.exit_code and "deploy.sh:" in printed:
        raise InputError(printed.rstrip())
    groups = state.groups(engine, artifacts, stack)
    if not groups:
        raise ClusterError(f"docker stack deploy has failed:\n{tail(printed)}")
    why = "and cannot be" if gave_up else f"after {wait:.0f} s"
    # where the groups are up it is another service, of which deploy.sh tells
    reasons = watch.reasons(engine, groups, before) or [tail(printed)]
    raise ClusterError(
        "\n".join([f"{stack} is not up, {why}:", *reasons]),
        "Swarm goes on trying. mpigen status shows how it is, mpigen down removes it.",
    )


def scale(
    engine: Engine,
    artifacts: Artifacts,
    stack: str,
    wanted: dict[str, int],
    wait: float,
    say: Say,
    see: See,
) -> list[LiveGroup]:
    """Give each group of `wanted` that many containers, and wait until they are healthy.

    Containers that stay are left alone, and so are the jobs on them. Raises InputError, with
    nothing changed, where the nodes may not have as many.
    """
    groups = {group.name: group for group in state.deployed(engine, artifacts, stack)}
    services = {groups[name].service: count for name, count in wanted.items()}
    if problems := preflight.too_many(engine, services):
        raise InputError("\n".join(problems), "Nothing was changed.")
    # not the SDK: it sends the service back with Swarm's defaults written into it, which Swarm
    # takes for another service, and restarts every container (docker-py 7.2.0, Service.scale)
    sizes = [f"{service}={count}" for service, count in services.items()]
    deadline = time.monotonic() + wait
    with _leaves("Swarm goes on scaling; mpigen status shows it, mpigen scale takes it back", say):
        engine.docker("service", "scale", "--detach", *sizes)
        while True:
            now = state.groups(engine, artifacts, stack)
            see(now)
            if watch.is_up(now) and all(wanted.get(g.name, g.wanted) == g.wanted for g in now):
                return now
            if time.monotonic() > deadline:
                raise ClusterError(
                    "\n".join([f"not up after {wait:.0f} s:", *watch.reasons(engine, now)]),
                    "Swarm goes on trying; mpigen scale with fewer takes it back.",
                )
            time.sleep(_POLL)


def down(engine: Engine, artifacts: Artifacts, stack: str, wait: float, say: Say) -> bool:
    """Remove the stack, its jobs and its network; whether there was anything.

    Raises ClusterError, naming who holds the network: with all still there where it is a container
    that cannot be ended from here, else if it is not gone after `wait` seconds.
    """
    engine.need_manager()
    network = artifacts.network_of(stack)
    if others := listing.unknown(engine, network, listing.every(engine, stack)):
        raise ClusterError(
            f"nothing was removed: containers that only their own engine can end are on {network}: "
            + ", ".join(others),
            "End them on their nodes: docker rm --force ID",
        )
    found = _remove_jobs(engine, stack, say)
    label = {"label": f"{state.STACK_LABEL}={stack}"}
    with blame(f"asking for the stack {stack}"):
        parts: list[Any] = engine.client.api.services(filters=label)  # type: ignore[no-untyped-call]
        parts += engine.client.api.networks(filters=label)
        parts += engine.client.api.secrets(filters=label)
        parts += engine.client.api.configs(filters=label)  # type: ignore[no-untyped-call]
    if not parts:
        return found
    say(f"removing the stack {stack}, and waiting until its network is gone")
    with _leaves(f"a part of {stack} may still be there; mpigen down removes it", say):
        done = subprocess.run(
            ["sh", str(artifacts.script("down.sh"))],
            env={**os.environ, **engine.environment, "STACK": stack, "WAIT": str(int(wait))},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
        )
    if done.returncode:
        raise ClusterError(f"{stack} is not gone:\n{tail(done.stdout + done.stderr)}")
    return True


@contextmanager
def _leaves(what: str, say: Say) -> Iterator[None]:
    """Say, if it is interrupted and not if it fails, what this leaves behind."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        say(f"interrupted: {what}")
        raise


def _remove_jobs(engine: Engine, stack: str, say: Say) -> bool:
    found = listing.every(engine, stack)
    for job in found:
        say(f"{'forgetting' if job.over else 'ending'} the job {job.name}")
        listing.cancel(engine, job)
    return bool(found)
