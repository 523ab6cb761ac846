"""Containers and nodes that are lost, during a job and before one."""

import time

import pytest

from mpigen.lab import lab
from mpigen.lab.nodes import Node
from tests.faults.conftest import (
    assert_works,
    cut_off,
    docker_of,
    ready,
    settled_without,
    start,
    switched_off,
    until,
)
from tests.figures import figure
from tests.swarm.conftest import Cluster, call

pytestmark = pytest.mark.long

# every rank says once that it runs, and goes on for longer than any wait
RUNS = ("sh", "-c", "echo runs; exec sleep 600")


@pytest.fixture
def victim(the_lab: lab.Lab, cluster: Cluster) -> Node:
    """A node that has workers, and is not the one that the tests talk to."""
    with_workers = {node for node, _ in cluster.tasks().values()}
    return next(node for node in the_lab.nodes[1:] if node.name in with_workers)


def _hosts_on(cluster: Cluster, node: Node) -> list[str]:
    return sorted(host for host, (where, _) in cluster.tasks().items() if where == node.name)


def test_a_worker_killed_during_a_job_ends_it_and_is_named(
    cluster: Cluster, victim: Node, request: pytest.FixtureRequest
) -> None:
    host = _hosts_on(cluster, victim)[0]
    task = cluster.tasks()[host][1]
    container = f"mpi_worker.{host.rpartition('-')[2]}.{task}"
    job = start(cluster, *RUNS, ready="runs")
    killed = time.monotonic()
    assert call("docker", "kill", container, env=docker_of(victim)).code == 0
    done, ended = job.end(timeout=60)
    figure(f"{request.node.name}: exit {done.code} after {ended - killed:.1f} s")
    assert done.code not in (0, 124)
    assert f"mpirun: {host} (" in done.err, done.err
    assert ended - killed < 30
    assert_works(cluster)
    assert cluster.tasks()[host][1] != task


@pytest.mark.parametrize("how", [switched_off, cut_off])
def test_a_node_lost_during_a_job_ends_it_and_comes_back(
    cluster: Cluster, victim: Node, how: type[cut_off], request: pytest.FixtureRequest
) -> None:
    hosts = _hosts_on(cluster, victim)
    job = start(cluster, *RUNS, ready="runs")
    lost = time.monotonic()
    with how(victim):
        done, ended = job.end(timeout=120)
        moved = (
            until(lambda: settled_without(cluster, victim), 180, "Swarm's replacement")
            + ended
            - lost
        )
        name = request.node.name
        figure(f"{name}: exit {done.code} after {ended - lost:.1f} s; replaced by {moved:.1f} s")
        assert done.code not in (0, 124)
        assert any(f"mpirun: {host} (" in done.err for host in hosts), done.err
        assert ended - lost < 60
        # what is there is enough: Swarm has put all workers on the nodes that are left
        assert_works(cluster)
    back = until(lambda: victim.name in ready(cluster), 120, "the node's return")
    figure(f"{name}: ready again after {back:.1f} s")
    assert_works(cluster)


@pytest.mark.parametrize("cluster", ["trixie"], indirect=True)
@pytest.mark.parametrize("how", [switched_off, cut_off])
def test_a_node_lost_while_idle_is_no_part_of_the_next_job(
    cluster: Cluster, victim: Node, how: type[cut_off], request: pytest.FixtureRequest
) -> None:
    with how(victim):
        began = time.monotonic()
        # at once, while Swarm still believes in it: the job waits, or says who is missing
        done = cluster.script("run.sh", "hello", MPI_WAIT="120")
        waited = time.monotonic() - began
        figure(f"{request.node.name}: exit {done.code} after {waited:.1f} s")
        assert done.code == 0, done.err
        assert "Allreduce over 8 ranks: correct" in done.out
        assert victim.name not in {node for node, _ in cluster.tasks().values()}
    until(lambda: victim.name in ready(cluster), 120, "the node's return")
    assert_works(cluster)
