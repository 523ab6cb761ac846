"""Batch jobs: when a task is lost, and when it has ended."""

import pytest

from mpigen.job import batch_task
from mpigen.swarm.state import Task


def task(state: str, desired: str, node: str = "n", container: str = "c") -> Task:
    return Task("i", 1, node, state, desired, "", container, None, "x")


@pytest.mark.parametrize(
    ("state", "desired", "ready", "lost"),
    [
        ("running", "running", "n", False),
        ("running", "running", "", False),
        ("running", "shutdown", "", True),
        # it is being ended on a node that is there, and may take its time
        ("running", "shutdown", "n", False),
        ("running", "remove", "n", False),
        ("shutdown", "shutdown", "", False),
        ("complete", "shutdown", "", False),
        ("orphaned", "shutdown", "n", True),
    ],
)
def test_a_task_is_lost_if_swarm_gave_it_up_and_its_node_is_silent(
    state: str, desired: str, ready: str, lost: bool
) -> None:
    assert batch_task.lost(task(state, desired), {ready}) == lost


def test_a_task_that_never_had_a_node_will_never_begin() -> None:
    assert batch_task.has_ended(task("pending", "shutdown", "", ""))
    assert not batch_task.has_ended(task("pending", "running", "", ""))
    assert not batch_task.has_ended(task("preparing", "shutdown", "n", ""))
    assert batch_task.has_ended(None)
