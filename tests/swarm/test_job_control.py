"""What a job is told while it runs, how much time it gets, and what stays of it: on two MPIs."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpigen.lab import base, engine, lab
from tests import leftovers
from tests.swarm.conftest import Cluster, call, check, make_site
from tests.swarm.test_job import ENDLESS, MPIGEN, jobs, mpigen, started

pytestmark = pytest.mark.long

TEXT = """\
name: NAME
app: {source: app, check: hello}
network: {subnet: SUBNET}
mpi: {implementation: MPI}
ssh: {delivery: DELIVERY}
workers: [{name: cpu, replicas: 3, slots: 3}]
"""
KINDS = {
    "openmpi": {"NAME": "jco", "SUBNET": "10.85.0.0/24", "MPI": "openmpi", "DELIVERY": "secret"},
    "mpich": {"NAME": "jcm", "SUBNET": "10.86.0.0/24", "MPI": "mpich", "DELIVERY": "image"},
}


@pytest.fixture(scope="module", params=KINDS)
def cluster(
    request: pytest.FixtureRequest, the_lab: lab.Lab, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """Nine slots on three nodes: Open MPI 5 with keys as secrets, and MPICH 4.2."""
    text = TEXT
    for word, value in KINDS[request.param].items():
        text = text.replace(word, value)
    base.ensure(engine.local(), "debian:trixie-slim", print)
    output = make_site(tmp_path_factory.mktemp(request.param), text)
    check("sh", output / "scripts/build.sh", timeout=600)
    name = KINDS[request.param]["NAME"]
    lab.load(the_lab, f"{name}:latest", print)
    deployed = Cluster(name, output, {"DOCKER_HOST": the_lab.docker_host})
    done = deployed.script("deploy.sh")
    assert done.code == 0, done.out + done.err
    yield deployed
    assert deployed.script("down.sh").code == 0


@pytest.fixture(autouse=True)
def nothing_is_left(cluster: Cluster, the_lab: lab.Lab) -> Iterator[None]:
    """After each test no job is listed, no node has a job's container or a process of one."""
    yield
    for name in jobs(cluster):
        mpigen(cluster, "cancel", name)
    mpigen(cluster, "jobs", "--clear")
    leftovers.assert_none(the_lab)


def until_printed(cluster: Cluster, job: str, text: str, times: int = 1) -> None:
    """Wait until a batch job has printed a text."""
    deadline = time.monotonic() + 90
    while mpigen(cluster, "logs", job).out.count(text) < times:
        assert time.monotonic() < deadline, mpigen(cluster, "logs", job)
        time.sleep(0.5)


def test_lines_begin_with_their_rank_and_ranks_begin_where_they_are_told(
    cluster: Cluster, tmp_path: Path
) -> None:
    (tmp_path / "env").write_text("WHAT=a b\nNOT_HERE\n")
    script = 'printf "$WHAT "; sleep 0.4; pwd; echo err >&2'
    file = tmp_path / "job.yaml"
    file.write_text(json.dumps({"command": ["sh", "-c", script], "workdir": "/tmp", "ranks": 4}))
    done = mpigen(cluster, "run", "-f", file, "--env-file", tmp_path / "env", "--label")
    assert done.code == 0, done.err
    assert sorted(done.out.splitlines()) == [f"[{rank}] a b /tmp" for rank in range(4)]
    assert sorted(done.complaints) == [f"[{rank}] err" for rank in range(4)]


def test_a_program_that_fails_by_itself_is_not_run_again(cluster: Cluster) -> None:
    """Swarm has seen a 0; the exit code is that of the program all the same."""
    script = "echo runs; exit 3"
    words = ("--detach", "--retries", "3", "--name", "three", "-n", "1", "--", "sh", "-c", script)
    assert mpigen(cluster, "run", *words).code == 0
    done = mpigen(cluster, "wait", "three")
    assert (done.code, done.out) == (3, "three 3\n"), done.err
    time.sleep(10)  # twice as long as Swarm waits before it runs a container again
    (job,) = json.loads(mpigen(cluster, "jobs", "--all", "--json").out)[-1:]
    assert (job["name"], job["state"], job["exit_code"], job["runs"]) == ("three", "failed", 3, 1)
    assert mpigen(cluster, "logs", "three").out == "runs\n"


