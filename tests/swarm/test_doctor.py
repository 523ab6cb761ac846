"""The doctor on a real Swarm: healthy, then broken for real in one way after the other."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from mpigen.lab import base, engine, lab
from tests.interrupts import until_it_ends
from tests.swarm.conftest import LAB, ROOT, Cluster, Done, call, check, make_site

pytestmark = pytest.mark.long

# a lab of its own: these tests stop engines and close ports
NAME = f"{LAB}-doctor"
TAG = "doctor:latest"
NETWORK = "10.78.0.0/24"
LOOKS = {"image", "disk", "clock", "ports", "overlay", "mtu", "subnet", "kernel", "dns"}


@dataclass(frozen=True)
class Patient:
    """A deployed cluster on a lab that a test may break."""

    cluster: Cluster
    lab: lab.Lab

    def docker(self, node: int, *arguments: str) -> str:
        """What docker prints, asked on that node."""
        env = {"DOCKER_HOST": self.lab.nodes[node - 1].docker_host}
        return check("docker", *arguments, env=env)

    def inside(self, node: int, *command: str) -> str:
        """What a command in the node itself prints."""
        return self.docker_here("exec", self.lab.nodes[node - 1].container, *command)

    def docker_here(self, *arguments: str) -> str:
        """What docker prints, asked on this machine's engine, which runs the nodes."""
        return check("docker", "-H", engine.local_endpoint().url, *arguments)

    def doctor(self, *arguments: str, **env: str) -> Done:
        command = (sys.executable, "-m", "mpigen", "doctor", "-o", self.cluster.output)
        return call(*command, *arguments, env={**self.cluster.env, **env})

    def findings(self, **env: str) -> dict[str, list[tuple[str, str]]]:
        """Verdict and words of each finding, by check; nothing of ours may be left after."""
        done = self.doctor("--json", **env)
        report = json.loads(done.out)
        found: dict[str, list[tuple[str, str]]] = {}
        for one in report["findings"]:
            found.setdefault(one["check"], []).append((one["verdict"], one["what"]))
            assert one["todo"] or one["verdict"] != "bad", one
        bad = [one for one in report["findings"] if one["verdict"] == "bad"]
        assert (done.code, report["healthy"]) == ((1, False) if bad else (0, True)), done.err
        return found

    def bad(self) -> dict[str, list[str]]:
        """What is bad, by check."""
        found = {
            name: [what for verdict, what in those if verdict == "bad"]
            for name, those in self.findings().items()
        }
        assert self.left() == []
        return {name: those for name, those in found.items() if those}

    def left(self) -> list[str]:
        """Services of ours that are still there."""
        return self.docker(1, "service", "ls", "-q", "--filter", "label=mpigen.probe").split()

    def recovers(self) -> None:
        """Wait until the doctor finds nothing bad: gossip takes its time."""
        poll(self.bad, lambda found: not found)


def poll(
    ask: Callable[[], object], settled: Callable[[object], object], seconds: int = 150
) -> None:
    deadline = time.monotonic() + seconds
    while not settled(answer := ask()):
        assert time.monotonic() < deadline, answer
        time.sleep(0.5)


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Patient]:
    """The reference site under a name and on a subnet of its own."""
    client = engine.ensure(print)
    base.ensure(client, "debian:trixie-slim", print)
    text = (ROOT / "mpigen.yaml").read_text(encoding="utf-8")
    text = text.replace("name: mpi\n", f"name: doctor\nnetwork: {{subnet: {NETWORK}}}\n", 1)
    output = make_site(tmp_path_factory.mktemp("doctor"), text)
    check("sh", output / "scripts" / "build.sh", timeout=600)
    lab.down(NAME, print)
    try:
        here = lab.up(NAME, 3, print)
        lab.load(here, TAG, print)
        yield Patient(Cluster("doctor", output, {"DOCKER_HOST": here.docker_host}), here)
    finally:
        lab.down(NAME, print)


@pytest.fixture
def deployed(patient: Patient) -> Patient:
    """The patient, deployed and well; or well again after what the last test did to it."""
    if not patient.docker(1, "service", "ls", "-q"):
        done = patient.cluster.script("deploy.sh")
        assert done.code == 0, done.out + done.err
    patient.recovers()
    return patient


def test_before_it_is_deployed(patient: Patient) -> None:
    done = patient.doctor()
    assert done.code == 0, done.out + done.err
    assert "✗" not in done.out
    assert "– overlay   the stack doctor is not deployed: only traffic" in done.out
    assert re.search(r"next: mpigen deploy -o \S+\n\Z", done.out), done.out
    assert patient.left() == []

    # addresses that are taken already, on one server and in the Swarm
    patient.docker(2, "network", "create", "--subnet", "10.78.0.0/16", "taken")
    patient.docker(1, "network", "create", "-d", "overlay", "--subnet", "10.78.0.128/25", "other")
    try:
        clash = patient.bad()
    finally:
        patient.docker(2, "network", "rm", "taken")
        patient.docker(1, "network", "rm", "other")
    assert set(clash) == {"subnet"}
    in_swarm, on_server = clash["subnet"]
    assert in_swarm == f"{NETWORK} overlaps 10.78.0.128/25 of the network other"
    assert on_server.startswith(f"node-2: {NETWORK} overlaps 10.78.0.0/16, which goes to br-")
    assert patient.bad() == {}


def test_a_healthy_cluster(deployed: Patient) -> None:
    done = deployed.doctor()
    assert done.code == 0, done.out + done.err
    lines = done.out.splitlines()
    assert {line[0] for line in lines[:-2]} == {"✓"}, done.out
    assert {line.split()[1] for line in lines[:-2]} >= {*LOOKS, "client", "engine", "managers"}
    assert lines[-2] == f"0 failed, 0 unknown, {len(lines) - 2} passed"
    assert re.fullmatch(r"next: mpigen verify -o \S+", lines[-1])
    assert "4 of 4 worker run" in done.out
    assert "checking 3 nodes" in done.err
    assert deployed.left() == []


def test_an_image_that_one_node_lacks(deployed: Patient) -> None:
    # under another name it stays with the containers that run it
    deployed.docker(2, "tag", TAG, "kept:1")
    deployed.docker(2, "rmi", TAG)
    try:
        found = deployed.findings()
        assert deployed.bad() == {"image": [f"node-2: no image {TAG}"]}
    finally:
        deployed.docker(2, "tag", "kept:1", TAG)
        deployed.docker(2, "rmi", "kept:1")
    for name in LOOKS - {"image"}:
        unknown = f"not checked: node-2 (No such image: {TAG})"
        assert ("unknown", unknown) in found[name]
        assert "ok" in {verdict for verdict, _ in found[name]}, name


def test_another_image_of_the_same_name(deployed: Patient) -> None:
    deployed.docker(3, "tag", TAG, "kept:1")
    made = deployed.docker(3, "create", TAG).strip()
    deployed.docker(3, "cp", f"{deployed.cluster.output}/stack.yml", f"{made}:/etc/mpi/more")
    deployed.docker(3, "commit", made, TAG)
    deployed.docker(3, "rm", made)
    try:
        found = deployed.bad()
    finally:
        deployed.docker(3, "tag", "kept:1", TAG)
        deployed.docker(3, "rmi", "kept:1")
    assert set(found) == {"image"}
    assert found["image"][0].startswith(f"{TAG} is not the same everywhere: ")
    assert " on node-1, node-2; " in found["image"][0]
    assert " on node-3; " in found["image"][0]


def test_a_drained_node(deployed: Patient) -> None:
    deployed.docker(1, "node", "update", "--availability", "drain", "node-3")
    try:
        found = deployed.findings()
    finally:
        deployed.docker(1, "node", "update", "--availability", "active", "node-3")
    assert found["nodes"] == [("bad", "node-3 is drained")]
    for name in LOOKS:
        assert ("unknown", "not checked: node-3 (drained)") in found[name]


