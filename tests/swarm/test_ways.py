"""Ways that the documents show: ssh:// contexts, new keys, generic resources, text for users."""

import getpass
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpigen.lab import base, engine, lab
from tests.figures import figure
from tests.swarm import sshd
from tests.swarm.conftest import NODES, ROOT, Cluster, Done, call, check, make_site

MPIGEN = (sys.executable, "-m", "mpigen")
# full UUIDs, as `nvidia-smi -L` prints them
GPUS = ("GPU-45cbf7b3-f919-7228-7a26-b06628ebefa1", "GPU-16e5bf4c-9a1d-4b4e-8d1a-0f3d8f1c2b77")
TEXT = """\
name: physics
app: {source: app, check: hello}
network: {subnet: 10.84.0.0/24}
workers:
  - {replicas: 3, slots: 1, max_per_node: 1}
  - {name: gpu, replicas: 2, slots: 1, generic: {GPU: 1}}
ssh: {delivery: secret}
"""


@pytest.fixture(scope="module")
def gpu_node(the_lab: lab.Lab) -> str:
    """The lab's last node, whose engine says that it has two GPUs."""
    node = the_lab.nodes[-1]
    listed = ", ".join(f'"GPU={gpu}"' for gpu in GPUS)
    config = f'{{"node-generic-resources": [{listed}]}}'
    script = f"mkdir -p /etc/docker && echo '{config}' > /etc/docker/daemon.json"
    docker = engine.local()
    there = docker.containers.get(node.container_id)
    assert there.exec_run(["sh", "-c", script]).exit_code == 0
    there.restart(timeout=30)
    manager = {"DOCKER_HOST": the_lab.docker_host}
    deadline = time.monotonic() + 120
    states = ""
    while states.split().count("Ready") < NODES:
        assert time.monotonic() < deadline, states
        time.sleep(1)
        states = call("docker", "node", "ls", "--format", "{{.Status}}", env=manager).out
    return node.name


@pytest.fixture(scope="module")
def cluster(
    the_lab: lab.Lab,
    lab_env: dict[str, str],
    gpu_node: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Cluster]:
    """A site with the templates of examples/university, keys as secrets, and a group of GPUs."""
    base.ensure(engine.local(), "debian:trixie-slim", print)
    folder = tmp_path_factory.mktemp("ways")
    shutil.copytree(ROOT / "examples/university/templates/rootfs", folder / "templates" / "rootfs")
    cluster = Cluster("physics", make_site(folder, _on_every_node(TEXT, the_lab)), lab_env)
    _build(cluster)
    try:
        done = _mpigen(cluster, "deploy")
        assert done.code == 0, done.out + done.err
        yield cluster
    finally:
        assert cluster.script("down.sh").code == 0


def _mpigen(cluster: Cluster, *words: str | Path, **env: str) -> Done:
    return call(
        *MPIGEN, words[0], "-o", cluster.output, *words[1:], env={**cluster.env, **env}, timeout=600
    )


def _on_every_node(text: str, the_lab: lab.Lab) -> str:
    """A site whose image `mpigen build` loads into each node."""
    nodes = "".join(f"    {node.name}: {node.docker_host}\n" for node in the_lab.nodes)
    return f"{text}image:\n  endpoints:\n{nodes}"


def _build(cluster: Cluster) -> None:
    done = _mpigen(cluster, "build", DOCKER_HOST=engine.local_endpoint().url)
    assert done.code == 0, done.out + done.err


def _worker(cluster: Cluster, dockers: list[dict[str, str]], name: str) -> tuple[str, ...]:
    """The `docker exec` that reaches a worker, by its engine's socket."""
    group, _, number = name.rpartition("-")
    for env in dockers:
        label = f"name={cluster.name}_{group}.{number}."
        for container in check("docker", "ps", "-q", "--filter", label, env=env).split():
            return ("docker", "--host", env["DOCKER_HOST"], "exec", container)
    raise AssertionError(f"no node runs {name}")


