"""Workers with another processor, which QEMU emulates, alone and together with this machine's."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from mpigen.image import distribute
from mpigen.lab import base, engine, lab
from tests.matrix.cells import EMULATED
from tests.swarm.conftest import Cluster, call, check, make_site

pytestmark = pytest.mark.long
MPIGEN = (sys.executable, "-m", "mpigen")
# the engines of a lab have this machine's processor, so labels stand for node.platform.arch
TEXT = """\
name: processors
app: {source: app, check: hello}
image: {platforms: [linux/amd64, linux/arm64]}
network: {subnet: 10.88.0.0/24}
workers:
  - {name: arm, replicas: 2, slots: 1, constraints: [node.labels.processor==arm64]}
  - {name: amd, replicas: 1, slots: 1, constraints: [node.labels.processor==amd64]}
"""
ARM = ["arm-1", "arm-2"]
SLOW = {"MPI_WAIT": "300"}


@pytest.fixture(autouse=True)
def its_cell(request: pytest.FixtureRequest) -> None:
    """For the table of all cells."""
    request.node.user_properties.append(("cell", str(EMULATED)))


@pytest.fixture(scope="module")
def cluster(newest: lab.Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A site for two processors: the image for the foreign one is on two of three nodes."""
    here = engine.local()
    for platform in ("linux/amd64", "linux/arm64"):
        base.ensure(here, "debian:trixie-slim", print, platform=platform)
    output = make_site(tmp_path_factory.mktemp("processors"), TEXT)
    made = Cluster("processors", output, {"DOCKER_HOST": newest.docker_host})
    built = check(*MPIGEN, "build", "-o", output, "--lab", newest.name, timeout=3600)
    (tag,) = set(re.findall(r" is (processors:sha-\w{12}) for ", built))
    names = (tag, "processors:latest")
    distribute.copy(here, newest.nodes[1:], f"{tag}.arm64", print, names)
    for node, processor in zip(newest.nodes, ("amd64", "arm64", "arm64"), strict=True):
        label = f"processor={processor}"
        made.docker("node", "update", "--label-add", label, node.name)
    done = call(*MPIGEN, "deploy", "-o", output, "--wait", "600", env=made.env, timeout=900)
    assert done.code == 0, done.out + done.err
    yield made
    assert made.script("down.sh").code == 0
    for node in newest.nodes:
        made.docker("node", "update", "--label-rm", "processor", node.name)


def hosts_of(printed: str) -> list[str]:
    return sorted(re.findall(r"Size: \d+, Rank: \d+, Host: (\S+)", printed))


def on_arm(cluster: Cluster, *words: str) -> str:
    """What a job on the emulated hosts alone prints."""
    command = (
        *MPIGEN,
        "run",
        "-o",
        cluster.output,
        "--workers",
        "arm",
        "--",
        *words,
    )
    return check(*command, env=cluster.env, timeout=900)


def test_ranks_on_emulated_hosts_communicate(cluster: Cluster) -> None:
    machines = on_arm(cluster, "uname", "-m").split()
    assert machines == ["aarch64", "aarch64"]
    printed = on_arm(cluster, "hello")
    assert "Allreduce over 2 ranks: correct" in printed
    assert hosts_of(printed) == ARM


def test_ranks_of_two_processors_communicate(cluster: Cluster) -> None:
    printed = cluster.run("sh", "-c", "echo $(uname -n) $(uname -m)", **SLOW)
    wanted = ["amd-1 x86_64", "arm-1 aarch64", "arm-2 aarch64"]
    assert sorted(printed.splitlines()) == wanted
    printed = cluster.run("hello", **SLOW)
    assert "Allreduce over 3 ranks: correct" in printed
    assert hosts_of(printed) == ["amd-1", *ARM]


@pytest.mark.parametrize("code", [1, 7])
def test_the_exit_code_is_the_programs(cluster: Cluster, code: int) -> None:
    done = cluster.script("run.sh", "sh", "-c", f"exit {code}", **SLOW)
    assert done.code == code, done.err


def test_input_and_output_arrive_whole(cluster: Cluster) -> None:
    printed = cluster.run("sh", "-c", "head -c 200000 /dev/zero | tr '\\0' x", **SLOW)
    assert printed.count("x") == 3 * 200_000
    done = subprocess.run(
        [*MPIGEN, "run", "-o", str(cluster.output), "--workers", "arm", "--", "wc", "-c"],
        input="y" * 300_000,
        env={**os.environ, **cluster.env},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert sorted(done.stdout.split()) == ["0", "300000"], done.stderr


def test_doctor_sees_that_two_nodes_emulate(cluster: Cluster) -> None:
    done = call(*MPIGEN, "doctor", "-o", cluster.output, env=cluster.env, timeout=900)
    assert done.code == 0, done.out
    assert "node-2, node-3: another processor than the image's, which is emulated" in done.out


def test_the_rendered_checks_pass(cluster: Cluster) -> None:
    done = cluster.verify()
    assert done.code == 0, done.out


def test_a_lost_worker_ends_its_job_and_is_replaced(cluster: Cluster, newest: lab.Lab) -> None:
    node, task = cluster.tasks("arm")["arm-2"]
    docker = next(each.docker_host for each in newest.nodes if each.name == node)
    killer = ["sh", "-c", f"sleep 30; docker kill processors_arm.2.{task}"]
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "DOCKER_HOST": docker}
    with subprocess.Popen(killer, env=environment):
        done = cluster.script("run.sh", "sleep", "600", **SLOW)
    assert done.code not in (0, 124), done.out + done.err
    assert "mpirun: arm-2 (" in done.err, done.err
    assert hosts_of(cluster.run("hello", **SLOW)) == ["amd-1", *ARM]
    assert cluster.tasks("arm")["arm-2"][1] != task
