"""Both builders of Docker and both of its image stores, on a Swarm that has each store."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from mpigen.image import distribute
from mpigen.lab import base, engine, lab
from tests.interrupts import until
from tests.swarm.conftest import Cluster, call, check, make_site, mpigen

pytestmark = pytest.mark.long

TEXT = """\
name: stores
app: {source: app, check: hello}
network: {subnet: 10.88.0.0/24}
workers: [{name: worker, replicas: 3, slots: 1, max_per_node: 1}]
"""
IMAGE = "stores:latest"
PLUGIN = "cli-plugins/docker-buildx"


class Way(NamedTuple):
    """A builder, and the node of the lab whose engine builds: one for each image store."""

    builder: str
    node: int


WAYS = {
    "BuildKit, containerd's store": Way("buildkit", 0),
    "BuildKit, Docker's store": Way("buildkit", 1),
    "classic, containerd's store": Way("classic", 0),
    "classic, Docker's store": Way("classic", 1),
}


@pytest.fixture(scope="module")
def buildx(stores: lab.Lab, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What makes the docker command build with BuildKit: its plugin, Debian's if it has none."""
    if call("docker", "buildx", "version").code == 0:
        return {"DOCKER_BUILDKIT": "1"}
    node = stores.nodes[0].container_id
    script = "apt-get update && apt-get install -y --no-install-recommends docker-buildx"
    check("docker", "exec", node, "sh", "-c", script, timeout=600)
    config = tmp_path_factory.mktemp("buildx")
    (config / PLUGIN).parent.mkdir()
    check("docker", "cp", f"{node}:/usr/libexec/docker/{PLUGIN}", config / PLUGIN)
    env = {"DOCKER_BUILDKIT": "1", "DOCKER_CONFIG": str(config)}
    check("docker", "buildx", "version", env=env)
    return env


@pytest.fixture(scope="module")
def output(stores: lab.Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, rendered, and its base on the nodes that build."""
    base.ensure(engine.local(), "debian:trixie-slim", print)
    lab.load(stores, "debian:trixie-slim", print)
    return make_site(tmp_path_factory.mktemp("stores"), TEXT)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    return WAYS[str(request.param)]


@pytest.fixture
def cluster(output: Path, stores: lab.Lab) -> Iterator[Cluster]:
    made = Cluster("stores", output, {"DOCKER_HOST": stores.docker_host})
    yield made
    check(*mpigen("down", output), env=made.env)


def build(way: Way, buildx: dict[str, str], stores: lab.Lab, output: Path, mark: str) -> None:
    """An image on one node, as build.sh makes it, and copied to the others."""
    node = stores.nodes[way.node]
    env = buildx if way.builder == "buildkit" else {"DOCKER_BUILDKIT": "0"}
    env = {**env, "DOCKER_HOST": node.docker_host}
    done = call("sh", output / "scripts/build.sh", "--label", f"mark={mark}", env=env, timeout=900)
    assert done.code == 0, done.out + done.err
    # BuildKit numbers its steps, on standard error; the classic builder warns that it is old
    assert ("#1 " in done.err) == (way.builder == "buildkit"), done.err
    others = [each for each in stores.nodes if each is not node]
    said: list[str] = []
    for _ in range(2):
        distribute.copy(node.connect(600), others, IMAGE, said.append)
    # the second time there is nothing to copy: ids differ, and the image is the same
    assert said[-2:] == [f"{each.name} has {IMAGE} already" for each in others], said


def test_an_image_is_the_same_in_every_store_and_a_changed_one_is_rolled_out(
    cluster: Cluster, way: Way, buildx: dict[str, str], stores: lab.Lab
) -> None:
    def run(verb: str, *words: str) -> str:
        done = call(*mpigen(verb, cluster.output, *words), env=cluster.env)
        assert done.code == 0, done.out + done.err
        return done.out + done.err

    deploy = ("deploy", "--image", IMAGE)
    build(way, buildx, stores, cluster.output, "first")
    run(*deploy)
    first = cluster.tasks()
    assert "Allreduce over 3 ranks: correct" in run("run", "--", "hello")
    assert "another image" not in run("status")
    assert f"the same {IMAGE} on 3 nodes" in run("doctor")
    run(*deploy)
    assert cluster.script("deploy.sh", IMAGE=IMAGE).code == 0
    assert cluster.tasks() == first
    build(way, buildx, stores, cluster.output, "second")
    assert "this engine now has another image of that name" in run("status")
    assert "3 containers replaced" in run(*deploy, "--dry-run")
    run(*deploy)
    second = cluster.tasks()
    assert {id for _, id in second.values()}.isdisjoint(id for _, id in first.values())
    # a manager with the other store takes it for the same image
    manager = stores.nodes[1]
    cluster.docker("node", "promote", manager.name)
    try:
        there = {"DOCKER_HOST": manager.docker_host}
        until(lambda: call("docker", "node", "ls", env=there).code == 0)
        check(*mpigen(deploy[0], cluster.output, *deploy[1:]), env=there)
        assert "another image" not in call(*mpigen("status", cluster.output), env=there).err
        assert cluster.tasks() == second
    finally:
        cluster.docker("node", "demote", manager.name)
    assert "Allreduce over 3 ranks: correct" in run("run", "--", "hello")


def test_managers_of_different_versions_are_said_to_replace_containers(
    cluster: Cluster, buildx: dict[str, str], stores: lab.Lab
) -> None:
    """20.10 stores no StartInterval of a health check, later versions store 0: Swarm compares."""
    build(WAYS["classic, Docker's store"], buildx, stores, cluster.output, "managers")
    deploy = mpigen("deploy", cluster.output, "--image", IMAGE)
    check(*deploy, env=cluster.env)
    first = cluster.tasks()
    assert "unknown" not in check(*deploy, "--dry-run", env=cluster.env)
    old = stores.nodes[2]
    cluster.docker("node", "promote", old.name)
    try:
        there = {"DOCKER_HOST": old.docker_host}
        until(lambda: call("docker", "node", "ls", env=there).code == 0)
        planned = check(*deploy, "--dry-run", env=there)
        assert "no changes" in planned
        assert "managers with Docker 20.10 and 28.5 store the same service differently" in planned
        check(*deploy, env=there)
        second = cluster.tasks()
        assert {id for _, id in second.values()}.isdisjoint(id for _, id in first.values())
    finally:
        cluster.docker("node", "demote", old.name)
