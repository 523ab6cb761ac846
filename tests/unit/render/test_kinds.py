"""Kinds of workers, storage and a launcher, as they are rendered."""

import re
from pathlib import Path
from typing import Any

import yaml

from mpigen.artifacts import folder
from tests.conftest import ROOT, Mpigen


def _stack(folder: Path, mpigen: Mpigen, text: str) -> dict[str, Any]:
    (folder / "mpigen.yaml").write_text(text)
    done = mpigen("render", "-c", str(folder / "mpigen.yaml"))
    assert done.code == 0, done.err
    said: dict[str, Any] = yaml.safe_load((folder / "output/stack.yml").read_text())
    return said


def test_a_global_group_has_a_host_on_every_server(tmp_path: Path, mpigen: Mpigen) -> None:
    text = "name: x\nworkers: [{name: all, mode: global, replicas: 3, slots: 2}]\n"
    service = _stack(tmp_path, mpigen, text)["services"]["all"]
    assert service["hostname"] == "all-{{.Node.Hostname}}"
    assert service["deploy"]["mode"] == "global" and "replicas" not in service["deploy"]
    workers = (tmp_path / "output/rootfs/etc/mpi/workers").read_text().splitlines()
    assert workers[-1] == "all 3 2 0 server"
    # one container a server: its ranks are bound to its cores
    params = (tmp_path / "output/rootfs/etc/mpi/prte-mca-params.conf").read_text()
    assert "none" not in params


def test_generic_resources_are_reserved(tmp_path: Path, mpigen: Mpigen) -> None:
    text = "name: x\nworkers: [{memory: 1g, generic: {GPU: 2}}]\n"
    resources = _stack(tmp_path, mpigen, text)["services"]["worker"]["deploy"]["resources"]
    assert resources["limits"] == {"memory": str(1024**3)}
    (found,) = resources["reservations"]["generic_resources"]
    assert found == {"discrete_resource_spec": {"kind": "GPU", "value": 2}}


def test_each_kind_of_storage_is_mounted_in_every_service(tmp_path: Path, mpigen: Mpigen) -> None:
    text = """\
name: x
launcher: {name: front}
storage:
  - {target: /data, source: data}
  - {target: /srv/in, type: bind, source: /srv/in, read_only: true}
  - {target: /home/all, type: nfs, server: files.example.org, source: /export, options: hard}
  - {target: /scratch, type: tmpfs, size: 64m}
"""
    stack = _stack(tmp_path, mpigen, text)
    mounts = stack["services"]["worker"]["volumes"][1:]
    assert mounts == [
        {"type": "volume", "target": "/data", "source": "data"},
        {"type": "bind", "target": "/srv/in", "source": "/srv/in", "read_only": True},
        {"type": "volume", "target": "/home/all", "source": "home_all", "volume": {"nocopy": True}},
        {"type": "tmpfs", "target": "/scratch", "tmpfs": {"size": 64 * 1024**2}},
    ]
    assert stack["services"]["front"]["volumes"][1:] == mounts
    assert stack["volumes"]["data"] == {"driver": "local"}
    assert stack["volumes"]["home_all"]["driver_opts"] == {
        "type": "nfs",
        "o": "addr=files.example.org,rw,hard",
        "device": ":/export",
    }
    # a new volume gets the owner of what the image has there
    made = re.findall(r"^RUN install -d -o 1000 -g 1000 (.*)$", _dockerfile(tmp_path), re.M)
    assert made == ["/data"]
    checks = (tmp_path / "output/verify/test_cluster.py").read_text()
    assert "('/srv/in', False)" in checks and "('/data', True)" in checks


def test_shared_storage_is_proved_and_mounted_where_mpirun_is(
    tmp_path: Path, mpigen: Mpigen
) -> None:
    text = """\
name: x
storage:
  - {target: /data, source: data}
  - {target: /both, type: bind, source: /srv/both, shared: true}
  - {target: /home/all, type: nfs, server: files.example.org, source: /export}
  - {target: /sw, type: nfs, server: files.example.org, source: /sw, read_only: true}
  - {target: /own, type: nfs, server: files.example.org, source: /own, shared: false}
"""
    _stack(tmp_path, mpigen, text)
    read = folder.read(tmp_path / "output")
    assert read.shared == ("/both", "/home/all")
    checks = (tmp_path / "output/verify/test_cluster.py").read_text()
    wanted = checks.partition("def test_shared_storage_is_the_same_on_every_host")[0]
    assert re.findall(r"^ {8}'(/.*)',$", wanted, re.M) == ["/both", "/home/all"]
    job = (tmp_path / "output/scripts/run.sh").read_text()
    assert "--interactive $terminal $storage" in job
    _stack(tmp_path, mpigen, "name: x\n")
    assert "storage" not in (tmp_path / "output/scripts/run.sh").read_text()
    assert folder.read(tmp_path / "output").shared == ()
    assert "shared" not in (tmp_path / "output/manifest.json").read_text()


def _dockerfile(folder: Path) -> str:
    return (folder / "output/Dockerfile").read_text()


def test_a_launcher_has_no_slots(tmp_path: Path, mpigen: Mpigen) -> None:
    text = "name: x\nlauncher: {constraints: [node.role==manager]}\n"
    launcher = _stack(tmp_path, mpigen, text)["services"]["launcher"]
    assert launcher["hostname"] == "launcher"
    assert launcher["deploy"]["placement"] == {"constraints": ["node.role==manager"]}
    assert "ports" not in launcher and launcher["cap_drop"] == ["ALL"]
    workers = (tmp_path / "output/rootfs/etc/mpi/workers").read_text()
    assert "launcher" not in workers


def test_what_files_shows_is_rendered(tmp_path: Path, mpigen: Mpigen) -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```$", (ROOT / "docs/files.md").read_text(), re.M | re.S)
    assert len(blocks) == 2
    for number, block in enumerate(blocks):
        site = tmp_path / str(number)
        site.mkdir()
        stack = _stack(site, mpigen, "name: x\n" + block)
        assert folder.read(site / "output").shared == ("/data",)
    options = yaml.safe_load((tmp_path / "0/output/stack.yml").read_text())["volumes"]["data"]
    shown = {"type": "nfs", "device": ":/srv/mpi", "o": "addr=192.0.2.10,rw,nfsvers=4.2,hard"}
    assert options["driver_opts"] == shown
    assert stack["services"]["worker"]["volumes"][1]["source"] == "/mnt/shared"


def test_what_the_page_on_workers_shows_is_rendered(tmp_path: Path, mpigen: Mpigen) -> None:
    page = (ROOT / "docs/workers.md").read_text()
    blocks = re.findall(r"^```yaml\n(.*?)^```$", page, re.M | re.S)
    stacks = []
    for number, block in enumerate(blocks):
        site = tmp_path / str(number)
        site.mkdir()
        stacks.append(_stack(site, mpigen, "name: x\n" + block))
    labelled, stored = stacks
    gpu = labelled["services"]["gpu"]
    assert gpu["labels"] == gpu["deploy"]["labels"] == {"team": "cfd"}
    # with all that a group has of its own
    assert gpu["deploy"]["replicas"] == 2 and gpu["hostname"] == "gpu-{{.Task.Slot}}"
    assert len(stored["services"]["worker"]["volumes"]) == 5
