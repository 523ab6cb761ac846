"""No success by silence, and no diagnosis by silence: what is not there, not yet, or going away."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from mpigen.lab import base, engine, lab
from tests.interrupts import until
from tests.swarm.conftest import Done, call, check, make_site

pytestmark = pytest.mark.long

TEXT = """\
name: sil
network: {subnet: 10.84.0.0/24}
workers: [{name: cpu, replicas: 2}]
"""
MORE = TEXT.replace("replicas: 2}", "replicas: 2}, {name: gpu, replicas: 1}")
IMAGE = "sil:latest"


@dataclass(frozen=True)
class Site:
    """A site whose verbs talk to the lab's manager; its image is built without mpigen."""

    folder: Path
    env: dict[str, str]
    lab: lab.Lab

    def command(self, verb: str, *words: str) -> list[str]:
        return [sys.executable, "-m", "mpigen", verb, "-o", str(self.folder / "output"), *words]

    def mpigen(self, verb: str, *words: str, **env: str) -> Done:
        return call(*self.command(verb, *words), env={**self.env, **env}, timeout=400)

    def well(self, verb: str, *words: str) -> Done:
        done = self.mpigen(verb, *words)
        assert done.code == 0, done.out + done.err
        return done

    def begin(self, verb: str, *words: str) -> "subprocess.Popen[str]":
        """A verb that runs in the background."""
        return subprocess.Popen(
            self.command(verb, *words),
            env={**os.environ, **self.env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def render(self, text: str) -> None:
        (self.folder / "mpigen.yaml").write_text(text)
        check(sys.executable, "-m", "mpigen", "render", "-c", self.folder / "mpigen.yaml")

    def build(self, mark: str) -> None:
        """Another image of the same name, on every node, as build.sh and docker load make it."""
        script = self.folder / "output/scripts/build.sh"
        check("sh", script, "--label", f"mark={mark}", timeout=600)
        lab.load(self.lab, IMAGE, print)

    def docker(self, *words: str) -> str:
        return check("docker", *words, env=self.env)

    def tasks(self, group: str = "cpu") -> set[str]:
        """The ids of the tasks that run."""
        wanted = ("--filter", "desired-state=running")
        return set(self.docker("service", "ps", f"sil_{group}", "--quiet", *wanted).split())

    def probes(self) -> list[str]:
        return self.docker("service", "ls", "-q", "--filter", "label=mpigen.probe").split()


@pytest.fixture(scope="module")
def site(
    the_lab: lab.Lab, lab_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    base.ensure(engine.local(), "debian:trixie-slim", print)
    made = Site(tmp_path_factory.mktemp("sil"), lab_env, the_lab)
    make_site(made.folder, TEXT, program=False)
    made.build("0")
    yield made
    made.render(TEXT)
    made.well("down")


@pytest.fixture
def bare(site: Site) -> Site:
    """The site, and nothing deployed."""
    site.render(TEXT)
    site.well("down")
    return site


@pytest.fixture
def deployed(site: Site) -> Site:
    """The site as it is, deployed."""
    site.render(TEXT)
    site.well("deploy", "--image", IMAGE)
    return site


def test_a_global_group_whose_tasks_are_all_rejected_is_not_up(bare: Site) -> None:
    everywhere = "{name: cpu, mode: global, replicas: 3}"
    bare.render(
        TEXT.replace("{name: cpu, replicas: 2}", everywhere)
        + "storage: [{target: /data, type: bind, source: /nowhere}]\n"
    )
    done = bare.mpigen("deploy", "--image", IMAGE, "--wait", "12")
    assert done.code == 3, done.out + done.err
    assert "bind source path does not exist: /nowhere" in done.err
    script = bare.folder / "output/scripts/deploy.sh"
    done = call("sh", script, env={**bare.env, "WAIT": "12"})
    assert done.code == 3, done.out
    assert "bind source path does not exist: /nowhere" in done.err
    # Swarm does not change the mode of a service, and Docker's words for that are shown
    bare.render(TEXT)
    done = bare.mpigen("deploy", "--image", IMAGE)
    assert done.code == 3
    assert "docker stack deploy has failed:" in done.err
    assert "service mode change is not allowed" in done.err
    bare.well("down")


def test_another_image_of_the_same_name_is_rolled_out(deployed: Site) -> None:
    before = deployed.tasks()
    deployed.well("deploy", "--image", IMAGE)
    assert deployed.tasks() == before
    deployed.build("1")
    assert (
        "this engine now has another image of that name: mpigen deploy"
        in deployed.well("status").err
    )
    # a job is not ended unasked
    job = deployed.begin("run", "--", "sleep", "600")
    until(lambda: "sleep" in deployed.well("jobs").out)
    refused = deployed.mpigen("deploy", "--image", IMAGE)
    assert refused.code == 1, refused.out + refused.err
    assert "and deploying another image ends them" in refused.err
    job.send_signal(signal.SIGTERM)
    job.communicate(timeout=60)
    done = deployed.well("deploy", "--image", IMAGE)
    assert f"cpu: {IMAGE} has changed: its containers are replaced" in done.err
    after = deployed.tasks()
    assert len(after) == 2
    assert not after & before
    assert "another image of that name" not in deployed.well("status").err
    script = deployed.folder / "output/scripts/deploy.sh"
    check("sh", script, env=deployed.env)
    assert deployed.tasks() == after
    deployed.build("2")
    check("sh", script, env=deployed.env)
    assert len(deployed.tasks()) == 2
    assert not deployed.tasks() & after


def test_another_image_of_the_same_name_on_one_node_is_told(
    deployed: Site, the_lab_dockers: list[dict[str, str]]
) -> None:
    before = deployed.tasks()
    third = the_lab_dockers[2]
    check("docker", "tag", IMAGE, "kept:1", env=third)
    made = check("docker", "create", IMAGE, env=third).strip()
    check("docker", "cp", deployed.folder / "output/stack.yml", f"{made}:/etc/mpi/more", env=third)
    check("docker", "commit", made, IMAGE, env=third)
    check("docker", "rm", made, env=third)
    try:
        done = deployed.mpigen("deploy", "--image", IMAGE)
    finally:
        check("docker", "tag", "kept:1", IMAGE, env=third)
        check("docker", "rmi", "kept:1", env=third)
    assert done.code == 3, done.out
    assert f"node-3 has another {IMAGE} than this engine: mpigen build brings it there" in done.err
    assert deployed.tasks() == before


def test_a_group_that_is_not_deployed_yet(deployed: Site) -> None:
    deployed.render(MORE)
    not_yet(deployed, "gpu")
    deployed.render(TEXT)
    deployed.docker("service", "rm", "sil_cpu")
    done = deployed.mpigen("doctor")
    assert done.code == 0, done.out
    assert "the stack sil is not deployed" in done.out
    assert "force-new-cluster" not in done.out
    # one group of two was removed by hand
    deployed.render(MORE)
    deployed.well("deploy", "--image", IMAGE)
    deployed.docker("service", "rm", "sil_gpu")
    # the nodes' networks were new, and may take the better part of a minute to know each other
    until(lambda: deployed.mpigen("doctor").code == 0)
    not_yet(deployed, "gpu")
    deployed.render(TEXT)


def not_yet(site: Site, group: str) -> None:
    done = site.mpigen("doctor")
    assert done.code == 0, done.out
    assert f"{group} is not deployed yet" in done.out
    assert re.search(r"next: mpigen deploy -o \S+\n\Z", done.out), done.out
    assert "force-new-cluster" not in done.out
    began = time.monotonic()
    done = site.mpigen("run", "--", "true")
    assert done.code == 3
    assert f"{group}: rendered, but not deployed yet" in done.err
    assert time.monotonic() - began < 20
    assert site.mpigen("run", "--workers", "cpu", "--", "true").code == 0
    done = site.mpigen("verify")
    assert (done.code, done.out) == (3, "")
    assert f"{group}: rendered, but not deployed yet" in done.err
    assert f"{group}: rendered, but not deployed yet" in site.well("status").out


def test_a_network_made_beforehand_is_no_stack(bare: Site) -> None:
    subnet = "10.85.0.0/24"
    bare.render(
        TEXT.replace("{subnet: 10.84.0.0/24}", f"{{external: true, name: own, subnet: {subnet}}}")
    )
    bare.docker("network", "create", "-d", "overlay", "--attachable", "--subnet", subnet, "own")
    try:
        done = bare.mpigen("doctor")
    finally:
        bare.docker("network", "rm", "own")
    assert done.code == 0, done.out
    assert "the stack sil is not deployed" in done.out


def test_a_network_of_the_servers_own(bare: Site, the_lab_dockers: list[dict[str, str]]) -> None:
    subnet = "10.86.0.0/24"
    make = ("docker", "network", "create")
    for number, env in enumerate(the_lab_dockers, 1):
        check(
            *(
                *make,
                "--config-only",
                "--subnet",
                subnet,
                "--ip-range",
                f"10.86.0.{64 * number}/26",
            ),
            *("-o", "parent=eth0", "mv-config"),
            env=env,
        )
    bare.docker(
        *("network", "create", "-d", "macvlan", "--scope", "swarm", "--attachable"),
        *("--config-from", "mv-config", "mv"),
    )
    bare.render(
        TEXT.replace("{subnet: 10.84.0.0/24}", f"{{external: true, name: mv, subnet: {subnet}}}")
    )
    try:
        # the image's own subnet is another one
        bare.build("macvlan")
        bare.well("deploy", "--image", IMAGE)
        done = bare.mpigen("doctor")
        assert done.code == 0, done.out + done.err
        assert "Traceback" not in done.err
        assert "– overlay" not in done.out
        assert "2 of 2 cpu run" in done.out
    finally:
        bare.mpigen("down")
        bare.render(TEXT)
        bare.build("0")
        until(partial(_is_removed, "mv", bare.env))
        # each node lets go of the network in its own time
        for env in the_lab_dockers:
            until(partial(_is_removed, "mv-config", env))


def _is_removed(network: str, env: dict[str, str]) -> bool:
    return call("docker", "network", "rm", network, env=env).code == 0


def test_a_network_that_is_going_is_waited_for(deployed: Site) -> None:
    for _ in range(2):
        deployed.docker("stack", "rm", "sil")
        deployed.well("deploy", "--image", IMAGE)
    assert len(deployed.tasks()) == 2


def test_a_container_that_no_node_can_take_is_told_at_once(deployed: Site) -> None:
    here = 'replicas: 2, constraints: ["node.hostname == node-3"]'
    deployed.render(TEXT.replace("replicas: 2", here))
    deployed.well("deploy", "--image", IMAGE)
    deployed.docker("node", "update", "--availability", "drain", "node-3")
    try:
        until(lambda: "no suitable node" in deployed.well("status").out)
        began = time.monotonic()
        done = deployed.mpigen("run", "--", "true")
        assert done.code == 3
        assert "Swarm cannot place cpu-1: no suitable node" in done.err
        assert "not available for new tasks" in done.err
        assert time.monotonic() - began < 20
    finally:
        deployed.docker("node", "update", "--availability", "active", "node-3")


def test_verify_without_a_manager_is_one_sentence(
    deployed: Site, the_lab_dockers: list[dict[str, str]]
) -> None:
    done = deployed.mpigen("verify", **the_lab_dockers[1])
    assert (done.code, done.out) == (3, "")
    assert "is a worker of its Swarm" in done.err
    done = deployed.mpigen("verify", DOCKER_HOST=engine.local_endpoint().url)
    assert (done.code, done.out) == (3, "")
    assert "is not part of a Swarm" in done.err
    done = deployed.mpigen("verify", "--stack", "other")
    assert (done.code, done.out) == (3, "")
    assert "the stack other is not deployed" in done.err


def test_down_while_it_is_deployed_ends_the_deploy(bare: Site) -> None:
    # it never gets healthy, so the deploy waits
    bare.render(TEXT.replace("replicas: 2", 'replicas: 2, stack: {command: ["sleep", "600"]}'))
    deploy = bare.begin("deploy", "--image", IMAGE)
    until(lambda: "sil_cpu" in bare.docker("service", "ls"))
    down = bare.begin("down")
    _, said = deploy.communicate(timeout=30)
    assert deploy.returncode == 3, said
    assert "sil was removed while it was being deployed" in said
    _, said = down.communicate(timeout=120)
    assert down.returncode == 0, said


@pytest.mark.parametrize("killed", ["doctor", "deploy"])
@pytest.mark.parametrize("then", ["doctor", "deploy", "down"])
def test_probes_of_a_command_that_was_killed_are_removed(
    deployed: Site, killed: str, then: str
) -> None:
    words = ["--image", IMAGE] if killed == "deploy" else []
    running = deployed.begin(killed, *words)
    until(deployed.probes)
    running.kill()
    running.communicate()
    assert deployed.probes()
    deployed.well(then, *(["--image", IMAGE] if then == "deploy" else []))
    assert deployed.probes() == []


def test_a_failed_step_of_the_classic_builder_leaves_no_container(bare: Site) -> None:
    dockerfile = bare.folder / "output/Dockerfile"
    kept = dockerfile.read_text()
    mark = f"echo {time.time_ns()}"
    host = {"DOCKER_HOST": engine.local_endpoint().url, "DOCKER_BUILDKIT": "0"}
    dockerfile.write_text(f"FROM debian:trixie-slim\nRUN {mark}; exit 7\n")
    try:
        done = call("sh", bare.folder / "output/scripts/build.sh", env=host)
    finally:
        dockerfile.write_text(kept)
    assert done.code != 0
    assert mark in done.out + done.err
    there = check("docker", "ps", "--all", "--no-trunc", "--format", "{{.Command}}", env=host)
    assert mark not in there
