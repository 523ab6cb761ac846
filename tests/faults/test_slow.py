"""Slow servers, each with a twentieth of a CPU: every command is right, or says that it is slow."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpigen.lab import base, engine, lab
from tests.figures import figure
from tests.swarm.conftest import ROOT, Cluster, Done, call, check, make_site, own_lab

pytestmark = pytest.mark.long

# a lab of its own: all of its servers are slow
NAME = f"{own_lab('faults')}-slow"
TAG = "slow:latest"
CPUS = "0.05"
LIMIT = 1500.0  # seconds for each command
# what would be a diagnosis, and a wrong one: nothing here is broken
WRONG = (
    r"MTU is too small",
    r"only small packets from",
    r"no traffic from .* reaches",
    r"no answer, asked by",
    r"is lost, or its node",
    r"cannot start",
    r"refuses node",
    r"\d s (behind|ahead of) the leader",
    r"tasks\.worker (does not name|names)",
    r"force-new-cluster",
    r"mpigen down \(it ends jobs\)",
    r"Traceback",
)
# what a command says that has given up
SLOW = r"slow|after \d+ s|within \d+ s|no answer"

# a command, and what it prints where it is right
COMMANDS = {
    "status": ([], "worker: 4 of 4 containers"),
    "doctor": ([], "4 of 4 worker run"),
    "run": (["--", "hello"], "Allreduce over 8 ranks: correct"),
    "verify": (["-k", "ssh or hostfile"], " passed"),  # all of it takes ten minutes there
    "deploy": (["--image", TAG, "--wait", "600"], "worker: 4 containers"),
    "scale": (["worker=5", "--wait", "600"], "worker: 5 containers"),
    "down": (["--wait", "600"], "the stack mpi is gone"),
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The reference site, deployed while its servers were quick."""
    base.ensure(engine.ensure(print), "debian:trixie-slim", print)
    text = (ROOT / "mpigen.yaml").read_text("utf-8") + f"image: {{tag: '{TAG}'}}\n"
    output = make_site(tmp_path_factory.mktemp("slow"), text)
    check("sh", output / "scripts/build.sh", timeout=600)
    lab.down(NAME, print)
    try:
        here = lab.up(NAME, 3, print)
        lab.load(here, TAG, print)
        made = Cluster("mpi", output, {"DOCKER_HOST": here.docker_host})
        done = made.script("deploy.sh")
        assert done.code == 0, done.out + done.err
        host = {"DOCKER_HOST": engine.local_endpoint().url}
        for node in here.nodes:
            check("docker", "update", "--cpus", CPUS, node.container, env=host)
        yield made
    finally:
        lab.down(NAME, print)


def test_a_job_that_is_ended_there_has_lost_nobody(cluster: Cluster) -> None:
    words = ("run", "-o", cluster.output, "--", "sh", "-c", "hello; sleep 600")
    job = subprocess.Popen(
        [sys.executable, "-m", "mpigen", *map(str, words)],
        env={**os.environ, **cluster.env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with pytest.raises(subprocess.TimeoutExpired):
        job.communicate(timeout=120)
    job.terminate()
    said = job.communicate(timeout=LIMIT)[0]
    assert job.returncode == 143, said
    assert [wrong for wrong in WRONG if re.search(wrong, said)] == [], said


@pytest.mark.parametrize("verb", COMMANDS)
def test_a_command_is_right_or_says_that_it_is_slow(
    cluster: Cluster, verb: str, tmp_path: Path
) -> None:
    words, right = COMMANDS[verb]
    began = time.monotonic()
    done = mpigen(cluster, verb, *words)
    took = time.monotonic() - began
    said = done.out + done.err
    (tmp_path / "said").write_text(said)
    is_right = done.code == 0 and right in done.out
    last = next((line for line in reversed(said.splitlines()) if re.search(SLOW, line)), "")
    figure(
        f"{CPUS} CPUs: {verb:8} {took:5.0f} s  exit code {done.code}  "
        f"{'right' if is_right else 'told: ' + last.strip()[:60]}"
    )
    assert [wrong for wrong in WRONG if re.search(wrong, said)] == [], said
    assert is_right or re.search(SLOW, said), said


def mpigen(cluster: Cluster, verb: str, *words: str) -> Done:
    command = (sys.executable, "-m", "mpigen", verb, "-o", cluster.output, *words)
    return call(*command, env=cluster.env, timeout=LIMIT)
