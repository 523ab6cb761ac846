"""scripts/run.sh against a docker that notes what it is asked, and in which order."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Mpigen

DOCKER = """\
#!/bin/sh
case $1 in
    stack) exit 1 ;;
    create) echo 1234; exec > "$STATE/create" ;;
    run) exec > "$STATE/create" ;;
    inspect) if [ -e "$STATE/begun" ]; then echo true; else echo false; fi; exit ;;
    cp)
        when=before
        [ ! -e "$STATE/begun" ] || when=after
        tar -tf - | while read -r name; do echo "$when $3/$name" >> "$STATE/given"; done
        exit ;;
    start)
        sleep 0.3
        : > "$STATE/begun"
        while [ ! -e "$STATE/killed" ]; do sleep 0.05; done
        exit 7 ;;
    kill) echo "$3" >> "$STATE/killed"; exit ;;
    wait) echo 7; exit ;;
    *) exit ;;
esac
printf '%s\\n' "$@"
"""


@pytest.fixture(autouse=True)
def docker_ends(tmp_path: Path) -> Iterator[None]:
    """No `docker start` outlives its test."""
    yield
    (tmp_path / "killed").touch()


@pytest.fixture
def secret(tmp_path: Path, mpigen: Mpigen) -> Path:
    """A site with ssh.delivery secret, and a docker of its own."""
    return _site(tmp_path, mpigen, "name: x\nssh: {delivery: secret}\n")


def _site(folder: Path, mpigen: Mpigen, text: str) -> Path:
    (folder / "mpigen.yaml").write_text(text)
    assert mpigen("render", "-c", folder / "mpigen.yaml").code == 0
    (folder / "docker").write_text(DOCKER)
    (folder / "docker").chmod(0o755)
    return folder


def started(site: Path, *words: str, **env: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        ["sh", site / "output/scripts/run.sh", *words],
        env={"PATH": f"{site}:{os.environ['PATH']}", "STATE": str(site), **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until_given(site: Path) -> None:
    deadline = time.monotonic() + 20
    while "id_ed25519.pub" not in _text(site / "given"):
        assert time.monotonic() < deadline, "no key"
        time.sleep(0.05)


def _text(file: Path) -> str:
    return file.read_text() if file.exists() else ""


def test_a_job_gets_its_key_once_it_runs_and_never_before(secret: Path) -> None:
    job = started(secret, "hello")
    until_given(secret)
    job.send_signal(signal.SIGTERM)
    assert job.wait(20) == 7
    assert (secret / "given").read_text().splitlines() == [
        "before 1234:/etc/ssh/ssh_known_hosts",
        "after 1234:/etc/mpi/id_ed25519",
        "after 1234:/etc/mpi/id_ed25519.pub",
    ]


@pytest.mark.parametrize("name", ["USR1", "USR2"])
def test_a_signal_for_the_ranks_is_passed_on(secret: Path, name: str) -> None:
    job = started(secret, "hello")
    until_given(secret)
    job.send_signal(signal.Signals[f"SIG{name}"])
    # the job ends by itself, with its own exit code
    assert job.wait(20) == 7
    assert (secret / "killed").read_text() == f"{name}\n"


@pytest.mark.parametrize("delivery", ["image", "secret"])
def test_dockers_log_has_no_copy_of_the_output(
    tmp_path: Path, mpigen: Mpigen, delivery: str
) -> None:
    site = _site(tmp_path, mpigen, f"name: x\nssh: {{delivery: {delivery}}}\n")
    job = started(site, "-n", "2", "hello", "a  b", MPI_GRACE="9")
    if delivery == "secret":
        until_given(site)
        job.send_signal(signal.SIGTERM)
    job.communicate(timeout=20)
    words = (site / "create").read_text().splitlines()
    assert words[words.index("--log-driver") + 1] == "none"
    assert "MPI_GRACE=9" in words
    assert "mpigen.command=-n 2 hello a  b" in words
    assert words[-5:] == ["mpirun", "-n", "2", "hello", "a  b"]


def test_a_grace_that_is_no_number_is_refused(secret: Path) -> None:
    job = started(secret, "hello", MPI_GRACE="soon")
    assert job.communicate(timeout=20) == (
        "",
        "run.sh: MPI_GRACE=soon: this is not a number of seconds\n",
    )
    assert job.returncode == 2
