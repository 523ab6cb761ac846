"""`mpigen run` and its family: what comes out, what goes in, and how jobs end."""

import contextlib
import fcntl
import hashlib
import json
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpigen.lab import base, engine, lab
from tests import leftovers
from tests.interrupts import until_it_ends
from tests.swarm.conftest import KEPT, Cluster, Done, call, check, make_site

pytestmark = pytest.mark.long

MPIGEN = (sys.executable, "-m", "mpigen")
TEXT = """\
name: NAME
app: {source: app, check: hello}
network: {subnet: SUBNET}
image: {base: 'debian:BASE-slim'}
ssh: {delivery: DELIVERY}
workers:
  - {name: cpu, replicas: 3, slots: 2, max_per_node: 1}
  - {name: gpu, replicas: 1, slots: 3}
"""
EVERY = ["cpu-1", "cpu-1", "cpu-2", "cpu-2", "cpu-3", "cpu-3", "gpu-1", "gpu-1", "gpu-1"]
# each of the nine ranks says that it is up, and goes on for longer than any test
ENDLESS = ("sh", "-c", "echo up; sleep 600")


def _cluster(the_lab: lab.Lab, folder: Path, **values: str) -> Iterator[Cluster]:
    text = TEXT
    for word, value in values.items():
        text = text.replace(word.upper(), value)
    base.ensure(engine.local(), f"debian:{values['base']}-slim", print)
    output = make_site(folder, text)
    check("sh", output / "scripts/build.sh", timeout=600)
    lab.load(the_lab, f"{values['name']}:latest", print)
    cluster = Cluster(values["name"], output, {"DOCKER_HOST": the_lab.docker_host})
    done = cluster.script("deploy.sh")
    assert done.code == 0, done.out + done.err
    yield cluster
    assert cluster.script("down.sh").code == 0


@pytest.fixture(scope="module", params=["trixie"])
def cluster(
    request: pytest.FixtureRequest,
    the_lab: lab.Lab,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Cluster]:
    """Two groups, nine slots, on Debian 13 (Open MPI 5) and Debian 12 (4)."""
    yield from _cluster(
        the_lab,
        tmp_path_factory.mktemp(request.param),
        name=f"job{request.param[0]}",
        base=request.param,
        delivery="image",
        subnet="10.83.0.0/24",
    )


@pytest.fixture(scope="module")
def secret(the_lab: lab.Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The same with its keys as Swarm secrets."""
    yield from _cluster(
        the_lab,
        tmp_path_factory.mktemp("secret"),
        name="jobsec",
        base="trixie",
        delivery="secret",
        subnet="10.84.0.0/24",
    )


@pytest.fixture(autouse=True)
def nothing_is_left(the_lab: lab.Lab) -> Iterator[None]:
    """After each test no node may have a job's container, or a process in a worker."""
    yield
    leftovers.assert_none(the_lab)


def mpigen(cluster: Cluster, verb: str, *words: str | Path, **env: str) -> Done:
    """Run a verb on the cluster, to its end."""
    options = ("-o", cluster.output)
    return call(*MPIGEN, verb, *options, *words, env={**cluster.env, **env}, timeout=120)


@contextlib.contextmanager
def started(
    cluster: Cluster, *words: str, wait: bool = True, **env: str
) -> "Iterator[subprocess.Popen[str]]":
    """A job that runs; each of its ranks has said `up`."""
    job = subprocess.Popen(
        [*MPIGEN, "run", "-o", cluster.output, *words],
        env={**os.environ, **cluster.env, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert job.stdout
        for _ in range(9 if wait else 0):
            assert job.stdout.readline() == "up\n"
        yield job
    finally:
        job.terminate()
        job.communicate(timeout=60)


def jobs(cluster: Cluster, **env: str) -> dict[str, dict[str, object]]:
    """What `mpigen jobs --json` says of each job."""
    done = mpigen(cluster, "jobs", "--json", **env)
    assert done.code == 0, done.err
    return {job["name"]: job for job in json.loads(done.out)}


def test_a_job_uses_every_slot(cluster: Cluster) -> None:
    done = mpigen(cluster, "run", "--", "uname", "-n")
    assert (done.code, sorted(done.out.split())) == (0, EVERY), done.err


@pytest.mark.parametrize(
    ("command", "code"),
    [("true", 0), ("false", 1), ("exit 7", 7), ("kill -9 $$", 137), ("kill -TERM $$", 143)],
)
def test_the_jobs_exit_code_is_the_commands(cluster: Cluster, command: str, code: int) -> None:
    assert mpigen(cluster, "run", "--", "sh", "-c", command).code == code


def test_output_and_errors_are_apart(cluster: Cluster) -> None:
    done = mpigen(cluster, "run", "-n", "1", "--", "sh", "-c", "echo out; echo err >&2")
    assert done.out == "out\n"
    assert "err\n" in done.err and "out" not in done.err


def test_a_hundred_megabytes_of_output_arrive_whole(cluster: Cluster) -> None:
    made = "yes 0123456789abcdef0123456789abcdef | head -c 100000000"
    job = subprocess.Popen(
        [*MPIGEN, "run", "-o", cluster.output, "-n", "1", "--", "sh", "-c", made],
        env={**os.environ, **cluster.env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    assert job.stdout
    got = hashlib.file_digest(job.stdout, "sha256").hexdigest()
    assert job.wait(timeout=60) == 0
    expected = (b"0123456789abcdef" * 2 + b"\n") * (100_000_000 // 33 + 1)
    assert got == hashlib.sha256(expected[:100_000_000]).hexdigest()


@pytest.mark.parametrize("size", [0, 10, 5000, 10_000_000])
@pytest.mark.parametrize("ranks", [["-n", "1"], []], ids=["one", "all"])
def test_input_arrives_whole_at_rank_0(cluster: Cluster, size: int, ranks: list[str]) -> None:
    data = os.urandom(size)
    program = '[ "$OMPI_COMM_WORLD_RANK" != 0 ] || sha256sum'
    done = subprocess.run(
        [*MPIGEN, "run", "-o", cluster.output, *ranks, "--", "sh", "-c", program],
        env={**os.environ, **cluster.env},
        input=data,
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().split()[0] == hashlib.sha256(data).hexdigest()


def test_input_that_nobody_reads_keeps_nothing_from_ending(cluster: Cluster) -> None:
    ours, theirs = os.pipe()
    try:
        with started(cluster, "-n", "1", "--", "head", "-c", "3", wait=False):
            pass
        done = subprocess.run(
            [*MPIGEN, "run", "-o", cluster.output, "-n", "1", "--", "true"],
            env={**os.environ, **cluster.env},
            stdin=ours,
            capture_output=True,
            timeout=120,
        )
        assert done.returncode == 0
    finally:
        os.close(ours)
        os.close(theirs)


def test_an_environment_reaches_every_rank(cluster: Cluster) -> None:
    done = mpigen(cluster, "run", "-e", "WHAT=a b;c", "--", "sh", "-c", 'echo "$WHAT"')
    assert done.out == "a b;c\n" * 9, done.err


def test_a_mount_is_the_jobs_own(cluster: Cluster) -> None:
    mount = "type=tmpfs,target=/mnt,tmpfs-size=1m"
    done = mpigen(cluster, "run", "--mount", mount, "-n", "1", "--", "df", "-k", "/mnt")
    assert done.code == 0, done.err
    # the rank is in a worker, which has no such mount
    assert "tmpfs" not in done.out


def test_more_ranks_than_slots_are_refused_before_anything_starts(cluster: Cluster) -> None:
    done = mpigen(cluster, "run", "-n", "10", "hello")
    assert (done.code, done.out) == (2, "")
    assert "-n 10 needs more than the 9 slots that the hosts have: cpu has 3 x 2" in done.err
    assert "mpigen scale gpu=2" in done.err


def test_a_group_alone_has_the_job(cluster: Cluster) -> None:
    done = mpigen(cluster, "run", "--workers", "gpu", "--", "uname", "-n")
    assert (done.code, done.out) == (0, "gpu-1\n" * 3), done.err
    both = mpigen(cluster, "run", "-w", "gpu", "-w", "cpu", "-n", "4", "--", "uname", "-n")
    assert sorted(both.out.split()) == ["cpu-1", "gpu-1", "gpu-1", "gpu-1"]
    done = mpigen(cluster, "run", "-w", "tpu", "--", "uname", "-n")
    assert (done.code, done.out) == (2, "")
    assert "no such group; groups: cpu, gpu" in done.err


def test_a_job_that_takes_too_long_is_ended_with_124(cluster: Cluster) -> None:
    done = mpigen(cluster, "run", "--timeout", "4", "--", "sleep", "600")
    assert done.code == 124
    assert "was ended after 4 s (--timeout)" in done.err


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT], ids=lambda n: n.name
)
def test_a_signal_ends_every_rank(cluster: Cluster, number: signal.Signals) -> None:
    with started(cluster, "--", *ENDLESS) as job:
        job.send_signal(number)
        assert job.wait(timeout=60) == 128 + number


def test_a_signal_at_the_very_start_ends_the_job(cluster: Cluster) -> None:
    for moment in (0.4, 0.7, 1.0, 1.4):
        with started(cluster, "--", "sleep", "600", wait=False) as job:
            time.sleep(moment)
            job.send_signal(signal.SIGTERM)
            # before Python is ready for it, a signal is the kernel's to answer
            assert job.wait(timeout=60) in (143, -signal.SIGTERM), moment


def test_ranks_that_do_not_want_to_end_do(cluster: Cluster) -> None:
    stubborn = "trap '' TERM INT; echo up; while :; do sleep 600; done"
    with started(cluster, "--", "sh", "-c", stubborn) as job:
        job.send_signal(signal.SIGINT)
        time.sleep(0.2)
        job.send_signal(signal.SIGINT)
        assert job.wait(timeout=60) == 130


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_a_key_held_down_ends_it_as_one_press_does(
    cluster: Cluster, number: signal.Signals
) -> None:
    with started(cluster, "--", *ENDLESS) as job:
        assert until_it_ends(job, number) == 128 + number


def test_a_reader_that_goes_ends_the_job(cluster: Cluster) -> None:
    with started(cluster, "-n", "1", "--", "yes", wait=False) as job:
        assert job.stdout and job.stdout.readline() == "y\n"
        job.stdout.close()
        assert job.wait(timeout=60) == 128 + signal.SIGPIPE
        # communicate() is not for a stream that is closed
        job.stdout = None


@contextlib.contextmanager
def on_a_terminal(cluster: Cluster, *words: str) -> "Iterator[tuple[subprocess.Popen[bytes], int]]":
    """A command whose controlling terminal is new; it, and the other side of the terminal."""
    ours, theirs = pty.openpty()
    settings = termios.tcgetattr(theirs)
    process = subprocess.Popen(
        [*MPIGEN, words[0], "-o", cluster.output, *words[1:]],
        env={**os.environ, **cluster.env},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    try:
        yield process, ours
        if process.returncode != 128 + signal.SIGHUP:
            assert termios.tcgetattr(theirs) == settings
    finally:
        process.terminate()
        process.wait(timeout=60)
        os.close(theirs)
        with contextlib.suppress(OSError):
            os.close(ours)


def read_until(terminal: int, word: bytes, times: int = 1) -> bytes:
    """What comes from a terminal until `word` has come that often."""
    said = b""
    while said.count(word) < times:
        said += os.read(terminal, 4096)
    return said


@pytest.mark.parametrize("end", ["a byte", signal.SIGTERM, signal.SIGHUP], ids=str)
def test_a_job_on_a_terminal_ends(cluster: Cluster, end: signal.Signals | str) -> None:
    with on_a_terminal(cluster, "run", "--", *ENDLESS) as (job, terminal):
        read_until(terminal, b"up\r\n", 9)
        if isinstance(end, signal.Signals):
            job.send_signal(end)
        else:
            os.write(terminal, b"\x03")
        code = job.wait(timeout=60)
    assert code == 128 + (end if isinstance(end, signal.Signals) else signal.SIGINT)


def test_a_job_ends_when_its_terminal_is_gone(cluster: Cluster) -> None:
    ours, theirs = pty.openpty()
    job = subprocess.Popen(
        [*MPIGEN, "run", "-o", cluster.output, "--", *ENDLESS],
        env={**os.environ, **cluster.env},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    read_until(ours, b"up\r\n", 9)
    os.close(ours)
    assert job.wait(timeout=60) == 128 + signal.SIGHUP


def test_what_is_typed_reaches_rank_0(cluster: Cluster) -> None:
    program = "echo up; read line; echo got $line"
    with on_a_terminal(cluster, "run", "-n", "1", "--", "sh", "-c", program) as (job, terminal):
        read_until(terminal, b"up\r\n")
        os.write(terminal, b"a word\n")
        assert b"got a word\r\n" in read_until(terminal, b"got a word\r\n")
        assert job.wait(timeout=60) == 0


def test_a_shell_has_the_cluster(cluster: Cluster) -> None:
    with on_a_terminal(cluster, "shell") as (shell, terminal):
        greeting = read_until(terminal, b"$ ")
        assert b"4 hosts, 9 slots (" in greeting and b"leave with exit or Ctrl-D" in greeting
        os.write(terminal, b"ssh gpu-1 uname -n; mpirun -n 1 uname -n; echo e''nd\n")
        said = read_until(terminal, b"\nend\r\n")
        assert b"gpu-1\r\n" in said and b"cpu-1\r\n" in said
        os.write(terminal, b"exit 3\n")
        assert shell.wait(timeout=60) == 3


def test_a_second_mpirun_needs_no_logins(cluster: Cluster) -> None:
    twice = "mpirun true; kept; mpirun true; kept; sleep 12; ls /run/mpi\n"
    done = cluster.shell(KEPT + twice)
    lines = done.out.splitlines()
    assert done.code == 0 and not done.complaints
    assert all(line.startswith("Master running (pid=") for line in lines[:8]), lines
    assert len(set(lines[:4])) == 4 and lines[:4] == lines[4:8]
    # and they end by themselves
    assert "hostfile" in lines[8:] and not [name for name in lines[8:] if "login-" in name]


def test_mpiruns_at_once_in_one_container_do_not_mind_one_another(cluster: Cluster) -> None:
    one = "mpirun -n 9 uname -n </dev/null"
    done = cluster.shell(f"{one} & {one} & {one} & wait\n")
    assert (done.code, sorted(done.out.split())) == (0, sorted(3 * EVERY)), done.err
    assert not done.complaints


def test_a_shell_reads_what_is_piped_into_it(cluster: Cluster) -> None:
    done = cluster.shell("mpirun -n 2 uname -n </dev/null\nexit 4\n")
    assert (done.code, done.out) == (4, "cpu-1\ncpu-1\n"), done.err


def test_a_job_runs_from_a_node_that_is_no_manager(
    cluster: Cluster, the_lab_dockers: list[dict[str, str]]
) -> None:
    worker = the_lab_dockers[1]
    done = mpigen(cluster, "run", "--", "uname", "-n", **worker)
    assert (done.code, sorted(done.out.split())) == (0, EVERY), done.err
    assert mpigen(cluster, "run", "--", "sh", "-c", "exit 7", **worker).code == 7
    done = mpigen(cluster, "run", "--detach", "hello", **worker)
    assert done.code == 3
    assert "this needs a manager" in done.err


def test_a_stack_that_is_not_there_is_told(cluster: Cluster) -> None:
    done = mpigen(cluster, "run", "--stack", "nowhere", "hello")
    assert done.code == 3
    assert "the stack nowhere is not deployed\nDeploy it: mpigen deploy" in done.err


def test_jobs_in_the_foreground_are_listed_awaited_and_cancelled(cluster: Cluster) -> None:
    with started(cluster, "--name", "front", "--", *ENDLESS) as job:
        told = jobs(cluster)["front"]
        assert (told["kind"], told["state"]) == ("foreground", "running")
        assert (told["ranks"], told["hosts"]) == (9, 4)
        assert mpigen(cluster, "wait", "front", "--timeout", "1").code == 124
        again = mpigen(cluster, "run", "--name", "front", "hello")
        assert again.code == 2
        assert "the job front already exists" in again.err
        assert "runs in the foreground" in mpigen(cluster, "logs", "front").err
        assert mpigen(cluster, "cancel", "front").code == 0
        assert job.wait(timeout=60) == 143
    assert jobs(cluster) == {}
    done = mpigen(cluster, "wait", "front")
    assert (done.code, "there is no job front" in done.err) == (2, True)


def test_a_batch_job_outlives_its_client(cluster: Cluster) -> None:
    program = "echo out; echo err >&2; sleep 4; exit 7"
    done = mpigen(cluster, "run", "-d", "--name", "b", "-n", "1", "--", "sh", "-c", program)
    assert (done.code, done.out) == (0, "b\n")
    assert f"next: mpigen logs -o {cluster.output} b -f" in done.err
    assert jobs(cluster)["b"]["kind"] == "batch"
    assert mpigen(cluster, "wait", "b").code == 7
    told = jobs(cluster)["b"]
    assert (told["state"], told["exit_code"], told["ranks"]) == ("failed", 7, 1)
    done = mpigen(cluster, "logs", "b")
    assert done.out == "out\n"
    assert "err\n" in done.err
    # a deploy leaves it alone, and does not run it again
    assert cluster.script("deploy.sh").code == 0
    cluster.docker("stack", "deploy", "--prune", "-c", f"{cluster.output}/stack.yml", cluster.name)
    assert jobs(cluster)["b"] == told
    assert mpigen(cluster, "run", "-d", "--name", "b", "true").code == 2
    assert mpigen(cluster, "jobs", "--clear").out == "removed b\n"
    assert jobs(cluster) == {}


def test_following_a_batch_job_tells_all_of_it_and_ends_with_it(cluster: Cluster) -> None:
    program = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; sleep 2; echo last"
    words = ("-d", "--name", "lines", "-n", "1", "--", "sh", "-c", program)
    assert mpigen(cluster, "run", *words).code == 0
    done = mpigen(cluster, "logs", "lines", "-f")
    assert done.out == "".join(f"line {number}\n" for number in range(20000)) + "last\n"
    assert mpigen(cluster, "logs", "lines").out == done.out
    assert mpigen(cluster, "wait", "lines").code == 0
    assert mpigen(cluster, "jobs", "--remove", "lines").code == 0


def test_a_batch_job_is_cancelled_on_every_node(cluster: Cluster, the_lab: lab.Lab) -> None:
    assert mpigen(cluster, "run", "-d", "--name", "long", "--", *ENDLESS).code == 0
    deadline = time.monotonic() + 60
    while mpigen(cluster, "logs", "long").out.count("up\n") < 9:
        assert time.monotonic() < deadline
    assert any("sleep 600" in line for line in leftovers.found(the_lab))
    assert mpigen(cluster, "wait", "long", "--timeout", "1").code == 124
    assert mpigen(cluster, "cancel", "long").code == 0
    assert not any("sleep 600" in line for line in leftovers.found(the_lab))
    assert mpigen(cluster, "jobs", "--remove", "long").code == 0
    assert jobs(cluster) == {}


def test_a_batch_job_that_takes_too_long_is_ended_with_124(cluster: Cluster) -> None:
    words = ("-d", "--name", "slow", "--timeout", "3", "--", "sleep", "600")
    assert mpigen(cluster, "run", *words).code == 0
    assert mpigen(cluster, "wait", "slow").code == 124
    assert mpigen(cluster, "jobs", "--remove", "slow").code == 0


def test_a_program_that_was_pushed_runs_on_every_host(cluster: Cluster, tmp_path: Path) -> None:
    program = tmp_path / "fresh"
    for word in ("one", "two"):
        program.write_text(f"#!/bin/sh\necho {word} $(uname -n)\n")
        program.chmod(0o755)
        done = mpigen(cluster, "push", program)
        assert done.code == 0, done.err
        assert done.out.startswith("fresh: in /home/mpi of 4 workers, hashes compared\n")
        ran = mpigen(cluster, "run", "./fresh")
        assert sorted(ran.out.splitlines()) == [f"{word} {host}" for host in EVERY], ran.err


def test_what_cannot_be_pushed_is_told_by_host(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    done = mpigen(cluster, "push", tmp_path / "file", "--to", "/usr/bin")
    assert done.code == 3
    assert "0 of 4 workers have the files" in done.err
    assert all(f"  {host}: " in done.err for host in set(EVERY))


def test_a_job_gets_its_key_where_keys_are_secrets(
    secret: Cluster, the_lab_dockers: list[dict[str, str]]
) -> None:
    for env in the_lab_dockers[:2]:
        done = mpigen(secret, "run", "--", "uname", "-n", **env)
        assert (done.code, sorted(done.out.split())) == (0, EVERY), done.err
    with started(secret, "--", *ENDLESS) as job:
        job.send_signal(signal.SIGINT)
        assert job.wait(timeout=60) == 130


def test_a_batch_job_has_the_swarms_own_key(secret: Cluster) -> None:
    key = secret.output / "keys/id_ed25519"
    hidden = key.rename(secret.output / "hidden")
    try:
        done = mpigen(secret, "run", "--", "uname", "-n")
        assert (done.code, done.out) == (2, "")
        assert "mpigen keys import DIR" in done.err
        assert mpigen(secret, "run", "-d", "--name", "b", "--", "uname", "-n").code == 0
        assert mpigen(secret, "wait", "b").code == 0
        assert sorted(mpigen(secret, "logs", "b").out.split()) == EVERY
        assert mpigen(secret, "jobs", "--remove", "b").code == 0
    finally:
        hidden.rename(key)
