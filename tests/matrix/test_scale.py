"""120 workers on three nodes of this machine: there, used, halved, doubled, checked and gone."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpigen.lab import base, engine, lab
from tests.figures import figure
from tests.swarm.conftest import Cluster, Done, check, make_site

pytestmark = pytest.mark.long
WORKERS = 120
TEXT = f"""\
name: many
app: {{source: app, check: hello}}
engine: {{minimum: '25.0'}}
network: {{nodes: 3}}
workers: [{{name: worker, replicas: {WORKERS}, slots: 1, shm: 16m}}]
"""


@pytest.fixture(scope="module")
def neighbours() -> Iterator[None]:
    """Room in the kernel's one table for the peers of all containers of this machine.

    As docs/scale.md says: with Linux's 1,024 the kernel had `neighbor table overflow`.
    """
    files = [Path(f"/proc/sys/net/ipv4/neigh/default/gc_thresh{n}") for n in (3, 2, 1)]
    before = [file.read_text("utf-8") for file in files]
    try:
        for file in files:
            file.write_text(str(WORKERS * WORKERS), "utf-8")
        yield
    finally:
        for file, text in zip(files, before, strict=True):
            file.write_text(text, "utf-8")


@pytest.fixture(scope="module")
def cluster(
    newest: lab.Lab, neighbours: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    base.ensure(engine.local(), "debian:trixie-slim", print)
    output = make_site(tmp_path_factory.mktemp("many"), TEXT)
    check("sh", output / "scripts/build.sh", timeout=900)
    lab.load(newest, "many:latest", print)
    made = Cluster("many", output, {"DOCKER_HOST": newest.docker_host})
    began = time.monotonic()
    done = made.script("deploy.sh", WAIT="600")
    assert done.code == 0, done.out + done.err
    figure(f"{WORKERS} workers: deployed in {time.monotonic() - began:.1f} s")
    yield made
    began = time.monotonic()
    assert made.script("down.sh", WAIT="300").code == 0
    figure(f"{WORKERS} workers: down in {time.monotonic() - began:.1f} s")


def _timed(cluster: Cluster, *words: str) -> tuple[Done, float]:
    began = time.monotonic()
    done = cluster.script("run.sh", *words, MPI_WAIT="240")
    return done, time.monotonic() - began


def _ranks(cluster: Cluster, count: int) -> float:
    done, seconds = _timed(cluster, "hello")
    assert done.code == 0, done.err
    assert f"Allreduce over {count} ranks: correct" in done.out
    hosts = re.findall(rf"Size: {count}, Rank: \d+, Host: (\S+)", done.out)
    assert len(hosts) == len(set(hosts)) == count
    return seconds


def test_the_hostfile_is_complete(cluster: Cluster) -> None:
    expect = f"MPI_EXPECT=worker={WORKERS}"
    run = ("run", "--rm", "--init", "--cap-drop", "ALL", "--network", "many_mpi", "--env", expect)
    script = "mpi-hostfile /tmp/hosts && wc -l < /tmp/hosts"
    began = time.monotonic()
    printed = cluster.docker(*run, "many:latest", "sh", "-c", script)
    figure(f"{WORKERS} workers: hostfile after {time.monotonic() - began:.1f} s")
    assert printed.strip() == str(WORKERS)


def test_a_rank_on_each(cluster: Cluster) -> None:
    seconds = [_ranks(cluster, WORKERS) for _ in range(3)]
    figure(
        f"{WORKERS} workers: job of {WORKERS} ranks in {min(seconds):.1f} to {max(seconds):.1f} s"
    )
    script = "test $OMPI_COMM_WORLD_RANK = 0 || exec sleep 20; date +%s.%N; sleep 20"
    began = time.time()
    done, _ = _timed(cluster, "sh", "-c", script)
    assert done.code == 0, done.err
    figure(
        f"{WORKERS} workers: rank 0 runs {float(done.out.split()[0]) - began:.1f} s after run.sh"
    )


def _launchers_memory(cluster: Cluster, count: int) -> float:
    """The most memory that a job's own container has had, in MiB: mpirun's and the hostfile's."""
    expect = f"MPI_EXPECT=worker={count}"
    peak = "cat /sys/fs/cgroup/memory/memory.max_usage_in_bytes || cat /sys/fs/cgroup/memory.peak"
    printed = cluster.docker(
        *("run", "--rm", "--init", "--cap-drop", "ALL", "--network", "many_mpi", "--env", expect),
        *("many:latest", "sh", "-c", f"mpirun hello > /tmp/said; {peak} 2>/dev/null"),
    )
    return int(printed) / 1024**2


def test_half_of_them_and_all_again(cluster: Cluster) -> None:
    used = {}
    for count in (WORKERS // 4, WORKERS // 2, WORKERS):
        began = time.monotonic()
        cluster.docker("service", "scale", f"many_worker={count}")
        figure(f"scaled to {count} workers in {time.monotonic() - began:.1f} s")
        _ranks(cluster, count)
        used[count] = _launchers_memory(cluster, count)
        figure(f"{count} workers: the job's own container had {used[count]:.0f} MiB at most")
    # no ssh client is kept for a worker while the job runs: mpi-daemon
    assert used[WORKERS] < 1.3 * used[WORKERS // 4]


def test_the_rendered_checks_pass(cluster: Cluster) -> None:
    began = time.monotonic()
    done = cluster.verify()
    figure(f"{WORKERS} workers: verified in {time.monotonic() - began:.1f} s")
    assert done.code == 0, done.out
