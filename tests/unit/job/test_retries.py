"""What the container of a job with retries tells Swarm, and notes for mpigen."""

import signal
import subprocess
import time

import pytest

from mpigen.job import retries, spec


def job(number: int, *env: str) -> spec.JobSpec:
    return spec.mpirun("", ("x",), None, (), env, (), None, mpi="openmpi", retries=number)


@pytest.mark.parametrize(
    ("code", "swarm"), [(0, 0), (3, 0), (137, 0), (retries.LOST_HOST, retries.LOST_HOST)]
)
def test_swarm_is_told_of_a_lost_host_alone(code: int, swarm: int) -> None:
    words = retries.wrapped(("sh", "-c", f"echo out; exit {code}"))
    done = subprocess.run(words, capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stdout) == (swarm, "out\n")
    assert done.stderr == f"mpigen: exit code {code}\n"


def test_a_job_that_swarm_ends_ends_with_its_own_code() -> None:
    """As of a node that is drained: Swarm runs it elsewhere."""
    script = "trap 'exit 143' TERM; echo up; while :; do sleep 0.1; done"
    words = retries.wrapped(("sh", "-c", script))
    child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout and child.stdout.readline() == "up\n"
    child.send_signal(signal.SIGTERM)
    _, err = child.communicate(timeout=20)
    assert (child.returncode, err) == (143, "mpigen: exit code 143\n")


def test_a_job_that_takes_its_time_after_sigterm_is_waited_for() -> None:
    script = "trap 'sleep 1; exit 9' TERM; echo up; while :; do sleep 0.1; done"
    words = retries.wrapped(("sh", "-c", script))
    child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout and child.stdout.readline() == "up\n"
    began = time.monotonic()
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=20)
    assert child.returncode == 9 and time.monotonic() - began > 0.9


def test_a_job_without_retries_is_never_run_again() -> None:
    assert retries.options(job(0)) == ["--restart-condition", "none"]


def test_a_job_with_retries_waits_for_its_workers_as_long_as_it_is_told() -> None:
    assert retries.options(job(2))[-3:] == ["2", "--env", "MPI_WAIT=300"]
    assert retries.options(job(2, "MPI_WAIT=9"))[-1] == "2"
