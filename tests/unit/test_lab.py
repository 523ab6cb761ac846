"""The lab's pure parts: names, paths, commands, records. No Docker."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mpigen.errors import ClusterError, InputError
from mpigen.lab import base, dockerd, engine, lab, machine, nodes, record
from mpigen.swarm import engine as swarm_engine
from mpigen.swarm import processes


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "mpigen"


@pytest.mark.parametrize(
    ("ref", "parsed"),
    [
        ("debian:trixie-slim", ("trixie", True)),
        ("debian:bookworm", ("bookworm", False)),
        ("debian:12-slim", ("bookworm", True)),
        ("docker.io/library/debian:13", ("trixie", False)),
        ("debian:sid", None),
        ("debian", None),
        ("mydebian:trixie", None),
        ("debian:trixie-slim-evil", None),
        ("ubuntu:24.04", None),
    ],
)
def test_which_images_can_be_bootstrapped(ref: str, parsed: tuple[str, bool] | None) -> None:
    assert base.parse(ref) == parsed


def test_a_slim_base_leaves_manuals_out_and_keeps_copyrights() -> None:
    slim = base.command("trixie", True, Path("/x"), "")
    assert '--customize-hook=rm -f "$1"/var/cache/apt/*.bin' in slim  # half of the image
    assert "--dpkgopt=path-exclude=/usr/share/man/*" in slim
    assert "--dpkgopt=path-include=/usr/share/doc/*/copyright" in slim
    assert slim[-2:] == ["trixie", "-"]
    full = base.command("bookworm", False, Path("/x"), "http://mirror/debian")
    assert not [option for option in full if "dpkgopt" in option]
    assert full[-3:] == ["bookworm", "-", "http://mirror/debian"]


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a_b", "a/b", "..", "a" * 33, "a\n"])
def test_names_that_no_lab_can_have(name: str) -> None:
    with pytest.raises(InputError, match="cannot name a lab"):
        lab.up(name, 3, print)


@pytest.mark.parametrize("count", [0, -1, 65])
def test_counts_that_no_lab_can_have(count: int) -> None:
    with pytest.raises(InputError, match="1 to 64 nodes"):
        lab.up("lab", count, print)


@pytest.mark.parametrize("managers", [0, -1, 4])
def test_managers_that_no_lab_can_have(managers: int) -> None:
    with pytest.raises(InputError, match=f"of 3 nodes 1 to 3 can be managers, not {managers}"):
        lab.up("lab", 3, print, managers)


def test_a_socket_path_that_no_socket_can_have() -> None:
    fits = Path("/" + "x" * 87)
    assert len(bytes(nodes.socket_path(fits, 1))) == 107
    with pytest.raises(ClusterError, match="107 bytes, and this has 108"):
        nodes.socket_path(fits, 10)


def test_which_networks_a_machine_routes() -> None:
    table = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
br-0\t000112C6\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
tun0\t0000A8C0\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
"""
    assert [str(network) for network in machine.routed_networks(table)] == [
        "198.18.1.0/24",
        "192.168.0.0/16",
    ]


def test_a_lab_is_found_by_its_record(state: Path) -> None:
    assert lab.find("lab") is None
    with pytest.raises(ClusterError, match="there is no lab lab") as error:
        lab.get("lab")
    assert error.value.hint == "Bring it up: mpigen lab up --name lab"
    (state / "lab").mkdir(parents=True)
    node = {
        "name": "node-1",
        "container": "mpigen-lab-1",
        "container_id": "abc",
        "address": "198.18.0.2",
        "socket": "/s/docker.sock",
    }
    (state / "lab" / "lab.json").write_text(json.dumps({"nodes": [node]}))
    found = lab.get("lab")
    assert found.docker_host == "unix:///s/docker.sock"
    assert found.context == "mpigen-lab"
    assert [node.name for node in found.nodes] == ["node-1"]
    assert found.managers == 1
    (state / "lab" / "lab.json").write_text(json.dumps({"managers": 3, "nodes": [node] * 3}))
    assert lab.get("lab").managers == 3


def test_only_one_mpigen_works_on_a_lab(state: Path) -> None:
    with (
        record.alone("lab"),
        pytest.raises(ClusterError, match="another mpigen is at work on the lab lab"),
        record.alone("lab"),
    ):
        pass
    assert not state.exists()


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


def test_a_failing_command_shows_its_last_lines() -> None:
    script = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo line $i >&2; done; exit 4"
    with pytest.raises(ClusterError) as error:
        processes.run(["sh", "-c", script], "counting")
    assert error.value.message.startswith("counting failed with exit code 4\n  line 3\n")
    assert error.value.message.endswith("  line 12")


def test_docker_host_says_where_the_engine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.1:2376")
    assert swarm_engine.endpoint() == swarm_engine.Endpoint("tcp://10.0.0.1:2376", "DOCKER_HOST")
    with pytest.raises(ClusterError, match=r"DOCKER_HOST names tcp://10\.0\.0\.1:2376"):
        engine.local_endpoint()


def test_inside_a_labs_context_the_labs_own_engine_is_used(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket = state / "lab" / "node-1" / "docker.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{socket}")
    assert swarm_engine.endpoint().url == f"unix://{socket}"
    assert engine.local_endpoint().url == "unix:///var/run/docker.sock"
    (state / "lab").mkdir(parents=True)
    (state / "lab" / "engine").write_text("unix:///run/user/1000/docker.sock")
    assert engine.local_endpoint().url == "unix:///run/user/1000/docker.sock"


def test_a_silent_engine_is_an_error_with_a_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(ClusterError, match="no Docker engine answers at unix://") as error:
        swarm_engine.reach()
    assert error.value.hint == "Start that engine, or point elsewhere: DOCKER_HOST names it."


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


def test_the_verbs_load_docker_and_rich_only_when_they_run() -> None:
    script = "import sys, mpigen.cli.lab; print({'docker', 'rich'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr
