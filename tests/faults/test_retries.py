"""Batch jobs that are run again where a node is lost, and 200 jobs that are remembered."""

import json
import shutil
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from mpigen.artifacts import folder
from mpigen.job import batch, hosts, spec
from mpigen.lab import base, engine, lab
from mpigen.lab.nodes import Node
from mpigen.swarm import engine as engines
from mpigen.swarm.deployment import Deployment
from tests.faults.conftest import LAB, docker_of, ready, switched_off, until
from tests.figures import figure
from tests.swarm.conftest import ROOT, Cluster, Done, call, check

pytestmark = pytest.mark.long

STEPS = 900
JOBS = 200


@pytest.fixture(scope="module")
def cluster(the_lab: lab.Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """examples/checkpoint, deployed."""
    site = tmp_path_factory.mktemp("checkpoint") / "site"
    shutil.copytree(ROOT / "examples/checkpoint", site)
    tag = f"{LAB}:checkpoint"
    with (site / "mpigen.yaml").open("a") as file:
        file.write(f"image: {{tag: '{tag}'}}\n")
    check(sys.executable, "-m", "mpigen", "render", "-c", site / "mpigen.yaml")
    # private keys are not in git
    check(sys.executable, "-m", "mpigen", "keys", "rotate", "-c", site / "mpigen.yaml")
    base.ensure(engine.local(), "debian:trixie-slim", print)
    check("sh", site / "output/scripts/build.sh", timeout=600)
    lab.load(the_lab, tag, print)
    made = Cluster("checkpoint", site / "output", docker_of(the_lab.nodes[0]))
    done = made.script("deploy.sh")
    assert done.code == 0, done.out + done.err
    yield made
    until(lambda: made.script("down.sh").code == 0, 60, "the stack's end")


def mpigen(cluster: Cluster, verb: str, *words: str, timeout: float = 300) -> Done:
    command = [sys.executable, "-m", "mpigen", verb, "-o", str(cluster.output), *words]
    return call(*command, env=cluster.env, timeout=timeout)


def jobs(cluster: Cluster) -> dict[str, dict[str, Any]]:
    """The cluster's batch jobs by name; none while its managers choose a leader."""
    done = mpigen(cluster, "jobs", "--json")
    return {job["name"]: job for job in json.loads(done.out)} if done.code == 0 else {}


def submit(cluster: Cluster, name: str) -> None:
    words = ("--detach", "--retries", "3", "--name", name, "--", "checkpoint", str(STEPS))
    assert mpigen(cluster, "run", *words).code == 0


def steps_seen(cluster: Cluster, name: str) -> int:
    """The last checkpoint of a job that runs, once it has written two."""
    until(lambda: mpigen(cluster, "logs", name).out.count("\nstep ") >= 2, 90, "steps")
    return int(mpigen(cluster, "logs", name).out.split()[-1])


def seen_from_elsewhere(cluster: Cluster, name: str, nodes: list[Node]) -> tuple[Cluster, Node]:
    """The cluster through a manager that a job's own container is not on, and that job's node.

    Swarm chooses the node, often the same one each time.
    """
    where = jobs(cluster)[name]["node"]
    lost = next(node for node in nodes if node.name == where)
    other = next(node for node in nodes if node is not lost)
    return replace(cluster, env=docker_of(other)), lost


def assert_ran_again(cluster: Cluster, name: str, seen: int) -> None:
    """The second run has begun at a checkpoint of the first one, and the sum is right."""
    # not by `wait` alone, which ends where the managers are choosing a leader
    over = ("done", "failed", "lost")
    until(lambda: jobs(cluster).get(name, {}).get("state") in over, 600, "the job's end")
    done = mpigen(cluster, "wait", name)
    assert (done.code, done.out) == (0, f"{name} 0\n"), done.err
    job = jobs(cluster)[name]
    assert (job["state"], job["exit_code"], job["runs"]) == ("done", 0, 2)
    printed = mpigen(cluster, "logs", name).out
    begin = int(printed.split("begins at step ")[1].split()[0])
    assert begin >= seen and f"{STEPS} steps: " in printed and "correct" in printed
    figure(f"{name}: the second run began at step {begin} of {STEPS}")


def test_a_job_whose_own_node_is_lost_runs_again(cluster: Cluster, the_lab: lab.Lab) -> None:
    submit(cluster, "sum")
    seen = steps_seen(cluster, "sum")
    through, lost = seen_from_elsewhere(cluster, "sum", list(the_lab.nodes))
    with switched_off(lost):
        assert_ran_again(through, "sum", seen)
    until(lambda: lost.name in ready(cluster), 120, "the node's return")


def test_a_job_that_loses_a_worker_runs_again(cluster: Cluster, the_lab: lab.Lab) -> None:
    """Its mpirun ends with the exit code of a lost host."""
    submit(cluster, "worker")
    seen = steps_seen(cluster, "worker")
    host, (_, task) = sorted(cluster.tasks().items())[-1]
    number = host.rpartition("-")[2]
    for node in the_lab.nodes:
        call("docker", "kill", f"checkpoint_worker.{number}.{task}", env=docker_of(node))
    assert_ran_again(cluster, "worker", seen)


def test_200_jobs_are_remembered_as_they_ended(cluster: Cluster) -> None:
    artifacts = folder.read(cluster.output)
    where = engines.Endpoint(cluster.env["DOCKER_HOST"], "the test")
    deployment = Deployment(
        engines.Engine(engines.client_of(where), where), artifacts, cluster.name
    )
    there = hosts.discover_hosts(deployment)

    def begin(number: int) -> None:
        argv = ("sh", "-c", f"exit {number % 3}")
        job = spec.JobSpec(f"j{number}", argv, " ".join(argv), ranks=1)
        batch.submit(deployment, there, job)

    for name in jobs(cluster):
        mpigen(cluster, "jobs", "--remove", name)
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(4) as pool:
        patch.setenv("DOCKER_HOST", where.url)
        began = time.monotonic()
        list(pool.map(begin, range(JOBS)))
    over = ("done", "failed")
    until(lambda: sum(job["state"] in over for job in jobs(cluster).values()) == JOBS, 600, "ends")
    figure(f"{JOBS} jobs ended within {time.monotonic() - began:.0f} s")
    began = time.monotonic()
    listed = json.loads(mpigen(cluster, "jobs", "--all", "--json").out)
    figure(f"listed within {time.monotonic() - began:.1f} s")
    found = {job["name"]: job for job in listed if job["kind"] == "batch"}
    assert len(found) == JOBS
    for number in range(JOBS):
        job = found[f"j{number}"]
        assert job["exit_code"] == number % 3
        assert job["created"] < job["ended"] and job["elapsed"] > 0 and job["user"]
    assert mpigen(cluster, "jobs", "--clear").code == 0
    assert jobs(cluster) == {}
