"""Which hosts a job may use, and what is refused before Docker is asked."""

from dataclasses import replace

import pytest

from mpigen.errors import ClusterError, InputError
from mpigen.job import hosts, spec
from mpigen.job.hosts import Hosts

TWO = Hosts(
    "x:latest", {"cpu": 3, "gpu": 1}, {"cpu": 2, "gpu": 4}, {"gpu": ("node.role==a",)}, True
)


def job(ranks: int | None = None, groups: tuple[str, ...] = (), name: str = "j") -> spec.JobSpec:
    return spec.mpirun(name, ("hello",), ranks, groups, (), (), None, mpi="openmpi")


def test_more_ranks_than_slots_are_refused_with_what_there_is() -> None:
    hosts.refuse_too_many(job(10), TWO)
    with pytest.raises(InputError) as error:
        hosts.refuse_too_many(job(11), TWO)
    assert error.value.message == (
        "-n 11 needs more than the 10 slots that the hosts have: cpu has 3 x 2, gpu has 1 x 4"
    )
    assert "mpigen scale gpu=2" in error.value.hint
    with pytest.raises(InputError, match="the 6 slots that the hosts have: cpu has 3 x 2"):
        hosts.refuse_too_many(job(7), TWO.choose(("cpu",)))


def test_scaling_is_advised_only_where_swarm_would_not_refuse_it() -> None:
    """`max_per_node` limits a group, a global group has one container a server."""
    full = replace(TWO, most={"gpu": 1})
    with pytest.raises(InputError) as error:
        hosts.refuse_too_many(job(11), full)
    assert "mpigen scale cpu=4;" in error.value.hint
    with pytest.raises(InputError) as error:
        hosts.refuse_too_many(job(11), replace(TWO, most={"gpu": 1, "cpu": 3}))
    assert "mpigen scale" not in error.value.hint
    assert "add servers, or share them: mpigen run -- --oversubscribe -n 11" in error.value.hint
    assert full.choose(("gpu",)).most == full.most


def test_a_cluster_without_a_slot_is_told() -> None:
    none = Hosts("x", {"cpu": 0}, {"cpu": 2}, {}, True)
    with pytest.raises(ClusterError, match="there are no slots"):
        hosts.refuse_too_many(job(), none)


def test_where_no_manager_can_be_asked_nothing_is_refused() -> None:
    hosts.refuse_too_many(job(99), Hosts("x", {"cpu": 1}, {"cpu": 1}, {}, False))


def test_groups_are_chosen_in_the_order_given() -> None:
    assert list(TWO.choose(("gpu", "cpu")).counts) == ["gpu", "cpu"]
    assert TWO.choose(()).counts == TWO.counts
    with pytest.raises(InputError, match="--workers tpu: there is no such group; groups: cpu"):
        TWO.choose(("tpu",))


def test_a_group_that_is_not_deployed_is_told_at_once() -> None:
    some = replace(TWO, missing=("new",))
    for groups in ((), ("new",), ("cpu", "new")):
        with pytest.raises(ClusterError, match="new: rendered, but not deployed yet") as error:
            some.choose(groups)
        assert error.value.hint == (
            "Deploy it: mpigen deploy; or run without it: --workers cpu --workers gpu"
        )
    assert some.choose(("cpu", "gpu")).counts == TWO.counts
    with pytest.raises(InputError, match="groups: cpu, gpu, new"):
        some.choose(("tpu",))


def test_a_container_that_no_node_can_take_is_told_at_once() -> None:
    why = "no suitable node (1 node not available for new tasks)"
    drained = replace(TWO, unplaced={"cpu": {"cpu-1": why}, "gpu": {}})
    with pytest.raises(ClusterError) as error:
        drained.choose(())
    assert error.value.message == f"Swarm cannot place cpu-1: {why}"
    assert drained.choose(("gpu",)).counts == {"gpu": 1}
