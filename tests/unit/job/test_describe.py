"""The state of a batch job, by its task."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from mpigen.job import batch_task, describe
from mpigen.swarm.state import Task
from tests.unit.job.test_batch_task import task


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
    assert describe._state(task(state, desired), cancelled, {"n"}) == shown


def test_a_job_without_a_task_is_pending_until_it_is_cancelled() -> None:
    assert describe._state(None, False, ()) == "pending"
    assert describe._state(None, True, ()) == "cancelled"


LABELS = {
    "mpigen.job": "heat",
    "mpigen.ranks": "4",
    "mpigen.hosts": "2",
    "mpigen.user": "me@here",
    "mpigen.slots": "cpu=4",
}


def service(retries: int = 0) -> dict[str, Any]:
    labels = {**LABELS, "mpigen.retries": str(retries)}
    return {
        "ID": "s",
        "CreatedAt": "2026-11-30T08:00:00.5Z",
        "Spec": {"Name": "x_job-heat", "Labels": labels},
    }


def run(id: str, state: str, desired: str, code: int | None = None, node: str = "n") -> Task:
    since = "2026-11-30T08:01:00Z"
    return Task(id, 1, node, state, desired, "", "c", code, "x", since, since)


def test_who_has_started_a_job_and_how_long_it_took() -> None:
    job = describe.batch_job(service(), [run("a", "complete", "shutdown", 0)], {"n"}, {})
    assert (job.user, job.slots, job.exit_code) == ("me@here", {"cpu": 4}, 0)
    assert job.seconds(datetime.now(UTC)) == 59.5
    running = describe.batch_job(service(), [run("a", "running", "running")], {"n"}, {})
    assert running.seconds(datetime(2026, 11, 30, 8, 0, 2, tzinfo=UTC)) == 1.5
    lost = describe.batch_job(service(), [run("a", "running", "shutdown")], {}, {})
    assert (lost.state, lost.ended, lost.seconds(datetime.now(UTC))) == ("lost", None, None)


@pytest.mark.parametrize(
    ("noted", "state", "code", "error"),
    [
        (0, "done", 0, ""),
        (3, "failed", 3, ""),
        # nobody knows: this is no success
        (None, "failed", None, "its log does not contain its exit code"),
    ],
)
def test_the_exit_code_of_a_job_with_retries_is_what_it_has_noted(
    noted: int | None, state: str, code: int | None, error: str
) -> None:
    tasks = [run("a", "complete", "shutdown", 0)]
    job = describe.batch_job(service(2), tasks, {"n"}, {"a": noted})
    assert (job.state, job.exit_code, job.error) == (state, code, error)


def test_a_job_with_retries_is_what_its_last_run_is() -> None:
    lost = run("a", "running", "shutdown", node="gone")
    job = describe.batch_job(service(2), [run("b", "running", "running"), lost], {"n"}, {})
    assert (job.state, job.node, job.runs) == ("running", "n", 2)
    # Swarm has no node for it yet
    waits = run("b", "pending", "running", node="")
    job = describe.batch_job(service(2), [waits, lost], {"n"}, {})
    assert (job.state, job.runs) == ("pending", 1)


def test_a_job_with_retries_is_over_when_swarm_has_given_it_up() -> None:
    undecided = describe.batch_job(service(2), [run("a", "failed", "running", 75)], {"n"}, {})
    assert undecided.state == "pending"
    given_up = describe.batch_job(service(2), [run("a", "failed", "shutdown", 75)], {"n"}, {})
    assert (given_up.state, given_up.exit_code) == ("failed", 75)


def test_the_last_task_of_a_cancelled_job_is_none_that_cannot_run() -> None:
    ran = run("a", "failed", "shutdown", 143)
    nowhere = replace(run("b", "pending", "running", node=""), constraints=("node.id==none",))
    assert batch_task.last([nowhere, ran]) == ran
    assert batch_task.last([nowhere]) == nowhere
    assert batch_task.last([]) is None
