"""Slots that jobs take and share."""

from datetime import UTC, datetime

import pytest

from mpigen.job import slots, spec
from mpigen.job.describe import Job
from mpigen.job.hosts import Hosts

HOSTS = Hosts("x", {"cpu": 3, "gpu": 1}, {"cpu": 2, "gpu": 4}, {}, known=True)


def job(*command: str, ranks: int | None = None) -> spec.JobSpec:
    return spec.mpirun("", command, ranks, (), (), (), None, mpi="openmpi")


def running(name: str, state: str = "running", **taken: int) -> Job:
    rest = ("", "", "", name)
    return Job(name, "batch", state, 1, 1, datetime.now(UTC), None, *rest, slots=taken)


@pytest.mark.parametrize(
    ("command", "ranks", "taken"),
    [
        ("hello", None, {"cpu": 6, "gpu": 4}),
        ("hello", 2, {"cpu": 2}),
        ("hello", 7, {"cpu": 6, "gpu": 1}),
        # oversubscribed
        ("hello", 99, {"cpu": 6, "gpu": 4}),
        # options of mpirun may place a rank anywhere
        ("--map-by node hello", 2, {"cpu": 2, "gpu": 2}),
    ],
)
def test_ranks_fill_the_groups_in_their_order(
    command: str, ranks: int | None, taken: dict[str, int]
) -> None:
    assert slots.taken(job(*command.split(), ranks=ranks), HOSTS) == taken


def test_a_shell_takes_no_slot_by_itself() -> None:
    assert slots.taken(spec.JobSpec("x", (), "", ranks=0), HOSTS) == {}


@pytest.mark.parametrize("taken", [{}, {"cpu": 6}, {"cpu": 6, "a-b": 1}])
def test_a_label_tells_what_was_taken(taken: dict[str, int]) -> None:
    assert slots.from_label(slots.label(taken)) == taken


def test_a_label_that_nobody_wrote_tells_nothing() -> None:
    assert slots.from_label("x = cpu=y") == {}


def test_jobs_begin_on_the_same_slots() -> None:
    jobs = [running("a", cpu=4), running("b", cpu=6, gpu=1), running("c", "done", gpu=4)]
    assert slots.in_use(jobs) == {"cpu": 6, "gpu": 1}


def test_a_job_is_told_who_has_its_slots() -> None:
    jobs = [running("a", cpu=4), running("b", cpu=6, gpu=1), running("c", "done", cpu=1)]
    assert slots.shared({"cpu": 2}, jobs) == ["a has 4 of cpu", "b has 6 of cpu"]
    assert slots.shared({"cpu": 2, "gpu": 1}, jobs)[1] == "b has 6 of cpu, 1 of gpu"
    assert slots.shared({"tpu": 2}, jobs) == []