def test_a_closed_port(deployed: Patient) -> None:
    address = deployed.lab.nodes[1].address
    with unreachable(deployed, 2, "tcp", 7946), unreachable(deployed, 2, "udp", 7946):
        found = deployed.bad()
    closed = f"7946/tcp of node-2 ({address}): no answer, asked by node-1, node-2, node-3"
    assert found["ports"] == [closed]


def test_no_way_for_the_overlay(deployed: Patient) -> None:
    with unreachable(deployed, 2, "udp", 4789):
        found = deployed.bad()
    assert "ports" not in found
    assert all(what.startswith("no traffic from ") for what in found["overlay"]), found
    assert [what for what in found["overlay"] if "node-2" in what]


@contextmanager
def unreachable(patient: Patient, node: int, protocol: str, port: int) -> Iterator[None]:
    """Drop what comes in to that port of a node, as a firewall does."""
    rule = ("INPUT", "-p", protocol, "--dport", str(port), "-j", "DROP")
    patient.inside(node, "iptables", "-I", *rule)
    try:
        yield
    finally:
        patient.inside(node, "iptables", "-D", *rule)


def test_a_link_with_a_smaller_mtu(deployed: Patient) -> None:
    def link(size: int) -> None:
        run = ("run", "--rm", "--network", "host", "--cap-add", "NET_ADMIN", "--user", "0")
        command = ("link", "set", "eth0", "mtu", str(size))
        deployed.docker(2, *run, "--entrypoint", "ip", TAG, *command)

    link(1300)
    try:
        found = deployed.bad()
    finally:
        link(1500)
    assert found["mtu"] == [
        "node-2: eth0 carries packets of 1300 bytes, but the overlay is made for 1500"
    ]
    assert [what for what in found["overlay"] if what.startswith("only small packets from ")]


def test_an_engine_that_is_stopped(deployed: Patient) -> None:
    container = deployed.lab.nodes[2].container_id
    deployed.docker_here("stop", "-t", "20", container)
    try:
        # at first Swarm itself does not know
        poll(deployed.bad, lambda found: found.get("nodes") == ["node-3 is down"])  # type: ignore[attr-defined]
        found = deployed.findings()
    finally:
        deployed.docker_here("start", container)
    assert "bad" not in {verdict for name in LOOKS for verdict, _ in found[name]}
    for name in LOOKS:
        assert ("unknown", "not checked: node-3 (down)") in found[name]


def test_from_a_worker(deployed: Patient) -> None:
    first, second, _ = deployed.lab.nodes
    found = deployed.findings(DOCKER_HOST=second.docker_host)
    assert {verdict for name in ("client", "engine") for verdict, _ in found[name]} == {"ok"}
    assert found["swarm"] == [
        (
            "unknown",
            f"the engine at {second.docker_host} is a worker of its Swarm; "
            f"its managers: {first.address}: name one of them with --context",
        )
    ]
    assert {found[name][0] for name in LOOKS} == {("unknown", "a worker does not know this")}


def test_no_engine(deployed: Patient, tmp_path: Path) -> None:
    done = deployed.doctor(DOCKER_HOST=f"unix://{tmp_path}/none.sock")
    assert done.code == 1
    assert f"✗ engine    no Docker engine answers at unix://{tmp_path}/none.sock" in done.out
    assert "→ Start that engine, or use another one: DOCKER_HOST sets this address." in done.out
    assert "– dns       no engine answers" in done.out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_interrupted_it_leaves_nothing(deployed: Patient, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "mpigen", "doctor", "-o", str(deployed.cluster.output)]
    environment = {**os.environ, **deployed.cluster.env}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as running:
        poll(deployed.left, bool, 30)
        assert until_it_ends(running, number) == 128 + number
    assert deployed.left() == []


def test_it_was_well_after_all_that(deployed: Patient) -> None:
    assert deployed.bad() == {}