def test_swarm_gives_each_container_its_gpus_in_the_variable_that_nvidia_reads(
    cluster: Cluster, gpu_node: str, the_lab_dockers: list[dict[str, str]]
) -> None:
    assert {node for node, _ in cluster.tasks("gpu").values()} == {gpu_node}
    held = [
        check(*_worker(cluster, the_lab_dockers, name), "printenv", "DOCKER_RESOURCE_GPU").strip()
        for name in ("gpu-1", "gpu-2")
    ]
    assert sorted(held) == sorted(GPUS)
    # its name is the kind's: of the kind NVIDIA-GPU the runtime would see nothing, and give all
    worker = _worker(cluster, the_lab_dockers, "worker-1")
    assert call(*worker, "printenv", "DOCKER_RESOURCE_GPU").code == 1
    printed = check(
        *MPIGEN,
        "run",
        "-o",
        cluster.output,
        "--workers",
        "gpu",
        "--",
        "uname",
        "-n",
        env=cluster.env,
    )
    assert sorted(printed.split()) == ["gpu-1", "gpu-2"]


def test_users_see_the_universitys_text_alone_and_jobs_do_not(
    cluster: Cluster, the_lab_dockers: list[dict[str, str]]
) -> None:
    worker = _worker(cluster, the_lab_dockers, "worker-1")
    login = "echo exit | timeout 60 ssh -tt worker-2 2>&1"
    seen = check(*worker, "sh", "-c", login).replace("\r", "")
    shown = (cluster.output / "rootfs/etc/motd").read_text()
    assert shown.startswith("physics: 5 ranks of the physics department.")
    # the terminal may echo what is typed before the shell reads it
    assert seen.removeprefix("exit\n").startswith(shown), seen
    assert "generated by" not in seen
    assert check(*worker, "sh", "-c", "ssh worker-2 true 2>&1") == ""
    done = _mpigen(cluster, "run", "--", "uname", "-n")
    assert (done.code, "physics department" in done.out + done.err) == (0, False)


@pytest.fixture(scope="module")
def manager(the_lab: lab.Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[sshd.Server]:
    """An sshd whose users have the lab's manager as their docker, and the context `far` to it."""
    with sshd.server(tmp_path_factory.mktemp("sshd"), the_lab.docker_host) as server:
        check(
            "docker", "context", "create", "far", "--docker", "host=ssh://manager", env=server.env
        )
        yield server


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("deploy",),
        ("run", "--", "hello"),
        ("run", "--detach", "--name", "far", "--", "uname", "-n"),
        ("wait", "far"),
        ("logs", "far"),
        ("scale", "worker=3"),
        ("jobs",),
        ("cancel", "far"),
        ("doctor",),
        ("verify", "-k", "hostfile"),
    ],
    ids=" ".join,
)
def test_every_verb_reaches_an_engine_behind_ssh_with_few_logins(
    cluster: Cluster, manager: sshd.Server, words: tuple[str, ...]
) -> None:
    """docker's own helper logs in for each connection: 122 times for the first three."""
    before = manager.logins()
    done = _mpigen(cluster, words[0], "--context", "far", *words[1:], **manager.env)
    assert done.code == 0, done.out + done.err
    if words[-1] == "hello":
        assert done.out.count("Size: 5") == 5
    figure(f"logins of mpigen {words[0]} behind ssh: {manager.logins() - before}")
    assert 1 <= manager.logins() - before <= 3
    assert manager.held() == [], "the login outlived the command"


MANY = """
from concurrent.futures import ThreadPoolExecutor
from mpigen.swarm import engine
clients = [engine.reach("far").client for _ in range(12)]
with ThreadPoolExecutor(12) as pool:
    print({name for name in pool.map(lambda client: client.info()["Name"], clients)})
"""


def test_many_connections_at_once_are_few_logins(manager: sshd.Server) -> None:
    """sshd takes ten sessions of a login, and turns the eleventh away."""
    before = manager.logins()
    assert check(sys.executable, "-c", MANY, env=manager.env) == "{'node-1'}\n"
    assert 1 <= manager.logins() - before <= 4
    assert manager.held() == []


