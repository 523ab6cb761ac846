"""Runs the rendered testinfra checks of output/verify against a stack."""

import os
import signal
import subprocess
import sys
from pathlib import Path

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

    `stack` and `context` default to what the checks and Docker themselves default to.
    `arguments` go to pytest; `junit` is a file for the report as JUnit XML.
    Raises CheckFailed where a check says no or none was collected.
    """
    folder = output / "verify"
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder", "Write it with mpigen render.")
    environment = dict(os.environ)
    if stack:
        environment["STACK"] = stack
    if context:
        environment["DOCKER_CONTEXT"] = context
    # nothing is written into the reviewed folder: no cache, no bytecode
    command = [sys.executable, "-B", "-m", "pytest", "-p", "no:cacheprovider"]
    command += ["--rootdir", str(folder), "-c", os.devnull, "-v", "--tb=short", "--no-header"]
    if junit:
        command += ["--junit-xml", str(junit), "-o", f"junit_suite_name=mpigen verify {output}"]
    command += [str(folder), *arguments]
    # in a session of its own: a terminal's Ctrl-C is for us, and reaches it once
    with subprocess.Popen(command, env=environment, start_new_session=True) as checks:
        try:
            status = checks.wait()
        except BaseException:
            os.killpg(checks.pid, signal.SIGINT)
            checks.wait()  # it removes the container that it has looked from
            raise
    if status == _NONE_COLLECTED:
        raise CheckFailed(f"{folder} holds no check that could be run")
    if status == _FAILED:
        raise CheckFailed("the cluster is not as it should be: see the failed checks above")
    if status != 0:
        raise ClusterError(f"the checks could not be run: pytest ended with {status}")
