"""Labs on a real engine: up, side by side, half-finished, down; and engines that died."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

import mpigen
from mpigen.errors import ClusterError
from mpigen.lab import base, dockerd, engine, lab, nodes, record
from tests.interrupts import until_it_ends

# What this run makes has this in its names: other labs may live on the same engine.
MARK = f"t{os.getpid()}"
SOURCE = Path(mpigen.__file__).parents[1]


@pytest.fixture(scope="module")
def client() -> docker.DockerClient:
    return engine.ensure(print)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> Iterator[str]:
    """A lab's name; the lab, if a test leaves one, is removed."""
    engine.ensure(print)
    name = f"{MARK}-{abs(hash(request.node.name)) % 10_000}"
    yield name
    lab.down(name, print)


def verb(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "mpigen", "lab", *arguments]


def environment(**env: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SOURCE), **env}


def call(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        verb(*arguments), env=environment(**env), capture_output=True, text=True, timeout=120
    )


def docker_cli(*arguments: str) -> str:
    return subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, check=True, timeout=60
    ).stdout


@dataclass(frozen=True)
class Made:
    """What a lab has made outside its folder."""

    containers: tuple[str, ...]
    volumes: tuple[str, ...]


def made_by(client: docker.DockerClient, name: str) -> Made:
    # Not client.containers.list: that asks again for each, and fails if one has gone meanwhile.
    found = client.api.containers(all=True, filters={"label": f"{nodes.LABEL}={name}"})
    mounts = [mount for one in found for mount in one["Mounts"]]
    volumes = [mount["Name"] for mount in mounts if mount["Type"] == "volume"]
    return Made(tuple(one["Id"] for one in found), tuple(volumes))


def assert_nothing_is_left(client: docker.DockerClient, name: str, made: Made) -> None:
    here = {one["Id"] for one in client.api.containers(all=True)}
    assert not here & set(made.containers)
    assert not {volume.name for volume in client.volumes.list()} & set(made.volumes)
    assert made_by(client, name) == Made((), ())
    assert f"mpigen-{name}" not in {network.name for network in client.networks.list()}
    assert f"mpigen-{name}" not in docker_cli("context", "ls", "-q").split()
    assert not record.folder(name).exists()
    groups = {path.name for path in Path("/sys/fs/cgroup").rglob("*") if path.is_dir()}
    assert not groups & set(made.containers)


def test_two_labs_side_by_side(client: docker.DockerClient, name: str) -> None:
    other = f"{name}b"
    try:
        base.ensure(client, "debian:trixie-slim", print)
        first, second = lab.up(name, 2, print), lab.up(other, 1, print)
        context = f"mpigen-{name}"

        # plain docker reaches the manager, by context and by DOCKER_HOST
        listed = docker_cli("--context", context, "node", "ls", "--format", "{{.Hostname}}")
        assert sorted(listed.split()) == ["node-1", "node-2"]
        assert docker_cli("-H", second.docker_host, "node", "ls", "-q").count("\n") == 1
        assert first.nodes[0].address != second.nodes[0].address

        # up again: the same is fine, another size is not
        again = call("up", "--nodes", "2", "--name", name)
        assert again.returncode == 0, again.stderr
        assert f"the lab {name} is up already" in again.stderr
        larger = call("up", "--nodes", "3", "--name", name)
        assert larger.returncode == 3
        assert f"is up with 2 nodes, not 3\nTake it down first: mpigen lab down --name {name}" in (
            larger.stderr
        )

        # an image is copied to the nodes that lack it, under the same id
        wanted = client.images.get("debian:trixie-slim").id
        lab.load(first, "debian:trixie-slim", print)
        for node in first.nodes:
            assert node.connect().images.get("debian:trixie-slim").id == wanted
        said: list[str] = []
        lab.load(first, "debian:trixie-slim", said.append)
        assert sorted(said) == [f"node-{i} has debian:trixie-slim already" for i in (1, 2)]
        with pytest.raises(ClusterError, match="has no image no:such"):
            lab.load(first, "no:such", print)

        # a task runs on the lab; status counts it, also from inside the lab's own context
        service = ("service", "create", "-q", "--no-resolve-image", "--replicas", "2")
        docker_cli("--context", context, *service, "debian:trixie-slim", "sleep", "600")
        status = call("status", "--name", name, "--json", DOCKER_CONTEXT=context)
        rows = json.loads(status.stdout)
        assert [(row["name"], row["role"], row["state"]) for row in rows] == [
            ("node-1", "manager", "ready"),
            ("node-2", "worker", "ready"),
        ]
        assert sum(row["tasks"] for row in rows) == 2

        # the trap of real servers is there: one docker_gwbridge subnet for all nodes
        bridges = [node.connect().networks.get("docker_gwbridge") for node in first.nodes]
        assert {bridge.attrs["IPAM"]["Config"][0]["Subnet"] for bridge in bridges} == {
            "172.18.0.0/16"
        }

        # down, said from inside the lab's own context, leaves nothing, and the other lab alone
        made = made_by(client, name)
        assert (len(made.containers), len(made.volumes)) == (2, 2)
        down = call("down", "--name", name, DOCKER_CONTEXT=context)
        assert (down.returncode, down.stdout) == (0, f"the lab {name} is gone\n"), down.stderr
        assert_nothing_is_left(client, name, made)
        assert [node.state for node in lab.status(second)] == ["ready"]
    finally:
        lab.down(other, print)