def test_an_ssh_that_ends_in_dial_stdio_is_all_that_is_asked_for(
    cluster: Cluster, tmp_path: Path
) -> None:
    """Not every ssh is OpenSSH's: one that shares no login works too, by DOCKER_HOST as well."""
    stub = tmp_path / "ssh"
    stub.write_text(
        f'#!/bin/sh\necho "$*" >> {tmp_path}/asked\n'
        'while [ "$1" != -- ]; do shift; done\n'
        f'shift 2\nexport DOCKER_HOST={cluster.env["DOCKER_HOST"]}\nexec sh -c "$*"\n'
    )
    stub.chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "DOCKER_HOST": "ssh://you@alpha:2200"}
    done = _mpigen(cluster, "run", "-n", "1", "--", "uname", "-n", **env)
    assert (done.code, done.out) == (0, "worker-1\n"), done.err
    asked = (tmp_path / "asked").read_text()
    assert "-p 2200 -l you -- alpha docker system dial-stdio\n" in asked


def test_input_output_and_signals_pass_through_ssh(cluster: Cluster, manager: sshd.Server) -> None:
    command = [*MPIGEN, "run", "-o", str(cluster.output), "--context", "far", "-n", "1", "--"]
    env = {**os.environ, **manager.env}
    given = os.urandom(3_000_000)
    done = subprocess.run([*command, "cat"], env=env, input=given, capture_output=True, timeout=120)
    assert (done.returncode, done.stdout == given) == (0, True), done.stderr
    script = "echo up; sleep 600"
    job = subprocess.Popen([*command, "sh", "-c", script], env=env, stdout=subprocess.PIPE)
    try:
        assert job.stdout and job.stdout.readline() == b"up\n"
        job.send_signal(signal.SIGINT)
        assert job.wait(timeout=60) == 130
    finally:
        job.kill()
    there = cluster.docker("ps", "-a", "--format", "{{.Names}}", "--filter", "label=mpigen.job")
    # batch jobs, which the tests before have left in the list
    assert [name for name in there.split() if not name.startswith("physics_job-")] == []


def test_a_killed_mpigen_leaves_no_login(cluster: Cluster, manager: sshd.Server) -> None:
    def folders() -> set[Path]:
        return {each for each in Path("/tmp").glob("mpigen-ssh-*") if each.owner() == user}

    user, before = getpass.getuser(), set(Path("/tmp").glob("mpigen-ssh-*"))
    command = [*MPIGEN, "status", "-o", str(cluster.output), "--context", "far", "--watch"]
    watching = subprocess.Popen(
        command, env={**os.environ, **manager.env}, stdout=subprocess.PIPE, text=True
    )
    assert watching.stdout and watching.stdout.readline()
    assert len(manager.held()) == 1, manager.held()
    (left,) = [
        each for each in folders() - before if f"{each}/" in check("ps", "-ww", "-eo", "args")
    ]
    watching.kill()
    watching.wait()
    deadline = time.monotonic() + 20
    while manager.held() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert manager.held() == []
    # its folder goes with the next command
    assert left.exists()
    assert _mpigen(cluster, "status", "--context", "far", **manager.env).code == 0
    assert not left.exists()


def test_a_host_key_that_ssh_refuses_is_one_sentence(
    cluster: Cluster, manager: sshd.Server
) -> None:
    known = manager.folder / "known_hosts"
    right = known.read_text()
    known.write_text("")
    try:
        done = _mpigen(cluster, "status", "--context", "far", **manager.env)
    finally:
        known.write_text(right)
    assert done.code == 3
    assert done.err.splitlines()[0] == (
        "error: no Docker engine answers at ssh://manager (docker context far): "
        "ssh ended with 255: Host key verification failed."
    )


def test_the_image_is_loaded_by_endpoints_behind_ssh(
    the_lab: lab.Lab, manager: sshd.Server, tmp_path: Path
) -> None:
    output = make_site(
        tmp_path,
        "name: near\napp: {source: app}\nworkers: [{constraints: [node.role==manager]}]\n"
        f"image:\n  endpoints:\n    {the_lab.nodes[0].name}: ssh://manager\n",
    )
    before = manager.logins()
    env = {**manager.env, "DOCKER_HOST": engine.local_endpoint().url}
    try:
        done = call(*MPIGEN, "build", "-o", output, env=env, timeout=600)
        assert done.code == 0, done.out + done.err
        assert 1 <= manager.logins() - before <= 3
        there = check("docker", "images", "-q", "near", env={"DOCKER_HOST": the_lab.docker_host})
        assert there
    finally:
        for host in (the_lab.docker_host, engine.local_endpoint().url):
            call(
                "sh", "-c", "docker rmi --force $(docker images -q near)", env={"DOCKER_HOST": host}
            )


