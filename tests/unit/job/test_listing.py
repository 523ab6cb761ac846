"""The state of a batch job, by its task."""

import pytest

from mpigen.job import listing
from tests.unit.job.test_batch import task


@pytest.mark.parametrize(
    ("state", "desired", "cancelled", "shown"),
    [
        ("running", "running", False, "running"),
        ("pending", "running", False, "pending"),
        ("complete", "shutdown", False, "done"),
        ("failed", "shutdown", False, "failed"),
        # it takes its time to end
        ("running", "shutdown", True, "running"),
        ("shutdown", "shutdown", True, "cancelled"),
        ("failed", "shutdown", True, "cancelled"),
        # Swarm ended it, and nobody cancelled it
        ("shutdown", "shutdown", False, "failed"),
        ("orphaned", "shutdown", True, "lost"),
    ],
)
def test_a_jobs_state(state: str, desired: str, cancelled: bool, shown: str) -> None:
    assert listing._state(task(state, desired), cancelled, {"n"}) == shown


def test_a_job_without_a_task_is_pending_until_it_is_cancelled() -> None:
    assert listing._state(None, False, ()) == "pending"
    assert listing._state(None, True, ()) == "cancelled"
