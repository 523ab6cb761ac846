"""The leader of three managers is lost: while a stack is deployed, and while a job runs."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpigen.lab import base, engine, lab
from mpigen.lab.nodes import Node
from tests.faults.conftest import docker_of, start, switched_off, until
from tests.figures import figure
from tests.swarm.conftest import Cluster, Done, call, check, make_site

pytestmark = pytest.mark.long

# the workers keep clear of the leader, so that its loss is that of a manager alone
TEXT = """\
name: led
app: {source: app, check: hello}
network: {subnet: 10.84.0.0/24}
workers:
  - {name: worker, replicas: 4, slots: 2, constraints: ["node.hostname != LEADER"]}
"""


@pytest.fixture
def leader(the_lab: lab.Lab) -> Node:
    """The node that leads, now that there are three managers."""
    name = _back(the_lab.nodes[0])
    return next(node for node in the_lab.nodes if node.name == name)


@pytest.fixture
def led(the_lab: lab.Lab, leader: Node, tmp_path: Path) -> Iterator[Cluster]:
    """A site that is built and not deployed, reached by a manager that does not lead."""
    base.ensure(engine.local(), "debian:trixie-slim", print)
    other = next(node for node in the_lab.nodes if node != leader)
    text = TEXT.replace("LEADER", leader.name)
    made = Cluster("led", make_site(tmp_path, text), docker_of(other))
    check("sh", made.output / "scripts/build.sh", timeout=600)
    lab.load(the_lab, "led:latest", print)
    yield made
    until(lambda: verb(made, "down").code == 0, 90, "the stack's end")


def _back(node: Node) -> str:
    """Wait until there are three managers; the host name of the one that leads."""
    leaders: list[str] = []

    def whole() -> bool:
        done = call(
            *("docker", "node", "ls", "--format", "{{.Hostname}} {{.ManagerStatus}}"),
            env=docker_of(node),
        )
        states = dict(line.split(maxsplit=1) for line in done.out.splitlines() if " " in line)
        leaders[:] = [name for name, state in states.items() if state == "Leader"]
        return sorted(states.values()) == ["Leader", "Reachable", "Reachable"]

    until(whole, 120, "three managers")
    return leaders[0]


def verb(cluster: Cluster, *words: str) -> Done:
    """Run a verb of mpigen on the cluster's folder."""
    name, *rest = words
    mpigen = [sys.executable, "-m", "mpigen", name, "-o", cluster.output]
    return call(*mpigen, *rest, env=cluster.env, timeout=400)


def test_the_leader_is_lost_while_a_stack_is_deployed(led: Cluster, leader: Node) -> None:
    command = [sys.executable, "-m", "mpigen", "deploy", "-o", led.output, "--wait", "180"]
    deploy = subprocess.Popen(
        [str(word) for word in command],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", **led.env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert deploy.stderr
    for line in deploy.stderr:
        if line.startswith("deploying "):
            break
    until(lambda: "led" in call("docker", "stack", "ls", env=led.env).out, 30, "the stack")
    began = time.monotonic()
    with switched_off(leader):
        out, err = deploy.communicate(timeout=300)
        figure(
            f"leader lost during deploy: exit {deploy.returncode} after "
            f"{time.monotonic() - began:.1f} s"
        )
        assert deploy.returncode == 0, err
        assert "worker: 4 containers on 2 nodes, 8 slots" in out
    _back(leader)


def test_the_leader_is_lost_while_a_job_runs_and_a_status_is_asked(
    led: Cluster, leader: Node
) -> None:
    assert verb(led, "deploy").code == 0
    script = "echo runs; sleep 30; echo over"
    job = start(led, "sh", "-c", script, ready="runs")
    began = time.monotonic()
    with switched_off(leader):
        asked = verb(led, "status", "--json")
        # it tells, or says why it cannot
        assert asked.code in (0, 3) and (asked.out.startswith("{") or "error: " in asked.err)
        waited = until(lambda: verb(led, "status", "--json").code == 0, 60, "a status")
        report = json.loads(verb(led, "status", "--json").out)
        assert report["slots"] == 8
        done, ended = job.end(timeout=120)
        figure(
            f"leader lost during a job: exit {done.code} after {ended - began:.1f} s; "
            f"status again after {waited:.1f} s"
        )
        assert done.code == 0, done.err
        assert done.out.split() == ["over"] * 8
        again = verb(led, "run", "--", "hello")
        assert again.code == 0 and "Allreduce over 8 ranks: correct" in again.out, again.err
    _back(leader)