def test_new_keys_as_secrets_take_one_deploy_and_no_build(cluster: Cluster) -> None:
    site = ("-c", cluster.output.parent / "mpigen.yaml")
    before = cluster.tasks()
    check(*MPIGEN, "keys", "rotate", *site)
    for command in (
        (*MPIGEN, "run", "-o", cluster.output, "--", "hello"),
        ("sh", cluster.output / "scripts/run.sh", "hello"),
    ):
        began = time.monotonic()
        done = call(*command, env=cluster.env)
        assert time.monotonic() - began < 15
        assert (done.code, done.out) == (3, "")
        assert (
            f"have other keys than {cluster.output}/keys, for example after mpigen keys rotate"
            in done.err
        )
        assert "eploy first" in done.err
    # batch jobs have the keys of the workers, from Swarm
    assert _mpigen(cluster, "run", "--detach", "--name", "old", "--", "true").code == 0
    assert _mpigen(cluster, "wait", "old").code == 0
    assert _mpigen(cluster, "cancel", "old").code == 0
    done = _mpigen(cluster, "deploy")
    assert done.code == 0, done.out + done.err
    now = cluster.tasks()
    assert set(now.values()).isdisjoint(before.values())
    listed = cluster.docker("service", "ps", "physics_worker", "--format", "{{.ID}}")
    assert len(listed.split()) == 2 * len(now), "each worker was restarted once"
    assert _mpigen(cluster, "run", "--", "hello").out.count("Size: 5") == 5


def test_new_keys_in_the_image_take_a_build_and_one_deploy(
    the_lab: lab.Lab, lab_env: dict[str, str], tmp_path: Path
) -> None:
    text = "name: baked\nnetwork: {subnet: 10.85.0.0/24}\nworkers: [{replicas: 2, slots: 1}]\n"
    output = make_site(tmp_path, _on_every_node(text, the_lab), program=False)
    baked = Cluster("baked", output, lab_env)
    _build(baked)
    try:
        done = _mpigen(baked, "deploy")
        assert done.code == 0, done.out + done.err
        before = baked.tasks()
        check(*MPIGEN, "keys", "rotate", "-c", tmp_path / "mpigen.yaml")
        # jobs run in the image that is deployed, with its keys
        assert _mpigen(baked, "run", "--", "uname", "-n").code == 0
        done = _mpigen(baked, "deploy")
        assert (done.code, "mpigen build" in done.err) == (3, True), done.err
        _build(baked)
        done = _mpigen(baked, "deploy")
        assert done.code == 0, done.out + done.err
        assert set(baked.tasks().values()).isdisjoint(before.values())
        printed = _mpigen(baked, "run", "--", "uname", "-n").out
        assert sorted(printed.split()) == ["worker-1", "worker-2"]
    finally:
        assert baked.script("down.sh").code == 0


