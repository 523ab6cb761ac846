"""Which probes were left by a command that was killed."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

from mpigen.swarm import leftovers

MADE = "2026-11-30T03:00:00.123456789Z"
NOW = datetime(2026, 11, 30, 3, 0, 1, tzinfo=UTC)


def service(labels: dict[str, str]) -> dict[str, object]:
    return {"CreatedAt": MADE, "Spec": {"Labels": labels}}


def test_those_of_a_process_that_runs_are_not_left() -> None:
    assert not leftovers.is_left(service(leftovers.labels(60)), NOW + timedelta(days=1))


def test_those_of_a_process_that_was_killed_are_left_at_once() -> None:
    program = "import json, time; from mpigen.swarm import leftovers;"
    program += "print(json.dumps(leftovers.labels(60)), flush=True); time.sleep(600)"
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        labels = json.loads(other.stdout.readline())
        assert not leftovers.is_left(service(labels), NOW)
        other.kill()
    assert leftovers.is_left(service(labels), NOW)


def test_those_of_another_machine_are_left_once_they_are_too_old() -> None:
    labels = {**leftovers.labels(60), leftovers.OWNER_LABEL: "elsewhere/1 2 3"}
    assert not leftovers.is_left(service(labels), NOW + timedelta(minutes=5))
    assert leftovers.is_left(service(labels), NOW + timedelta(minutes=7))
    # an earlier mpigen's have no owner
    assert not leftovers.is_left(service({leftovers.LABEL: ""}), NOW)
    assert leftovers.is_left(service({leftovers.LABEL: ""}), NOW + timedelta(hours=1))
