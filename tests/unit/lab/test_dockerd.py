"""An engine of this machine: started, found again, stopped."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from mpigen.lab import dockerd, machine


@pytest.mark.parametrize(
    ("os_release", "expected"),
    [
        ("ID=debian\nVERSION_ID=12\n", True),
        ('ID=ubuntu\nID_LIKE=debian\nPRETTY_NAME="Ubuntu"\n', True),
        ('ID=linuxmint\nID_LIKE="ubuntu debian"\n', True),
        ('ID=fedora\nVARIANT="not debian"\n', False),
        ("", False),
    ],
)
def test_where_packages_can_be_installed(os_release: str, expected: bool) -> None:
    assert machine.is_debian_like(os_release) is expected


def test_pid_files_of_other_programs_are_stale(tmp_path: Path) -> None:
    daemon = dockerd.Dockerd(pidfile=tmp_path / "docker.pid", exec_root=tmp_path / "exec")
    daemon.containerd_pidfile.parent.mkdir(parents=True)
    daemon.pidfile.write_text(f"{os.getpid()}\n")
    daemon.containerd_pidfile.write_text("not a number")
    said: list[str] = []
    dockerd.clear_stale(daemon, said.append)
    assert not daemon.pidfile.exists()
    assert not daemon.containerd_pidfile.exists()
    assert said == [
        f"removing a stale {daemon.pidfile}",
        f"removing a stale {daemon.containerd_pidfile}",
    ]


def test_an_engine_that_is_not_ours_is_not_stopped(tmp_path: Path) -> None:
    daemon = dockerd.Dockerd(record=tmp_path / "engine.json")
    assert dockerd.stop(daemon, print) is False
    other = subprocess.Popen(["sleep", "60"])
    try:
        record = {"pid": other.pid, "identity": "1", "unit": False}
        daemon.record.write_text(json.dumps(record))
        assert dockerd.stop(daemon, print) is False
        assert not daemon.record.exists()
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