def test_the_way_from_bare_servers_to_a_job(
    the_lab: lab.Lab, manager: sshd.Server, tmp_path: Path
) -> None:
    """The blocks of docs/servers.md, line by line, with `alpha` behind the sshd."""
    blocks = re.findall(
        r"^```sh\n(.*?)^```", (ROOT / "docs/servers.md").read_text("utf-8"), re.M | re.S
    )
    (start,) = [each for each in blocks if each.startswith("docker context create alpha")]
    (rest,) = [each for each in blocks if each.startswith("mpigen render\n")]
    assert start.endswith("mpigen init mycluster && cd mycluster\n")
    image = _on_every_node("", the_lab)
    edit = f"cat >> mpigen.yaml <<'END'\n{image}network: {{subnet: 10.86.0.0/24}}\nEND\n"
    env = {
        **os.environ,
        **manager.env,
        # a laptop's own engine builds
        "DOCKER_HOST": "",
        "PATH": f"{manager.folder / 'bin'}:{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}",
    }
    before = manager.logins()
    try:
        done = subprocess.run(
            ["sh", "-ec", start + edit + rest],
            cwd=tmp_path,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=900,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("Size: 4, Rank: ") == 4
        assert 3 <= manager.logins() - before <= 9
    finally:
        down = call(
            *MPIGEN,
            "down",
            "-o",
            tmp_path / "mycluster/output",
            "--context",
            "alpha",
            env=manager.env,
        )
        assert down.code == 0, down.err


def test_lab_load_brings_an_image_to_each_node(
    the_lab: lab.Lab, the_lab_dockers: list[dict[str, str]]
) -> None:
    local = {"DOCKER_HOST": engine.local_endpoint().url}
    try:
        check("docker", "tag", "debian:trixie-slim", "loaded:1", env=local)
        said = call(*MPIGEN, "lab", "load", "loaded:1", "--name", the_lab.name, env=local)
        assert said.code == 0, said.err
        for docker in the_lab_dockers:
            assert check("docker", "images", "-q", "loaded:1", env=docker)
    finally:
        for docker in (local, *the_lab_dockers):
            call("docker", "rmi", "loaded:1", env=docker)


def test_what_is_pushed_is_run_next_only_if_it_is_a_program(
    cluster: Cluster, tmp_path: Path
) -> None:
    data, program = tmp_path / "data.npy", tmp_path / "program"
    data.write_bytes(b"\x93NUMPY")
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    done = _mpigen(cluster, "push", data)
    assert (done.code, "next:" in done.out) == (0, False), done.out + done.err
    next_step = f"next: mpigen run -o {cluster.output} ./program"
    assert _mpigen(cluster, "push", data, program).out.splitlines()[-1] == next_step


def test_what_scale_advises_can_be_done(cluster: Cluster) -> None:
    """max_per_node lets the three nodes have no fourth worker, and generic resources are two."""
    done = _mpigen(cluster, "run", "--workers", "worker", "-n", "4", "--", "hello")
    assert done.code == 2
    assert "mpigen scale" not in done.err
    assert "add servers, or share them" in done.err
    try:
        done = _mpigen(cluster, "scale", "gpu=0")
        assert done.code == 0, done.err
        assert "has 2 of gpu: the next deploy restores that number\n" in done.out
    finally:
        assert _mpigen(cluster, "scale", "gpu=2").code == 0


def test_an_engine_in_no_swarm_leads_to_the_lab_that_is_up(
    cluster: Cluster, the_lab: lab.Lab
) -> None:
    done = _mpigen(cluster, "deploy", DOCKER_HOST=engine.local_endpoint().url)
    assert done.code == 3
    assert "a lab is up: " in done.err and f"--context {the_lab.context}" in done.err


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ("app: {source: app}\n", "app/Makefile has no target install: add one"),
        (
            "image: {base: 'registry.invalid/debian:trixie-slim'}\n",
            "has no registry.invalid/debian:trixie-slim and could not pull it: mpigen lab base "
            "registry.invalid/debian:trixie-slim makes a Debian image; mpigen lab load "
            "registry.invalid/debian:trixie-slim copies it into a lab",
        ),
    ],
    ids=["no target install", "no base image"],
)
def test_a_build_that_fails_says_what_to_do(extra: str, said: str, tmp_path: Path) -> None:
    base.ensure(engine.local(), "debian:trixie-slim", print)
    (tmp_path / "app").mkdir()
    (tmp_path / "app/Makefile").write_text("all:\n\ttrue\n")
    output = make_site(tmp_path, f"name: failing\n{extra}", program=False)
    env = {"DOCKER_HOST": engine.local_endpoint().url}
    done = call(*MPIGEN, "build", "-o", output, env=env, timeout=600)
    assert done.code == 3, done.out
    assert said in done.err
    # where the reason is known, what the builder printed is in the file
    assert len(done.err.partition("error: ")[2].splitlines()) <= 10, done.err


def test_a_check_whose_program_was_replaced_says_where_it_is_named(
    cluster: Cluster, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    shutil.copytree(cluster.output, output)
    checks = output / "verify/test_cluster.py"
    text = checks.read_text()
    assert " + 'hello')" in text
    checks.write_text(text.replace(" + 'hello')", " + 'gone')"))
    done = call(*MPIGEN, "verify", "-o", output, "-k", "program", env=cluster.env)
    assert done.code == 1
    assert "app.check ended with 127; is app.check in mpigen.yaml still a program" in done.out
