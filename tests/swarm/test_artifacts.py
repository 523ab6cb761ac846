"""Artifacts beside the reference cluster: what Docker says of them, a clone, a minimum."""

from pathlib import Path

from mpigen.lab import base, engine, lab
from tests.swarm.conftest import ROOT, Cluster, call, check, make_site


def test_docker_takes_the_stack_file(the_lab: lab.Lab) -> None:
    """By a node's own client: the client of this machine may be too old for `stack config`."""
    node = the_lab.nodes[0].container_id
    check("docker", "cp", ROOT / "output" / "stack.yml", f"{node}:/tmp/stack.yml")
    done = call("docker", "exec", node, "docker", "stack", "config", "-c", "/tmp/stack.yml")
    assert (done.code, done.err) == (0, ""), done.err
    assert "hostname: worker-{{.Task.Slot}}" in done.out


def test_a_build_without_the_private_keys_says_where_they_come_from(tmp_path: Path) -> None:
    """As in a fresh clone: git has the public halves alone."""
    tracked = check("git", "-C", ROOT, "ls-files", "output/keys").split()
    assert sorted(tracked) == [
        "output/keys/id_ed25519.pub",
        "output/keys/ssh_host_ed25519_key.pub",
    ]
    for name in check("git", "-C", ROOT, "ls-files", "output").split():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        check("cp", ROOT / name, tmp_path / name)
    done = call("sh", tmp_path / "output" / "scripts" / "build.sh")
    assert done.code == 2
    assert f"{tmp_path}/output/keys/id_ed25519 is missing" in done.err
    assert "private keys are not in git" in done.err


def test_a_file_with_only_a_name_gives_a_cluster_that_runs(
    the_lab: lab.Lab, lab_env: dict[str, str], tmp_path: Path
) -> None:
    base.ensure(engine.local(), "debian:trixie-slim", print)
    output = make_site(tmp_path, "name: least\n", program=False)
    check("sh", output / "scripts" / "build.sh", timeout=600)
    lab.load(the_lab, "least:latest", print)
    cluster = Cluster("least", output, lab_env)
    try:
        done = cluster.script("deploy.sh")
        assert done.code == 0, done.out + done.err
        assert sorted(cluster.run("uname", "-n").split()) == ["worker-1", "worker-2"]
        done = cluster.verify()
        assert done.code == 0, done.out + done.err
    finally:
        cluster.script("down.sh")


def test_a_subnet_that_another_network_has_is_not_deployed(
    lab_env: dict[str, str], tmp_path: Path
) -> None:
    """Swarm would take it, and keep its tasks waiting without a word."""
    cluster = Cluster("late", make_site(tmp_path, "name: late\n", program=False), lab_env)
    create = ("network", "create", "--driver", "overlay", "--subnet")
    cluster.docker(*create, "10.77.0.128/25", "earlier")
    cluster.docker(*create, "10.77.1.0/24", "beside")
    try:
        done = cluster.script("deploy.sh")
        assert (done.code, done.out) == (2, "")
        assert "overlaps that of another network:\nearlier 10.77.0.128/25\n" in done.err
        assert "late_mpi" not in cluster.docker("network", "ls")
    finally:
        cluster.docker("network", "rm", "earlier", "beside")


def test_verify_of_a_stack_that_is_not_there_fails(lab_env: dict[str, str], tmp_path: Path) -> None:
    output = make_site(tmp_path, "name: nowhere\n", program=False)
    done = Cluster("nowhere", output, lab_env).verify()
    assert (done.code, done.out) == (3, "")
    assert done.err == "error: the stack nowhere is not deployed\nDeploy it: mpigen deploy\n"
