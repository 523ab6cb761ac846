"""A second group, other users, ports and networks: the same artifacts."""

from collections.abc import Iterator

import pytest

from mpigen.lab import base, engine, lab
from tests.swarm.conftest import Cluster, deployed, make_site


@pytest.fixture(scope="module")
def two_groups(
    the_lab: lab.Lab, lab_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """Two groups that differ in all that a group can say, on a network of its own."""
    base.ensure(engine.local(), "debian:trixie-slim", print)
    text = """\
name: two
app: {source: app, check: hello}
network: {name: fabric, subnet: 10.79.0.0/24, mtu: 1400}
user: {name: runner, uid: 4321, gid: 4322}
ssh: {port: 2345}
workers:
  - {name: fat, replicas: 2, slots: 3, cpus: 1.5, memory: 1g, shm: 128m, max_per_node: 1}
  - {name: thin, replicas: 1, constraints: ["node.role == worker"]}
"""
    output = make_site(tmp_path_factory.mktemp("two"), text)
    cluster = deployed(the_lab, output, "two", lab_env, "two:latest")
    yield cluster
    assert cluster.script("down.sh").code == 0


def test_ranks_fill_each_groups_slots_in_order(two_groups: Cluster) -> None:
    printed = two_groups.run("uname", "-n").split()
    assert sorted(printed) == ["fat-1"] * 3 + ["fat-2"] * 3 + ["thin-1"]


def test_limits_placement_and_mtu_are_what_was_asked_for(two_groups: Cluster) -> None:
    nodes = [node for node, _ in two_groups.tasks("fat").values()]
    assert len(set(nodes)) == 2
    ((node, _),) = two_groups.tasks("thin").values()
    assert node != "node-1"
    spec = two_groups.docker(
        "service", "inspect", "two_fat", "--format", "{{json .Spec.TaskTemplate.Resources.Limits}}"
    )
    assert spec.strip() == '{"NanoCPUs":1500000000,"MemoryBytes":1073741824}'
    mtus = two_groups.run("sh", "-c", "cat /sys/class/net/$(cat /run/mpi/interface)/mtu").split()
    assert set(mtus) == {"1350"}


def test_the_rendered_checks_pass(two_groups: Cluster) -> None:
    done = two_groups.verify()
    assert done.code == 0, done.out + done.err
