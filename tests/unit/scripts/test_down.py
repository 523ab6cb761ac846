"""scripts/down.sh against a docker that has yet to forget a task, as a Swarm at times has."""

import os
import subprocess
from pathlib import Path

import pytest

from tests import sites

DOCKER = """\
#!/bin/sh
echo "$*" >> "$STATE/calls"
case "$1 $2" in
    "stack ls") exit "$UNREACHABLE" ;;
    "service ls") [ -z "$JOBS" ] || printf '%s\n' $JOBS ;;
    "stack rm")
        [ "$(grep -c 'stack rm' "$STATE/calls")" -gt "$REFUSALS" ] && exit 0
        echo "network is in use by task" >&2
        exit 1 ;;
    "network inspect") exit 1 ;;
    "ps --filter") echo "1234 x:latest mpirun" ;;
esac
"""
LISTED = "service ls --quiet --filter label=mpigen.stack=x"


def down(folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    (folder / "docker").write_text(DOCKER)
    (folder / "docker").chmod(0o755)
    (folder / "down.sh").write_text(sites.artifacts(folder, "name: x\n")["scripts/down.sh"].text)
    path = f"{folder}:{os.environ['PATH']}"
    state = {"PATH": path, "STATE": str(folder), "REFUSALS": "0", "UNREACHABLE": "0"}
    state |= {"JOBS": "", **env}
    return subprocess.run(
        ["sh", folder / "down.sh"], env=state, capture_output=True, text=True, timeout=60
    )


def test_it_asks_again_while_the_network_is_in_use(tmp_path: Path) -> None:
    done = down(tmp_path, REFUSALS="2")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "calls").read_text().splitlines() == [
        "stack ls",
        LISTED,
        *["stack rm x"] * 3,
        "network inspect x_mpi",
    ]


def test_services_of_batch_jobs_go_first(tmp_path: Path) -> None:
    assert down(tmp_path, JOBS="one two").returncode == 0
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls[1:5] == [LISTED, "service rm one", "service rm two", "stack rm x"]


def test_it_gives_up_in_time_and_says_what_holds_the_network(tmp_path: Path) -> None:
    done = down(tmp_path, REFUSALS="99", WAIT="1")
    assert done.returncode == 3
    assert "the network x_mpi is still there after 1 s" in done.stderr
    assert done.stderr.endswith("1234 x:latest mpirun\n")


@pytest.mark.parametrize("code", ["1", "125"])
def test_an_engine_that_does_not_answer_is_told_at_once(tmp_path: Path, code: str) -> None:
    assert down(tmp_path, UNREACHABLE=code).returncode == int(code)
    assert (tmp_path / "calls").read_text() == "stack ls\n"
