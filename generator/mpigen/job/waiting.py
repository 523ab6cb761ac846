"""Wait for jobs of any kind, all at once, and collect their exit codes."""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from queue import SimpleQueue

from docker.errors import DockerException, NotFound
from requests.exceptions import RequestException

from mpigen.errors import ClusterError, MpigenError
from mpigen.job import batch_task
from mpigen.job.describe import Job
from mpigen.job.ending import TIMED_OUT
from mpigen.swarm.engine import Engine


@dataclass(frozen=True)
class Awaited:
    """How waiting for a job has ended: its exit code, and the reason if it is not the job's own."""

    name: str
    exit_code: int
    reason: str = ""


def every(engine: Engine, jobs: Sequence[Job], timeout: float | None) -> Iterator[Awaited]:
    """Wait for all jobs, `timeout` seconds at most; yield each when it has ended.

    All at once: nobody keeps the exit code of a foreground job that has ended.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    done: SimpleQueue[Awaited | BaseException] = SimpleQueue()

    def wait(job: Job) -> None:
        try:
            done.put(_one(engine, job, deadline))
        except BaseException as error:  # to be raised where it is seen
            done.put(error)

    for job in jobs:
        # not a pool: an interrupt must not wait for the jobs
        threading.Thread(target=wait, args=(job,), daemon=True).start()
    for _ in jobs:
        result = done.get()
        if isinstance(result, BaseException):
            raise result
        yield result


def first_failure(jobs: Sequence[Awaited]) -> int:
    """The first exit code that is not 0, in the order given; 0 if there is none."""
    return next((job.exit_code for job in jobs if job.exit_code), 0)


def _one(engine: Engine, job: Job, deadline: float | None) -> Awaited:
    try:
        code = _code(engine, job, deadline)
    except MpigenError as error:
        return Awaited(job.name, error.exit_code, error.message)
    if code is None:
        return Awaited(job.name, TIMED_OUT, f"the job {job.name} has not ended yet")
    return Awaited(job.name, code)


def _code(engine: Engine, job: Job, deadline: float | None) -> int | None:
    """The job's exit code; None if the deadline comes first."""
    if job.kind == "batch":
        return batch_task.wait(engine, job.id, job.name, deadline, bool(job.retries))
    limit = None if deadline is None else max(1, int(deadline - time.monotonic()))
    try:
        return int(engine.client.api.wait(job.id, limit, "removed")["StatusCode"])
    except NotFound:
        raise ClusterError(
            f"the job {job.name} has ended, but its exit code was not kept"
        ) from None
    except (DockerException, RequestException) as error:
        if limit and "timed out" in str(error).lower():
            return None
        raise ClusterError(f"waiting for the job {job.name}: {error}") from error