def test_a_lab_that_loses_its_leader(client: docker.DockerClient, name: str) -> None:
    up = call("up", "--nodes", "3", "--managers", "3", "--name", name)
    assert up.returncode == 0, up.stderr
    fewer = call("up", "--nodes", "3", "--name", name)
    assert fewer.returncode == 3
    assert f"the lab {name} is up with --managers 3, not 1\n" in fewer.stderr

    first, second, third = lab.get(name).nodes
    assert [row["manager"] for row in status_of(name)] == ["leader", "reachable", "reachable"]

    # the leader is gone: another one is told by the managers that are left
    client.api.kill(first.container_id)
    status = poll(lambda: call("status", "--name", name), lambda done: "unreachable" in done.stdout)
    states = [line.split()[:4] for line in status.stdout.splitlines()[1:]]
    assert states[0][:3] == [first.name, "manager", "unreachable"]
    # a new leader calls a node that it has not heard of yet "unknown"
    assert states[0][3] in ("unknown", "down")
    assert sorted(state[2] for state in states[1:]) == ["leader", "reachable"]
    assert status.stderr == (
        f"note: {first.name} is lost, so the docker context mpigen-{name} does not work:"
        f" export DOCKER_HOST={second.docker_host}\n"
    )

    # one of three can tell nothing once it has missed the other, and says why
    client.api.kill(second.container_id)
    status = poll(lambda: call("status", "--name", name), lambda done: done.returncode != 0)
    assert status.returncode == 3
    assert status.stderr.startswith("error: none of the 3 managers answers\n")
    assert f"asking {third.name} for its nodes: " in status.stderr
    assert status.stderr.endswith("A Swarm of 3 managers needs 2 of them.\n")

    made = made_by(client, name)
    down = call("down", "--name", name)
    assert (down.returncode, down.stdout) == (0, f"the lab {name} is gone\n"), down.stderr
    assert_nothing_is_left(client, name, made)


def status_of(name: str) -> list[dict[str, str]]:
    status = call("status", "--name", name, "--json")
    assert status.returncode == 0, status.stderr
    rows: list[dict[str, str]] = json.loads(status.stdout)
    return rows


def poll(
    ask: Callable[[], subprocess.CompletedProcess[str]],
    settled: Callable[[subprocess.CompletedProcess[str]], bool],
) -> subprocess.CompletedProcess[str]:
    deadline = time.monotonic() + 90
    while not settled(done := ask()):
        assert time.monotonic() < deadline, done.stdout + done.stderr
        time.sleep(0.2)
    return done


def test_no_lab(name: str) -> None:
    status = call("status", "--name", name)
    assert status.returncode == 3
    assert status.stderr == (
        f"error: there is no lab {name}\nBring it up: mpigen lab up --name {name}\n"
    )
    down = call("down", "--name", name)
    assert (down.returncode, down.stdout) == (0, f"there is no lab {name}\n")


def test_a_node_that_fails_takes_the_lab_with_it(
    client: docker.DockerClient, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # of two that fail at the same time either may be the first that is seen
    fails = '[ "$(hostname)" = node-1 ] || exec sleep 60; echo the disk is on fire >&2; exit 7'
    monkeypatch.setattr(nodes, "_START", fails)
    with pytest.raises(ClusterError) as error:
        lab.up(name, 2, print)
    assert error.value.message == "node-1 ended during its start\n  the disk is on fire"
    assert_nothing_is_left(client, name, Made((), ()))


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name
)
def test_an_interrupted_up_removes_what_it_made(
    client: docker.DockerClient, name: str, number: signal.Signals
) -> None:
    with started(name) as starting:
        made = first_sight(client, name)
        # again and again: what removes it is not interrupted
        assert until_it_ends(starting, number) == 128 + number
    assert_nothing_is_left(client, name, made)


def test_an_up_whose_terminal_goes_away_removes_what_it_made(
    client: docker.DockerClient, name: str
) -> None:
    ours, theirs = pty.openpty()
    command = ["setsid", "--ctty", *verb("up", "--nodes", "2", "--name", name)]
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), theirs)
    with subprocess.Popen(command, env=environment(), **streams) as starting:
        os.close(theirs)
        made = first_sight(client, name)
        os.close(ours)
        # what it last says has nowhere to go
        assert starting.wait(60) != 0
    assert made.containers
    assert_nothing_is_left(client, name, made)


