"""The lab's pure parts: names, paths, commands, records. No Docker."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mpigen.errors import ClusterError, InputError
from mpigen.lab import lab, machine, nodes, record


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "mpigen"


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a_b", "a/b", "..", "a" * 33, "a\n"])
def test_names_that_no_lab_can_have(name: str) -> None:
    with pytest.raises(InputError, match="is not a valid name for a lab"):
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
        pytest.raises(ClusterError, match="another mpigen is working on the lab lab"),
        record.alone("lab"),
    ):
        pass
    assert not state.exists()


def test_the_verbs_load_docker_and_rich_only_when_they_run() -> None:
    script = "import sys, mpigen.cli.lab; print({'docker', 'rich'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr
