"""Files between this machine and the workers, and storage that they share or do not."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpigen.lab import base, engine, lab
from tests import leftovers
from tests.bench.sharing import SHARED, share
from tests.swarm.conftest import Cluster, Done, call, check, deployed, make_site

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(os.geteuid() != 0, reason="nodes that share a folder need root"),
]

MPIGEN = (sys.executable, "-m", "mpigen")
APART = "/srv/apart"
TEXT = f"""\
name: files
app: {{source: app, check: hello}}
network: {{subnet: 10.88.0.0/24}}
storage:
  - {{target: /shared, type: bind, source: {SHARED}, shared: true}}
  - {{target: /apart, type: bind, source: {APART}, shared: true}}
  - {{target: /kept, source: kept}}
workers: [{{name: worker, replicas: 4, slots: 2}}]
"""
HOSTS = ["worker-1", "worker-2", "worker-3", "worker-4"]


@pytest.fixture(scope="module")
def cluster(the_lab: lab.Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Four workers on nodes that share one folder, and have another one each."""
    folder = tmp_path_factory.mktemp("shared")
    folder.chmod(0o777)
    for node in the_lab.nodes:
        share(node, folder)
        here = ("docker", "-H", engine.local_endpoint().url, "exec", node.container)
        check(*here, "install", "-d", "-m", "777", APART)
    base.ensure(engine.local(), "debian:trixie-slim", print)
    output = make_site(tmp_path_factory.mktemp("files"), TEXT)
    env = {"DOCKER_HOST": the_lab.docker_host}
    cluster = deployed(the_lab, output, "files", env, "files:latest")
    yield cluster
    assert cluster.script("down.sh").code == 0


@pytest.fixture(autouse=True)
def nothing_is_left(the_lab: lab.Lab) -> Iterator[None]:
    """After each test no node may have a job's container, or a process in a worker."""
    yield
    leftovers.assert_none(the_lab)


def mpigen(cluster: Cluster, verb: str, *words: str | Path) -> Done:
    return call(*MPIGEN, verb, "-o", cluster.output, *words, env=cluster.env, timeout=120)


def tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if not path.is_dir())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def on_each_host(cluster: Cluster, script: str) -> str:
    """What a script prints on the hosts, run once on each."""
    return cluster.run("-n", "4", "--map-by", "node", "sh", "-c", script)


def test_a_file_of_each_host_and_a_folder_with_equal_hashes(
    cluster: Cluster, tmp_path: Path
) -> None:
    made = "mkdir -p out/deep; head -c 300000 /dev/urandom > out/deep/data; sha256sum out/deep/data"
    sums = {line.split()[0] for line in on_each_host(cluster, made).splitlines()}
    done = mpigen(cluster, "pull", "--all", "--json", "out/d*/data", f"{tmp_path}/all/")
    assert done.code == 0, done.err
    rows = json.loads(done.out)
    assert [row["host"] for row in rows] == HOSTS
    assert [row["file"] for row in rows] == [f"{tmp_path}/all/{host}/data" for host in HOSTS]
    assert {row["sha256"] for row in rows} == sums and len(sums) == 4
    read = tree(tmp_path / "all")
    assert {hashlib.sha256(content).hexdigest() for content in read.values()} == sums
    done = mpigen(cluster, "pull", "--from", "worker-3", "out", f"{tmp_path}/one/")
    assert (done.code, [*tree(tmp_path / "one")]) == (0, ["out/deep/data"]), done.err
    assert tree(tmp_path / "one")["out/deep/data"] == read["worker-3/data"]


def test_what_is_not_there_is_told_and_nothing_is_written(cluster: Cluster, tmp_path: Path) -> None:
    cluster.run("-n", "1", "touch", "there")
    to = ("--to", tmp_path / "new")
    for words, code, said in (
        (["there", "none.*"], 2, "none.*: not on worker-1"),
        (["--all", "none.*"], 2, "none.*: on none of 4 hosts"),
        (["--from", "worker-9", "there"], 3, "mpigen status lists the hosts"),
        (["/etc/mpi/ssh_host_ed25519_key", "/root"], 3, "worker-1: "),
    ):
        done = mpigen(cluster, "pull", *words, *to)
        assert (done.code, said in done.err) == (code, True), done.err
        assert list(tmp_path.iterdir()) == []


def test_an_interrupt_and_a_full_disk_leave_nothing(cluster: Cluster, tmp_path: Path) -> None:
    cluster.run("-n", "1", "sh", "-c", "head -c 60000000 /dev/urandom > big")
    (tmp_path / "big").write_bytes(b"old")
    words = (*MPIGEN, "pull", "-o", cluster.output, "big", "--to", tmp_path)
    pull = subprocess.Popen(
        [str(word) for word in words],
        env={**os.environ, **cluster.env},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not any(path.stat().st_size for path in tmp_path.glob("mpigen-pull-*/files/*/big")):
        assert pull.poll() is None, "it was too quick to be interrupted"
        time.sleep(0.01)
    pull.send_signal(signal.SIGINT)
    _, said = pull.communicate(timeout=60)
    assert (pull.returncode, said.splitlines()[-1:]) == (
        128 + signal.SIGINT,
        ["interrupted: nothing was written"],
    ), said
    assert tree(tmp_path) == {"big": b"old"}
    small = tmp_path / "small"
    small.mkdir()
    check("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", small)
    try:
        done = mpigen(cluster, "pull", "big", "--to", small)
        assert done.code == 3 and "worker-1 has 0.1 GB" in done.err, done.err
        assert list(small.iterdir()) == []
    finally:
        check("umount", small)


def test_a_hostile_worker_writes_nowhere(cluster: Cluster, tmp_path: Path) -> None:
    """Its tar has a name that leads out, or another one than was asked for, or a link."""
    hostile = {
        "one": "tar() { command tar -cf - -P --transform 's,.*,../../../evil,' -C /etc hostname; }",
        "two": "tar() { cd /etc; command tar -cf - passwd; }",
        "three": "tar() { cd /tmp; ln -sf / x; command tar -cf - x; }",
    }
    cluster.run("-n", "1", "sh", "-c", "mv .bashrc .kept; echo x > x")
    try:
        for number, words in hostile.items():
            script = f'printf "%s\\n" "$1" > .bashrc; echo {number}'
            cluster.run("-n", "1", "sh", "-c", script, "sh", words)
            inside = tmp_path / "a/b"
            done = mpigen(cluster, "pull", "x", "--to", inside)
            assert done.code == 3 and "worker-1: what it sent was rejected" in done.err, done.err
            assert tree(tmp_path) == {}
    finally:
        cluster.run("-n", "1", "sh", "-c", "rm -f .bashrc /tmp/x; mv .kept .bashrc")


def test_what_a_job_has_written_is_fetched(cluster: Cluster, tmp_path: Path) -> None:
    def run(*words: str, to: str) -> Done:
        return mpigen(cluster, "run", "--fetch-to", tmp_path / to, *words)

    cluster.run("sh", "-c", "touch -d '1 hour ago' res.old")
    each = ("--", "sh", "-c", "uname -n > res.$OMPI_COMM_WORLD_RANK")
    done = run("-n", "4", "--fetch", "res.*", *each, to="a")
    assert done.code == 0, done.err
    assert tree(tmp_path / "a") == {
        f"res.{n}": f"worker-{1 + n // 2}\n".encode() for n in range(4)
    }, "of the hosts that ran it alone, and nothing of before"
    assert f"{tmp_path}/a/res.3: 9 bytes from worker-2" in done.err and done.out == ""
    # names that collide; a job that failed; storage that is one for all
    failing = "uname -n > same; uname -s > /shared/out; exit 7"
    words = ("--fetch", "/shared/o*", "--fetch", "same", "--", "sh", "-c", failing)
    done = run(*words, to="b")
    assert done.code == 7
    assert tree(tmp_path / "b") == {
        **{f"{host}/same": f"{host}\n".encode() for host in HOSTS},
        "worker-1/out": b"Linux\n",
    }
    done = run("--fetch", "res.old", "--", "true", to="c")
    assert done.code == 1 and "res.old: no file that the job has written" in done.err
    assert not (tmp_path / "c").exists()


def test_a_folder_of_data_is_on_every_host(cluster: Cluster, tmp_path: Path) -> None:
    for name, text in (("mesh/a", "1"), ("mesh/deep/b c", "2")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    done = mpigen(cluster, "push", tmp_path / "mesh")
    assert (done.code, "mesh: in /home/mpi of 4 workers" in done.out) == (0, True), done.err
    assert "docs/files.md" in done.err
    assert on_each_host(cluster, "cat mesh/a 'mesh/deep/b c'") == "12" * 4


def test_a_job_sees_the_storage_of_its_ranks(cluster: Cluster) -> None:
    seen = cluster.shell("echo here > /shared/note; mpirun -n 4 --map-by node cat /shared/note\n")
    assert (seen.code, seen.out) == (0, "here\n" * 4), seen.err
    # of a volume, that of the worker on the same node
    wrote = on_each_host(cluster, "uname -n > /kept/name")
    own = cluster.shell("cat /kept/name\n").out.strip()
    assert wrote == "" and own in HOSTS
    words = ("--detach", "--name", "seen", "--mount", "type=tmpfs,target=/kept", "--", "true")
    assert mpigen(cluster, "run", *words).code == 0
    assert mpigen(cluster, "wait", "seen").code == 0
    spec = cluster.docker("service", "inspect", "files_job-seen")
    mounts = json.loads(spec)[0]["Spec"]["TaskTemplate"]["ContainerSpec"]["Mounts"]
    assert sorted((each["Target"], each["Type"]) for each in mounts) == [
        ("/apart", "bind"),
        ("/kept", "tmpfs"),
        ("/shared", "bind"),
    ]
    assert mpigen(cluster, "jobs", "--clear").code == 0
    done = cluster.script("run.sh", "-n", "1", "cat", "/shared/note")
    assert (done.code, done.out) == (0, "here\n"), done.err


def test_storage_that_is_not_shared_is_told(cluster: Cluster) -> None:
    done = cluster.verify("-k", "shared_storage")
    assert done.code == 1
    assert "[/shared] PASSED" in done.out and "[/apart] FAILED" in done.out, done.out
    assert "/apart is not shared: what worker-1 wrote is not there on" in done.out
    found = json.loads(mpigen(cluster, "doctor", "--json").out)["findings"]
    told = {one["verdict"]: one["what"] for one in found if one["check"] == "storage"}
    assert told["ok"].startswith("/shared: written on node-"), told
    assert told["bad"].startswith("/apart is not shared: what node-"), told
    left = on_each_host(cluster, "ls -A /shared /apart | grep mpigen || :")
    assert left == "", "what was written to prove it is gone"