def test_a_cancelled_job_with_retries_is_not_run_again(cluster: Cluster) -> None:
    words = ("--detach", "--retries", "3", "--name", "long", "--", *ENDLESS)
    assert mpigen(cluster, "run", *words).code == 0
    until_printed(cluster, "long", "up")
    assert mpigen(cluster, "cancel", "long").code == 0
    (job,) = json.loads(mpigen(cluster, "jobs", "--json").out)
    assert (job["state"], job["runs"]) == ("cancelled", 1)
    assert mpigen(cluster, "wait", "long").code == 143


def test_who_has_the_slots_is_told(cluster: Cluster) -> None:
    with started(cluster, "--name", "first", "--", *ENDLESS) as job:
        status = json.loads(mpigen(cluster, "status", "--json").out)
        assert status["slots_in_use"] == {"cpu": 9}
        (row,) = status["running"]
        assert (row["name"], row["slots"], row["ranks"]) == ("first", {"cpu": 9}, 9)
        assert "9 slots, 9 in use" in mpigen(cluster, "status").out
        done = mpigen(cluster, "run", "-n", "1", "--", "true")
        line = "mpigen: slots in use: first has 9 of cpu; this job shares them"
        assert (done.code, done.complaints) == (0, [line])
        job.terminate()
        job.wait(60)
    (past,) = [
        each
        for each in json.loads(mpigen(cluster, "jobs", "--all", "--json").out)
        if each["name"] == "first"
    ]
    assert (past["kind"], past["state"], past["exit_code"]) == ("foreground", "failed", 143)
    assert past["elapsed"] > 0 and past["user"]
    assert mpigen(cluster, "jobs", "--all", "--clear").code == 0
    assert json.loads(mpigen(cluster, "jobs", "--all", "--json").out) == []


def test_an_environment_reaches_every_rank_of_every_program(cluster: Cluster) -> None:
    show = ("sh", "-c", 'echo "$WHAT"')
    done = mpigen(cluster, "run", "-e", "WHAT=a b;c", "--", *show)
    assert (done.code, done.out) == (0, "a b;c\n" * 9), done.err


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2], ids=lambda n: n.name)
def test_a_signal_for_the_ranks_reaches_all_of_them(
    cluster: Cluster, number: signal.Signals, request: pytest.FixtureRequest
) -> None:
    name = number.name.removeprefix("SIG")
    program = f"trap 'echo got {name}; exit 0' {name}; echo up; while :; do sleep 0.2; done"
    with started(cluster, "--", "sh", "-c", program) as job:
        job.send_signal(number)
        out, err = job.communicate(timeout=60)
        assert (job.returncode, out) == (0, f"got {name}\n" * 9), err


def test_a_signal_for_the_ranks_goes_through_run_sh(cluster: Cluster) -> None:
    program = "trap 'echo got it; exit 0' USR1; echo up; while :; do sleep 0.2; done"
    job = subprocess.Popen(
        ["sh", cluster.output / "scripts/run.sh", "sh", "-c", program],
        env={**os.environ, **cluster.env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert job.stdout
    for _ in range(9):
        assert job.stdout.readline() == "up\n"
    job.send_signal(signal.SIGUSR1)
    out, _ = job.communicate(timeout=60)
    assert (job.returncode, out) == (0, "got it\n" * 9)


def test_a_batch_job_has_the_grace_that_it_asks_for(cluster: Cluster) -> None:
    words = ("-d", "--name", "slow", "--grace", "9", "--", *ENDLESS)
    assert mpigen(cluster, "run", *words).code == 0
    (service,) = json.loads(cluster.docker("service", "inspect", f"{cluster.name}_job-slow"))
    container = service["Spec"]["TaskTemplate"]["ContainerSpec"]
    assert container["StopGracePeriod"] == 24_000_000_000
    assert "MPI_GRACE=9" in container["Env"]
    assert jobs(cluster)["slow"]["grace"] == 9


SAVES = "trap 'sleep 8; echo saved; exit 0' TERM; echo up; while :; do sleep 0.2; done"


def test_ranks_that_need_eight_seconds_to_save_their_work_have_them(cluster: Cluster) -> None:
    with started(cluster, "--grace", "20", "--", "sh", "-c", SAVES) as job:
        job.send_signal(signal.SIGTERM)
        out, err = job.communicate(timeout=60)
        assert (job.returncode, out) == (143, "saved\n" * 9), err


def test_ranks_of_a_cancelled_batch_job_have_their_time_too(cluster: Cluster) -> None:
    words = ("-d", "--name", "saves", "--grace", "20", "--", "sh", "-c", SAVES)
    assert mpigen(cluster, "run", *words).code == 0
    until_printed(cluster, "saves", "up\n", 9)
    done = mpigen(cluster, "cancel", "saves")
    assert (done.code, done.out) == (0, "ended saves\n"), done.err
    assert mpigen(cluster, "logs", "saves").out.count("saved\n") == 9


def test_a_cancelled_job_keeps_its_log_until_it_is_removed(
    cluster: Cluster, the_lab: lab.Lab
) -> None:
    assert mpigen(cluster, "run", "-d", "--name", "long", "--", *ENDLESS).code == 0
    until_printed(cluster, "long", "up\n", 9)
    waiting = subprocess.Popen(
        [*MPIGEN, "wait", "long", "-o", cluster.output],
        env={**os.environ, **cluster.env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    refused = mpigen(cluster, "jobs", "--remove", "long")
    assert (refused.code, "mpigen cancel long" in refused.err) == (2, True)
    done = mpigen(cluster, "cancel", "long")
    assert (done.code, done.out) == (0, "ended long\n"), done.err
    where = f"-o {cluster.output}"
    assert f"next: mpigen logs {where} long; mpigen jobs {where} --remove long" in done.err
    leftovers_of_ranks = [line for line in leftovers.found(the_lab) if "sleep 600" in line]
    assert leftovers_of_ranks == []
    # being ended is not being lost
    out, err = waiting.communicate(timeout=60)
    assert (waiting.returncode, out) == (143, "long 143\n"), err
    told = jobs(cluster)["long"]
    assert (told["state"], told["exit_code"], told["error"]) == ("cancelled", 143, "")
    assert mpigen(cluster, "logs", "long").out.count("up\n") == 9
    again = mpigen(cluster, "cancel", "long")
    assert (again.code, again.out) == (0, "long had already ended: cancelled\n")
    taken = mpigen(cluster, "run", "-d", "--name", "long", "true")
    assert (taken.code, "mpigen jobs --remove long" in taken.err) == (2, True)
    assert mpigen(cluster, "jobs", "--remove", "long").out == "removed long\n"
    assert jobs(cluster) == {}
    assert mpigen(cluster, "logs", "long").code == 2


def test_a_job_that_cannot_begin_is_cancelled(cluster: Cluster) -> None:
    assert mpigen(cluster, "run", "-d", "--name", "never", "--", "true").code == 0
    service = f"{cluster.name}_job-never"
    cluster.docker("service", "rm", service)
    words = ("create", "--detach", "--name", service, "--restart-condition", "none")
    labels = ("--label", "mpigen.job=never", "--label", f"mpigen.stack={cluster.name}")
    nowhere = ("--constraint", "node.labels.no==where", f"{cluster.name}:latest", "true")
    cluster.docker("service", *words, *labels, *nowhere)
    assert jobs(cluster)["never"]["state"] == "pending"
    assert mpigen(cluster, "cancel", "never").code == 0
    assert jobs(cluster)["never"]["state"] == "cancelled"


def test_several_jobs_are_awaited_at_once(cluster: Cluster) -> None:
    for name, program in (("a", "sleep 3; exit 3"), ("b", "true"), ("c", "exit 7")):
        words = ("-d", "--name", name, "-n", "1", "--", "sh", "-c", program)
        assert mpigen(cluster, "run", *words).code == 0
    done = mpigen(cluster, "wait", "b", "c", "a", "c")
    assert (done.code, sorted(done.out.splitlines())) == (7, ["a 3", "b 0", "c 7"]), done.err
    told = mpigen(cluster, "wait", "a", "c", "--json")
    assert (told.code, [each["exit_code"] for each in json.loads(told.out)]) == (3, [3, 7])
    missing = mpigen(cluster, "wait", "a", "x", "y")
    assert missing.code == 2
    assert "there is no job x" in missing.err and "there is no job y" in missing.err


def test_logs_has_the_options_of_docker(cluster: Cluster) -> None:
    program = "for i in 1 2 3 4 5 6; do echo line $i; echo err $i >&2; sleep 0.4; done"
    words = ("-d", "--name", "lines", "-n", "1", "--", "sh", "-c", program)
    assert mpigen(cluster, "run", *words).code == 0
    followed = mpigen(cluster, "logs", "lines", "-f")
    assert followed.out == "".join(f"line {number}\n" for number in range(1, 7))
    done = mpigen(cluster, "logs", "lines", "--tail", "4")
    assert (done.out, done.err) == ("line 5\nline 6\n", "err 5\nerr 6\n")
    stamped = mpigen(cluster, "logs", "lines", "--timestamps").out.splitlines()
    assert [line.partition(" ")[2] for line in stamped] == followed.out.splitlines()
    since = stamped[3].partition(" ")[0]
    assert mpigen(cluster, "logs", "lines", "--since", since).out == "line 4\nline 5\nline 6\n"
    assert mpigen(cluster, "logs", "lines", "--since", "1h").out == followed.out
    assert mpigen(cluster, "logs", "lines", "--tail", "0").out == ""


def test_following_the_tail_tells_all_that_comes_once(cluster: Cluster) -> None:
    program = (
        "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; sleep 8;"
        "while [ $i -lt 40000 ]; do echo line $i; i=$((i+1)); done"
    )
    words = ("-d", "--name", "lines", "-n", "1", "--", "sh", "-c", program)
    assert mpigen(cluster, "run", *words).code == 0
    until_printed(cluster, "lines", "line 19999\n")
    done = mpigen(cluster, "logs", "lines", "-f", "--tail", "3")
    lines = done.out.splitlines()
    assert lines == [f"line {number}" for number in range(20000 - 3, 40000)], done.err


def test_two_jobs_of_one_name_are_refused(cluster: Cluster) -> None:
    assert mpigen(cluster, "run", "-d", "--name", "one", "--", *ENDLESS).code == 0
    done = mpigen(cluster, "run", "--name", "one", "hello")
    assert (done.code, "the batch job one already exists" in done.err) == (2, True)
    with started(cluster, "--name", "two", "--", *ENDLESS):
        done = mpigen(cluster, "run", "-d", "--name", "two", "hello")
        assert (done.code, "a foreground job two already exists" in done.err) == (2, True)
    assert list(jobs(cluster)) == ["one"]


def test_fewer_containers_are_refused_while_a_job_runs(cluster: Cluster) -> None:
    with started(cluster, "--name", "here", "--", *ENDLESS) as job:
        done = mpigen(cluster, "scale", "cpu=2")
        assert done.code == 1
        assert "fewer containers of cpu may end them: here" in done.err
        assert "scale with --force" in done.err
        assert len(cluster.tasks("cpu")) == 3
        assert job.poll() is None
        assert mpigen(cluster, "scale", "cpu=2", "--force").code == 0
        assert job.wait(timeout=90) != 0
    assert mpigen(cluster, "scale", "cpu=3").code == 0


def test_dockers_log_has_no_copy_of_what_a_job_prints(cluster: Cluster) -> None:
    job = subprocess.Popen(
        ["sh", cluster.output / "scripts/run.sh", *ENDLESS],
        env={**os.environ, **cluster.env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert job.stdout
    assert job.stdout.readline() == "up\n"
    found = cluster.docker("ps", "--quiet", "--filter", "label=mpigen.command")
    driver = "{{.HostConfig.LogConfig.Type}}"
    assert cluster.docker("inspect", "--format", driver, *found.split()) == "none\n"
    job.terminate()
    job.communicate(timeout=60)


def _keys_of(container: str, cluster: Cluster) -> str:
    """The files of /etc/mpi in a container's layer."""
    copied = subprocess.run(
        ["docker", "cp", f"{container}:/etc/mpi", "-"],
        env={**os.environ, **cluster.env},
        capture_output=True,
    )
    listed = subprocess.run(["tar", "-t"], input=copied.stdout, capture_output=True)
    return listed.stdout.decode()


def test_a_killed_mpigen_leaves_no_key_behind(cluster: Cluster, tmp_path: Path) -> None:
    """Killed at the moment in which `docker start` is called: nothing has begun, all is created."""
    real = check("sh", "-c", "command -v docker").strip()
    docker = tmp_path / "docker"
    docker.write_text(
        f'#!/bin/sh\ncase "$*" in\n*start\\ --attach*) kill -KILL $PPID; exit ;;\nesac\n'
        f'exec {real} "$@"\n'
    )
    docker.chmod(0o755)
    env = {**cluster.env, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    killed = call(*MPIGEN, "run", "-o", cluster.output, "--name", "k", "hello", env=env)
    assert killed.code == -signal.SIGKILL
    time.sleep(1)
    container = f"{cluster.name}-job-k"
    assert "Created" in cluster.docker("ps", "-a", "--filter", f"name={container}")
    there = _keys_of(container, cluster)
    assert "mpi/cluster.conf" in there
    if "secret" in (cluster.output.parent / "mpigen.yaml").read_text():
        assert "id_ed25519" not in there
    assert jobs(cluster)["k"]["state"] == "pending"
    assert mpigen(cluster, "cancel", "k").code == 0
