"""Batch jobs: when a task is lost."""

import pytest

from mpigen.job import batch
from mpigen.swarm.state import Task


@pytest.mark.parametrize(
    ("state", "desired", "lost"),
    [
        ("running", "running", False),
        ("running", "shutdown", True),
        ("shutdown", "shutdown", False),
        ("complete", "shutdown", False),
    ],
)
def test_a_task_that_swarm_wants_down_and_that_says_nothing_is_lost(
    state: str, desired: str, lost: bool
) -> None:
    task = Task("i", 1, "n", state, desired, "", "c", None, "x")
    assert batch.lost(task) == lost
