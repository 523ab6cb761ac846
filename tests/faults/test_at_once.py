"""Many jobs at once: 160 ranks on however few cores, each job with its own hostfile."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.conftest import hosts_of
from tests.figures import figure
from tests.swarm.conftest import Cluster

pytestmark = [
    pytest.mark.long,
    pytest.mark.parametrize("cluster", ["trixie"], indirect=True),
]

JOBS = 20


def test_twenty_jobs_at_once_are_all_right(cluster: Cluster) -> None:
    began = time.monotonic()
    with ThreadPoolExecutor(JOBS) as pool:
        jobs = [pool.submit(cluster.script, "run.sh", "hello", MPI_WAIT="240") for _ in range(JOBS)]
    done = [job.result() for job in jobs]
    wrong = [job for job in done if job.code or "Allreduce over 8 ranks: correct" not in job.out]
    figure(f"{JOBS} jobs of 8 ranks at once: {time.monotonic() - began:.1f} s, {len(wrong)} wrong")
    assert not wrong, wrong[0].err
    assert all(hosts_of(job.out) == hosts_of(done[0].out) for job in done)
