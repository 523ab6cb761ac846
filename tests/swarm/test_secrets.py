"""`ssh.delivery: secret`: no private key in any layer, and new keys without a new image."""

import base64
import io
import json
import os
import pty
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpigen.lab import base, engine, lab
from tests.swarm.conftest import Cluster, call, check, make_site

NAMES = ("id_ed25519", "ssh_host_ed25519_key")
TEXT = """\
name: sec
app: {source: app, check: hello}
network: {subnet: 10.81.0.0/24}
workers: [{replicas: 3, max_per_node: 1}]
ssh: {delivery: DELIVERY}
"""


@pytest.fixture(scope="module")
def cluster(
    the_lab: lab.Lab, lab_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """Three workers on three nodes, with their keys as Swarm secrets."""
    base.ensure(engine.local(), "debian:trixie-slim", print)
    output = make_site(tmp_path_factory.mktemp("secret"), TEXT.replace("DELIVERY", "secret"))
    check("sh", output / "scripts" / "build.sh", timeout=600)
    lab.load(the_lab, "sec:latest", print)
    cluster = Cluster("sec", output, lab_env)
    done = cluster.script("deploy.sh")
    assert done.code == 0, done.out + done.err
    yield cluster
    assert cluster.script("down.sh").code == 0
    left = [
        cluster.docker(kind, "ls", "--quiet", "--filter", "name=sec_")
        for kind in ("secret", "config")
    ]
    assert left == ["", ""]


def secrets_of(output: Path) -> list[bytes]:
    """What gives a private key away: lines of its file, and the 32 bytes of the key itself."""
    found = []
    for name in NAMES:
        lines = (output / "keys" / name).read_bytes().splitlines()[1:-1]
        body = base64.b64decode(b"".join(lines))
        public = base64.b64decode((output / "keys" / f"{name}.pub").read_text().split()[1])[-32:]
        # the private section holds the public key, 64 as a length, then seed and public key
        at = body.rindex(public) - 32
        found += [lines[2], lines[3], body[at : at + 32]]
    return found


def in_layers(tag: str, output: Path) -> bool:
    """Whether any layer of an image, as `docker save` gives it, holds a private key."""
    saved = subprocess.run(["docker", "save", tag], capture_output=True, check=True).stdout
    wanted = secrets_of(output)
    searched = 0
    with tarfile.open(fileobj=io.BytesIO(saved)) as archive:
        for entry in archive:
            if not entry.isfile():
                continue
            file = archive.extractfile(entry)
            assert file
            data = file.read()
            searched += len(data)
            if any(secret in data for secret in wanted):
                return True
    assert searched > 50_000_000
    return False


def jobs(cluster: Cluster) -> set[str]:
    """The containers of jobs on the manager, ended ones too: those that are no task's."""
    ours = ("docker", "ps", "-aq", "--filter", "ancestor=sec:latest")
    tasks = check(*ours, "--filter", "label=com.docker.swarm.task", env=cluster.env)
    return set(check(*ours, env=cluster.env).split()) - set(tasks.split())


def test_a_job_runs_across_nodes(cluster: Cluster) -> None:
    assert sorted(cluster.run("uname", "-n").split()) == ["worker-1", "worker-2", "worker-3"]
    assert cluster.run("hello").count("Size: 3") == 3
    assert cluster.script("run.sh", "sh", "-c", "exit 7").code == 7
    assert jobs(cluster) == set()


def test_a_job_reads_standard_input(cluster: Cluster) -> None:
    done = subprocess.run(
        ["sh", cluster.output / "scripts/run.sh", "-n", "1", "cat"],
        env={**os.environ, **cluster.env},
        input="read by rank 0\n",
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (0, "read by rank 0\n"), done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_job_that_is_interrupted_ends_and_leaves_nothing(cluster: Cluster, number: int) -> None:
    job = subprocess.Popen(
        ["sh", cluster.output / "scripts/run.sh", "-n", "1", "sh", "-c", "echo up; sleep 600"],
        env={**os.environ, **cluster.env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert job.stdout
        assert job.stdout.readline() == "up\n"
        job.send_signal(number)
        # mpirun of Open MPI 5.0.7 exits 0 when it is interrupted: docs/architecture.md
        job.wait(timeout=60)
    finally:
        job.kill()
    assert jobs(cluster) == set()


@pytest.mark.parametrize("end", ["a byte", signal.SIGTERM, signal.SIGHUP], ids=str)
def test_a_job_on_a_terminal_ends_and_leaves_nothing(
    cluster: Cluster, end: signal.Signals | str
) -> None:
    ours, theirs = pty.openpty()
    job = subprocess.Popen(
        ["sh", cluster.output / "scripts/run.sh", "-n", "1", "sh", "-c", "echo up; sleep 600"],
        env={**os.environ, **cluster.env},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    try:
        said = b""
        while b"up" not in said:
            said += os.read(ours, 1024)
        if isinstance(end, signal.Signals):
            job.send_signal(end)
        else:
            os.write(ours, b"\x03")
        assert job.wait(timeout=60) != 0
    finally:
        job.kill()
        os.close(theirs)
        os.close(ours)
    assert jobs(cluster) == set()


def test_a_job_whose_script_was_killed_takes_its_key_along_when_it_ends(cluster: Cluster) -> None:
    job = subprocess.Popen(
        ["sh", cluster.output / "scripts/run.sh", "-n", "1", "sh", "-c", "echo up; sleep 3"],
        env={**os.environ, **cluster.env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert job.stdout
    assert job.stdout.readline() == "up\n"
    job.kill()
    job.wait()
    assert jobs(cluster) != set()
    deadline = time.monotonic() + 60
    while jobs(cluster) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert jobs(cluster) == set()


def test_the_rendered_checks_pass(cluster: Cluster) -> None:
    done = cluster.verify()
    assert done.code == 0, done.out + done.err


def test_no_layer_has_a_private_key_and_the_search_would_find_it(
    cluster: Cluster, tmp_path: Path
) -> None:
    assert not in_layers("sec:latest", cluster.output)
    other = make_site(tmp_path, TEXT.replace("DELIVERY", "image").replace("sec", "img", 1))
    check("sh", other / "scripts" / "build.sh", timeout=600)
    try:
        assert in_layers("img:latest", other)
    finally:
        check("docker", "rmi", "--force", "img:latest")


def test_new_keys_move_a_running_cluster_without_a_new_image(cluster: Cluster) -> None:
    old_key = cluster.output.parent / "old"
    mpigen = [sys.executable, "-m", "mpigen", "keys"]
    site = ["-c", str(cluster.output.parent / "mpigen.yaml")]
    check(*mpigen, "export", old_key, *site)
    before = cluster.tasks()
    check(*mpigen, "rotate", *site)
    done = cluster.script("deploy.sh")
    assert done.code == 0, done.out + done.err
    assert done.out.count("of earlier keys") == 4
    assert set(cluster.tasks().values()).isdisjoint(before.values())
    held = json.loads((cluster.output / "manifest.json").read_text())["keys"]
    assert (
        held["user"]
        == check("ssh-keygen", "-l", "-f", cluster.output / "keys/id_ed25519.pub").split()[1]
    )
    for kind in ("secret", "config"):
        names = cluster.docker(kind, "ls", "--format", "{{.Name}}", "--filter", "name=sec_").split()
        assert len(names) == 2
        assert all(
            name.removeprefix("sec_") in (cluster.output / "stack.yml").read_text()
            for name in names
        )
    assert cluster.run("hello").count("Size: 3") == 3
    # what the old key is worth now: a job that is given it
    kept = {}
    try:
        for name in ("id_ed25519", "id_ed25519.pub"):
            now = cluster.output / "keys" / name
            kept[now] = now.read_text()
            now.write_text((old_key / name).read_text())
        done = cluster.script("run.sh", "hello", MPI_WAIT="8")
        assert done.code != 0
        assert done.out == ""
        assert "Permission denied (publickey)" in done.err
    finally:
        for now, text in kept.items():
            now.write_text(text)


def test_a_server_without_the_private_keys_deploys_what_the_swarm_has(cluster: Cluster) -> None:
    hidden = {}
    for name in NAMES:
        key = cluster.output / "keys" / name
        hidden[key] = key.rename(cluster.output / f"hidden-{name}")
    try:
        before = cluster.tasks()
        done = cluster.script("deploy.sh")
        assert done.code == 0, done.out + done.err
        assert cluster.tasks() == before
        for script, stack in (("deploy.sh", "other"), ("run.sh", "sec")):
            done = cluster.script(script, "hello", STACK=stack)
            assert done.code == 2
            assert "mpigen keys import DIR" in done.err
    finally:
        for key, where in hidden.items():
            where.rename(key)


def test_the_same_key_in_other_bytes_is_deployed(cluster: Cluster) -> None:
    """Docker alone refuses it: a secret of the name is there, and is not changed."""
    key = cluster.output / "keys/id_ed25519"
    before, public = key.read_text(), key.with_name("id_ed25519.pub").read_text()
    try:
        check("ssh-keygen", "-q", "-c", "-C", "a comment", "-f", key)
        key.with_name("id_ed25519.pub").write_text(public)
        plain = ("docker", "stack", "deploy", "-c", cluster.output / "stack.yml", "sec")
        done = call(*plain, env=cluster.env)
        assert done.code != 0
        assert "only updates to Labels are allowed" in done.err
        done = cluster.script("deploy.sh")
        assert done.code == 0, done.out + done.err
        assert cluster.run("hello").count("Size: 3") == 3
    finally:
        key.write_text(before)
