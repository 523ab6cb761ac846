"""Run the rendered deploy.sh, and watch the Swarm until the groups are up, or cannot be."""

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from mpigen.artifacts.paths import DEPLOY_SCRIPT
from mpigen.errors import ClusterError, InputError
from mpigen.notation.image_names import image_variable
from mpigen.stack import watch
from mpigen.swarm import state
from mpigen.swarm.deployment import Deployment
from mpigen.swarm.processes import Say, tail
from mpigen.swarm.state import LiveGroup

_POLL = 0.5
_GONE_POLLS = 2
_FAILED = "failed"

See = Callable[[Sequence[LiveGroup]], None]
"""A callback that receives the groups at each poll."""


@dataclass
class _Progress:
    """What was seen so far: `there` once the stack was, and for how many polls it has been gone."""

    deployment: Deployment
    say: Say
    see: See
    seen: watch.Watch = field(default_factory=watch.Watch)
    there: bool = False
    gone: int = 0

    def look(self) -> list[LiveGroup]:
        """The groups now; none while the managers elect a leader."""
        with suppress(ClusterError):
            groups = state.groups(self.deployment)
            self.see(groups)
            for line in self.seen.changes(groups):
                self.say(line)
            self.there = self.there or bool(groups)
            self.gone = 0 if groups or not self.there else self.gone + 1
            return groups
        return []


def follow(
    deployment: Deployment, images: Mapping[str, str], wait: float, say: Say, see: See
) -> tuple[str, str]:
    """Deploy with deploy.sh; return why the groups are not up, or "", and what it has printed.

    That deploy.sh ends well is not enough: it may be a site's own. Raises InputError if it names
    something missing, ClusterError if it fails, or if somebody removes the stack meanwhile.
    """
    deadline = time.monotonic() + wait
    progress = _Progress(deployment, say, see)
    # a file: nobody reads a pipe meanwhile, and deploy.sh would block once it is full
    with tempfile.TemporaryFile() as log:
        script = subprocess.Popen(
            ["sh", str(deployment.artifacts.folder / DEPLOY_SCRIPT)],
            env={
                **os.environ,
                **deployment.engine.environment,
                "STACK": deployment.stack,
                **{image_variable(name): image for name, image in images.items()},
                "WAIT": str(int(wait)),
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            why = _why_not_up(script, progress, deadline, f"after {wait:.0f} s")
        finally:
            if script.poll() is None:
                script.terminate()
                script.wait()
        log.seek(0)
        printed = log.read().decode("utf-8", "replace")
    if script.returncode == InputError.exit_code and "deploy.sh:" in printed:
        raise InputError(printed.rstrip())
    if why == _FAILED:
        raise ClusterError(f"docker stack deploy has failed:\n{tail(printed)}")
    return why, printed


def _why_not_up(
    script: "subprocess.Popen[bytes]", progress: _Progress, deadline: float, late: str
) -> str:
    groups: list[LiveGroup] = []
    while True:
        ended = script.poll()
        groups = progress.look()
        if progress.gone >= (1 if ended else _GONE_POLLS):
            raise ClusterError(
                f"{progress.deployment.stack} was removed while it was being deployed",
                "By mpigen down, down.sh or docker stack rm; deploy it again: mpigen deploy",
            )
        if ended is None and progress.seen.hopeless(groups):
            return "and cannot be"
        if ended:
            return late if ended == ClusterError.exit_code else _FAILED
        wanted = {group.name for group in progress.deployment.artifacts.groups}
        if ended == 0 and watch.is_up(groups) and wanted <= {group.name for group in groups}:
            return ""
        if ended == 0 and time.monotonic() > deadline:
            return late
        time.sleep(_POLL)
