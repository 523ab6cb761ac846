"""Batch jobs that run again where a host was lost, and only there.

Swarm restarts a container that has failed, whatever the reason, or none. So the container of such a
job ends with 0 where its program failed by itself, and the exit code is the last line of its log.
"""

import re
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from mpigen.job.spec import JobSpec
from mpigen.swarm.engine import Engine

LOST_HOST = 75
"""The exit code of a job that has lost a host, from mpirun: EX_TEMPFAIL of sysexits.h."""
WAIT = 300
"""Seconds that such a job waits for workers: Swarm has to find a node lost, and replace them."""
UNKNOWN = "its log does not contain its exit code"

_NOTE = "mpigen: exit code "
_LINE = re.compile(rf"{_NOTE}(\d{{1,3}})")
_PATIENCE = 20.0
_AT_ONCE = 8

# Runs a job's command. Swarm sees its exit code only if a host was lost, or if Swarm itself has
# ended it: then Swarm decides whether it runs again.
_RUN = f"""\
job=
ended=
trap 'ended=yes; [ -z "$job" ] || kill -TERM $job' TERM
"$@" &
job=$!
[ -z "$ended" ] || kill -TERM $job
while :; do
    wait $job
    code=$?
    kill -0 $job 2>/dev/null || break
done
echo "{_NOTE}$code" >&2
if [ "$ended" ] || [ $code -eq {LOST_HOST} ]; then
    exit $code
fi
"""


def options(job: JobSpec) -> list[str]:
    """The options of `docker service create` that have Swarm run a job again, or not."""
    if not job.retries:
        return ["--restart-condition", "none"]
    waits = any(pair.startswith("MPI_WAIT=") for pair in job.env)
    return [
        *("--restart-condition", "on-failure", "--restart-max-attempts", str(job.retries)),
        *([] if waits else ["--env", f"MPI_WAIT={WAIT}"]),
    ]


def wrapped(argv: tuple[str, ...]) -> tuple[str, ...]:
    """The command of a container that runs `argv` and notes its exit code."""
    return ("sh", "-c", _RUN, "job", *argv)


def noted(engine: Engine, task: str) -> int | None:
    """The exit code that the container of a task has noted; None if its log does not tell it."""
    try:
        done = subprocess.run(
            engine.command("service", "logs", "--raw", "--tail", "1", task),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
        )
    except subprocess.TimeoutExpired:
        return None
    lines = (done.stdout + done.stderr).splitlines()
    found = _LINE.fullmatch(lines[-1]) if lines and not done.returncode else None
    return int(found[1]) if found else None


def noted_by_all(engine: Engine, tasks: Iterable[str]) -> dict[str, int | None]:
    """The same of several tasks, a few at once: a log takes a moment."""
    names = list(tasks)
    if not names:
        return {}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(names, pool.map(lambda task: noted(engine, task), names), strict=True))
