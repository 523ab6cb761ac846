"""A second group, other users, ports and networks: the same artifacts."""

from tests.swarm.conftest import Cluster


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
