"""A Swarm of three managers, and what can happen to it: each test undoes what it has done."""

import os
import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from mpigen.lab import base, engine, lab
from mpigen.lab.nodes import Node
from tests.swarm.conftest import ROOT, Cluster, Done, call, check, make_site, own_lab

LAB = own_lab("faults")


@dataclass
class Job:
    """A job that runs in the background, by run.sh."""

    process: "subprocess.Popen[str]"
    began: float

    def end(self, timeout: float) -> tuple[Done, float]:
        """How it ended, and the moment; it must end within `timeout` seconds."""
        out, err = self.process.communicate(timeout=timeout)
        return Done(self.process.returncode, out, err), time.monotonic()


def start(cluster: Cluster, *command: str, ready: str, **env: str) -> Job:
    """Start a job of 8 ranks, and wait until each has printed the line `ready`."""
    process = subprocess.Popen(
        ["sh", str(cluster.output / "scripts/run.sh"), *command],
        env={**os.environ, **cluster.env, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    there = 0
    for line in process.stdout:
        there += line.rstrip() == ready
        if there == 8:
            return Job(process, time.monotonic())
    process.wait()
    assert process.stderr
    raise AssertionError(f"the job ended with {process.returncode}: {process.stderr.read()}")


def until(true: Callable[[], bool], seconds: float, what: str) -> float:
    """Wait until `true()`; how many seconds that took. Fails, saying `what`, after `seconds`."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds, f"{what}: not within {seconds} s"
        time.sleep(0.5)
    return time.monotonic() - began


@contextmanager
def cut_off(node: Node) -> Iterator[None]:
    """Drop every packet of a node, both ways, without a word: as a pulled cable does."""
    inside = ["docker", "exec", node.container, "iptables"]
    rules = [["INPUT", "-i", "eth0"], ["OUTPUT", "-o", "eth0"]]
    try:
        for rule in rules:
            check(*inside, "-I", *rule, "-j", "DROP")
        yield
    finally:
        for rule in rules:
            check(*inside, "-D", *rule, "-j", "DROP")


@contextmanager
def switched_off(node: Node) -> Iterator[None]:
    """Stop a node as a power failure does, and start it again."""
    check("docker", "kill", node.container)
    try:
        yield
    finally:
        check("docker", "start", node.container)
        until(lambda: call("docker", "version", env=docker_of(node)).code == 0, 60, "engine")


def docker_of(node: Node) -> dict[str, str]:
    """What makes plain docker talk to that node."""
    return {"DOCKER_HOST": node.docker_host}


def ready(cluster: Cluster) -> set[str]:
    """The nodes that the Swarm calls ready; none while its managers choose a leader."""
    done = call("docker", "node", "ls", "--format", "{{.Hostname}} {{.Status}}", env=cluster.env)
    return {line.split()[0] for line in done.out.splitlines() if line.endswith(" Ready")}


def settled_without(cluster: Cluster, node: Node) -> bool:
    """Whether Swarm knows that the node is lost, and all workers are up on others."""
    done = call(
        *("docker", "service", "ps", f"{cluster.name}_worker", "--filter", "desired-state=running"),
        *("--format", "{{.Node}} {{.CurrentState}}"),
        env=cluster.env,
    )
    tasks = [line.split()[:2] for line in done.out.splitlines()]
    up = ready(cluster)
    return (
        bool(up - {node.name})
        and node.name not in up
        and len(tasks) == 4
        and all(state == "Running" and where in up for where, state in tasks)
    )


def hosts_of(printed: str) -> list[str]:
    """The host of each rank that says where it is, sorted."""
    return sorted(re.findall(r"Size: \d+, Rank: \d+, Host: (\S+)", printed))


def assert_works(cluster: Cluster) -> None:
    """The next job must use all workers, and be right. Of which numbers they are Swarm chooses."""
    printed = cluster.run("hello", MPI_WAIT="120")
    assert sorted(Counter(hosts_of(printed)).values()) == [2, 2, 2, 2], printed
    assert "Allreduce over 8 ranks: correct" in printed


@pytest.fixture(scope="session")
def the_lab() -> Iterator[lab.Lab]:
    """Three engines, each a manager of their Swarm, taken down at the end."""
    engine.ensure(print)
    lab.down(LAB, print)  # what a run that was killed has left
    try:
        yield lab.up(LAB, 3, print, managers=3)
    finally:
        lab.down(LAB, print)


@pytest.fixture(scope="module", params=["trixie", "bookworm"])
def cluster(
    request: pytest.FixtureRequest,
    the_lab: lab.Lab,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Cluster]:
    """The reference site on Debian 13 (Open MPI 5) and Debian 12 (4), deployed.

    The one for newer engines, which look often at what starts; the other for any.
    """
    image = f"debian:{request.param}-slim"
    base.ensure(engine.local(), image, print)
    text = (ROOT / "mpigen.yaml").read_text(encoding="utf-8")
    text += f"image: {{base: {image}, tag: '{LAB}:{request.param}'}}\n"
    text += {"trixie": 'engine: {minimum: "25.0"}\n', "bookworm": ""}[request.param]
    output = make_site(tmp_path_factory.mktemp(request.param), text)
    check("sh", output / "scripts/build.sh", timeout=600)
    lab.load(the_lab, f"{LAB}:{request.param}", print)
    made = Cluster("mpi", output, docker_of(the_lab.nodes[0]))
    done = made.script("deploy.sh")
    assert done.code == 0, done.out + done.err
    yield made
    until(lambda: made.script("down.sh").code == 0, 60, "the stack's end")
