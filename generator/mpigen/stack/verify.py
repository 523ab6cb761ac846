"""Run the rendered testinfra checks of output/verify against a stack."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from mpigen.artifacts.paths import VERIFY
from mpigen.errors import CheckFailed, ClusterError, InputError

# pytest's exit codes: https://docs.pytest.org/en/stable/reference/exit-codes.html
_FAILED, _NONE_COLLECTED = 1, 5


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
    Raises CheckFailed if a check fails or none was collected.
    """
    folder = output / VERIFY
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder", "Write it with mpigen render.")
    environment = dict(os.environ)
    if stack:
        environment["STACK"] = stack
    if context:
        environment["DOCKER_CONTEXT"] = context
    # neither a cache nor bytecode may be written into the reviewed folder
    command = [sys.executable, "-B", "-m", "pytest", "-p", "no:cacheprovider"]
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
        raise CheckFailed(f"{folder} holds no check that could be run")
    if status == _FAILED:
        raise CheckFailed("the cluster is not as it should be: see the failed checks above")
    if status != 0:
        raise ClusterError(f"the checks could not be run: pytest ended with {status}")