def test_a_killed_up_is_removed_by_down_and_replaced_by_up(
    client: docker.DockerClient, name: str
) -> None:
    with started(name) as starting:
        made = first_sight(client, name)
        starting.kill()
    down = call("down", "--name", name)
    assert (down.returncode, down.stdout) == (0, f"the lab {name} is gone\n"), down.stderr
    assert_nothing_is_left(client, name, made)

    with started(name) as starting:
        first_sight(client, name)
        starting.kill()
    said: list[str] = []
    assert len(lab.up(name, 1, said.append).nodes) == 1
    assert said[0] == f"removed the rest of an unfinished start of the lab {name}"


def test_a_lab_of_another_user_is_left_alone(
    client: docker.DockerClient, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lab.up(name, 1, print)
    with monkeypatch.context() as other_user:
        other_user.setenv("XDG_STATE_HOME", str(tmp_path))
        for act in (lambda: lab.up(name, 1, print), lambda: lab.down(name, print)):
            with pytest.raises(ClusterError, match=f"the lab {name} of this engine belongs to"):
                act()
    assert len(made_by(client, name).containers) == 1


def started(name: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(verb("up", "--nodes", "2", "--name", name), env=environment())


def first_sight(client: docker.DockerClient, name: str) -> Made:
    """What an `up` has made, as soon as its first container runs."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if client.api.containers(filters={"label": f"{nodes.LABEL}={name}"}):
            return made_by(client, name)
        time.sleep(0.02)
    raise AssertionError("no container in 30 s")


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[dockerd.Dockerd]:
    """A second engine, which must not touch the machine's own.

    Hence a folder and a network namespace of its own: even with --bridge=none a dockerd removes
    the docker0 that it finds.
    """
    if os.geteuid() != 0:
        pytest.skip("a second engine needs root")
    with tempfile.TemporaryDirectory(prefix="mpigen-dockerd-") as folder:
        root = Path(folder)
        alone = root / "bin" / "dockerd"
        alone.parent.mkdir()
        alone.write_text(f'#!/bin/sh\nexec unshare --net {dockerd.path()} "$@"\n')
        alone.chmod(0o755)
        monkeypatch.setenv("PATH", f"{alone.parent}:{os.environ['PATH']}")
        daemon = dockerd.Dockerd(
            pidfile=root / "docker.pid",
            exec_root=root / "exec",
            log=root / "log",
            record=root / "state" / "engine.json",
            flags=(
                *("--pidfile", f"{root}/docker.pid", "--exec-root", f"{root}/exec"),
                *("--data-root", f"{root}/data", "-H", f"unix://{root}/docker.sock"),
            ),
        )
        yield daemon
        dockerd.stop(daemon, print)
        # One mount for each dockerd that was killed; is_mount() does not see bind mounts.
        unmount = ["umount", "--lazy", str(root / "data")]
        while subprocess.run(unmount, stderr=subprocess.DEVNULL).returncode == 0:
            pass


def answers(daemon: dockerd.Dockerd) -> Callable[[], bool]:
    def ask() -> bool:
        with socket.socket(socket.AF_UNIX) as asking:
            try:
                asking.connect(str(daemon.pidfile.parent / "docker.sock"))
            except OSError:
                return False
            asking.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b"200 OK" in asking.recv(100)

    return ask


def test_an_engine_that_died_is_started_all_the_same(daemon: dockerd.Dockerd) -> None:
    dockerd.start(daemon, print, answers(daemon))
    pids = [int(file.read_text()) for file in (daemon.pidfile, daemon.containerd_pidfile)]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    time.sleep(0.5)  # until init has buried them
    # It left its files behind, and since then the ids have gone to another program: us.
    for file in (daemon.pidfile, daemon.containerd_pidfile):
        assert file.exists()
        file.write_text(str(os.getpid()))
    said: list[str] = []
    dockerd.start(daemon, said.append, answers(daemon))
    assert said == [
        f"removing a stale {daemon.pidfile}",
        f"removing a stale {daemon.containerd_pidfile}",
        "starting dockerd",
    ]
    assert answers(daemon)()
    # Started again, it is only waited for; it was ours, so it can be stopped; once.
    dockerd.start(daemon, said.append, answers(daemon))
    assert said[3].startswith("waiting for the running dockerd")
    assert dockerd.stop(daemon, print)
    assert not answers(daemon)()
    assert not dockerd.stop(daemon, print)


def test_an_engine_that_cannot_start_shows_its_log(daemon: dockerd.Dockerd) -> None:
    broken = dockerd.Dockerd(
        daemon.pidfile, daemon.exec_root, daemon.log, daemon.record, ("--no-such-flag",)
    )
    with pytest.raises(ClusterError, match=r"dockerd ended during its start\n.*no-such-flag"):
        dockerd.start(broken, print, answers(broken))
