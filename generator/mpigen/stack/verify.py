"""Run the rendered testinfra checks of output/verify against a stack."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from mpigen.artifacts.paths import VERIFY
from mpigen.errors import CheckFailed, ClusterError, InputError
from mpigen.stack import verify_report
from mpigen.swarm import engine, state
from mpigen.swarm.deployment import Deployment

# pytest's exit codes: https://docs.pytest.org/en/stable/reference/exit-codes.html
_FAILED, _NONE_COLLECTED = 1, 5


def need_deployed(deployment: Deployment) -> None:
    """Raise ClusterError, in a sentence, where no check could say more: nothing is to be checked.

    That is without a manager of a Swarm, or if a group of the stack is not deployed.
    """
    found = {group.name for group in state.deployed(deployment)}
    missing = [each.name for each in deployment.artifacts.groups if each.name not in found]
    if missing:
        raise ClusterError(
            f"{', '.join(missing)}: rendered, but not deployed yet", "Deploy it: mpigen deploy"
        )


def verify(
    output: Path,
    stack: str | None,
    context: str | None,
    arguments: list[str],
    junit: Path | None = None,
) -> None:
    """Run the checks in `output`/verify with pytest; its report goes to the terminal.

    Without `stack` and `context` the defaults of the checks and of Docker apply. `arguments` are
    passed to pytest; `junit` is a file for the report as JUnit XML.
    Raises CheckFailed if a check fails or none was run.
    """
    folder = output / VERIFY
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder", "Write it with mpigen render.")
    environment = dict(os.environ)
    if stack:
        environment["STACK"] = stack
    environment |= engine.variables(engine.endpoint(context), context)
    # neither a cache nor bytecode may be written into the reviewed folder
    command = [sys.executable, "-B", "-m", "pytest", "-p", "no:cacheprovider"]
    command += ["-p", verify_report.__name__]
    command += ["--rootdir", str(folder), "-c", os.devnull, "-v", "--tb=short", "--no-header"]
    if junit:
        command += ["--junit-xml", str(junit), "-o", f"junit_suite_name=mpigen verify {output}"]
    command += [str(folder), *arguments]
    # in its own session, so that the terminal's Ctrl-C reaches it once, through this process
    with subprocess.Popen(command, env=environment, start_new_session=True) as checks:
        try:
            status = checks.wait()
        except BaseException:
            os.killpg(checks.pid, signal.SIGINT)
            checks.wait()  # it removes the container that runs the checks
            raise
    if status == _NONE_COLLECTED:
        raise CheckFailed(f"{folder} contains no check that could be run")
    if status == _FAILED:
        raise CheckFailed("checks of the cluster failed: see above")
    if status != 0:
        raise ClusterError(f"the checks could not be run: pytest ended with {status}")
