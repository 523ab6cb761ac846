"""scripts/deploy.sh against a docker that says what a Swarm says while it is not up."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from tests import sites

# TASKS are the states of the tasks that Swarm wants, COUNTS those of the services
DOCKER = """\
#!/bin/sh
echo "$*" >> "$STATE/calls"
case "$1 $2" in
    "image inspect") [ -n "$ID" ] && echo "$ID" ;;
    "stack deploy")
        cat > "$STATE/over"
        [ "$(grep -c 'stack deploy' "$STATE/calls")" -gt "$REFUSALS" ] && exit 0
        echo "failed to create service x_worker: Error response from daemon: $REFUSAL" >&2
        exit 1 ;;
    "stack services") printf '%s' "$COUNTS" ;;
    "service ps") printf '%s' "$TASKS" ;;
esac
"""


def deploy(folder: Path, group: str = "{}", **env: str) -> subprocess.CompletedProcess[str]:
    text = f"name: x\nworkers: [{group}]\n"
    for name, file in sites.artifacts(folder, text).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if name in ("stack.yml", "scripts/deploy.sh"):
            (folder / name).write_text(file.text)
    (folder / "docker").write_text(DOCKER)
    (folder / "docker").chmod(0o755)
    state = {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "STATE": str(folder),
        "ID": "sha256:abc",
        "REFUSALS": "0",
        "REFUSAL": "network x_mpi not found",
        "COUNTS": "x_worker 4/4\n",
        "TASKS": "Running 3 seconds ago\n" * 4,
        "WAIT": "3",
        **env,
    }
    command = ["sh", folder / "scripts/deploy.sh"]
    return subprocess.run(command, env=state, capture_output=True, text=True, timeout=60)


def calls(folder: Path, what: str) -> int:
    return (folder / "calls").read_text().count(what)


def test_all_that_are_wanted_run(tmp_path: Path) -> None:
    done = deploy(tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("mode", "counts", "tasks"),
    [
        ("global", "x_worker 0/0\n", ""),
        ("global", "x_worker 0/0\n", "Ready 1 second ago\n"),
        ("global", "x_worker 1/1\n", "Running 5 seconds ago\nRejected 1 second ago\n"),
        ("replicated", "x_worker 0/0\n", ""),
        ("replicated", "x_other 1/1\n", ""),
    ],
)
def test_none_of_none_is_not_all(tmp_path: Path, mode: str, counts: str, tasks: str) -> None:
    done = deploy(tmp_path, f"{{mode: {mode}, replicas: 3}}", COUNTS=counts, TASKS=tasks)
    assert done.returncode == 3, done.stdout
    assert "not every worker is up after 3 s" in done.stderr


@pytest.mark.parametrize(
    ("job", "code"),
    [("0/1 (1/1 completed)", 0), ("1/1 (0/1 completed)", 0), ("0/1 (0/1 completed)", 3)],
)
def test_a_job_of_the_sites_own_is_up_once_it_has_completed(
    tmp_path: Path, job: str, code: int
) -> None:
    done = deploy(tmp_path, COUNTS=f"x_once {job}\nx_worker 4/4\n")
    assert done.returncode == code, done.stderr


def test_a_network_that_is_going_is_waited_for(tmp_path: Path) -> None:
    done = deploy(tmp_path, REFUSALS="2")
    assert done.returncode == 0, done.stderr
    assert calls(tmp_path, "stack deploy") == 3


def test_what_else_docker_refuses_is_told_at_once(tmp_path: Path) -> None:
    done = deploy(tmp_path, REFUSALS="99", REFUSAL="invalid mount")
    assert done.returncode == 1
    assert "invalid mount" in done.stderr
    assert calls(tmp_path, "stack deploy") == 1


def test_a_stack_that_is_removed_meanwhile_is_told_at_once(tmp_path: Path) -> None:
    done = deploy(tmp_path, COUNTS="", TASKS="", WAIT="50")
    assert done.returncode == 3
    assert "the stack x was removed meanwhile" in done.stderr


def test_the_images_hash_lies_over_the_stack(tmp_path: Path) -> None:
    over = 'version: "3.8"\nservices:\n  worker: '
    # of what the docker above says
    label = f'labels: {{mpigen.image: "sha256:{hashlib.sha256(b"sha256:abc").hexdigest()}"}}'
    deploy(tmp_path)
    assert (tmp_path / "over").read_text() == f"{over}{{{label}}}\n"
    deploy(tmp_path, IMAGE="other:1")
    assert (tmp_path / "over").read_text() == f'{over}{{image: "other:1", {label}}}\n'
    # a digest is an id already
    deploy(tmp_path, IMAGE="other@sha256:123")
    assert (tmp_path / "over").read_text() == f'{over}{{image: "other@sha256:123"}}\n'
    assert calls(tmp_path, "image inspect") == 2
    # without the image nothing is known of it
    deploy(tmp_path, ID="")
    deploys = [line for line in (tmp_path / "calls").read_text().splitlines() if "deploy" in line]
    assert ["-c -" in line for line in deploys] == [True, True, True, False]
