"""Kinds of clusters beside the reference one: where workers are, what they keep, how they talk."""

import re
import sys
import time
from collections.abc import Iterator

import pytest

from mpigen.lab import base, engine, lab
from tests.figures import figure
from tests.swarm.conftest import Cluster, call, check, make_site

pytestmark = pytest.mark.long
MPIGEN = (sys.executable, "-m", "mpigen")

EVERYWHERE = """\
name: kinds
app: {source: app, check: hello}
launcher: {constraints: ["node.role==manager"]}
network: {internal: true}
storage:
  - {target: /data, source: kinds}
  - {target: /scratch, type: tmpfs, size: 64m}
  - {target: /shared, type: bind, source: /srv, read_only: true}
workers:
  - {name: all-of-them, mode: global, replicas: 3, slots: 2}
"""
OTHERS_NETWORK = """\
name: kinds
app: {source: app, check: hello}
network: {name: kinds-fabric, external: true, subnet: 10.86.0.0/24}
workers:
  - {name: fat, replicas: 1, cpus: 2, threads: 2, max_per_node: 1}
  - {name: fat-thin, replicas: 2, slots: 1}
"""
PACKAGES = """\
name: kinds
app: {source: app, check: hello}
workers:
  - {name: plain, replicas: 1, slots: 1}
  - {name: with-bc, replicas: 2, slots: 1, packages: [bc]}
"""
NEWEST = """\
name: kinds
app: {source: app, check: hello}
image: {base: debian:forky-slim}
workers: [{name: worker, replicas: 4, slots: 2}]
"""
ENCRYPTED = """\
name: kinds
app: {source: app, check: hello}
network: {encrypted: true, mtu: 1400}
workers: [{name: worker, replicas: 3, slots: 1, max_per_node: 1}]
"""


@pytest.fixture
def cluster(
    request: pytest.FixtureRequest, newest: lab.Lab, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """The site that a test is about, deployed."""
    image = "debian:forky-slim" if request.param == NEWEST else "debian:trixie-slim"
    base.ensure(engine.local(), image, print)
    output = make_site(tmp_path_factory.mktemp("kinds"), request.param)
    check("sh", output / "scripts/build.sh", timeout=900)
    lab.load(newest, "kinds:latest", print)
    if "packages" in request.param:
        lab.load(newest, "kinds:latest-with-bc", print)
    made = Cluster("kinds", output, {"DOCKER_HOST": newest.docker_host})
    if "external" in request.param:
        refused = call("sh", "-c", f"sh {output}/scripts/deploy.sh", env=made.env)
        assert refused.code != 0 and "kinds-fabric" in refused.err
        driver = ("--driver", "overlay", "--attachable", "--subnet", "10.86.0.0/24")
        made.docker("network", "create", *driver, "kinds-fabric")
    done = made.script("deploy.sh")
    assert done.code == 0, done.out + done.err
    yield made
    assert made.script("down.sh").code == 0
    if "external" in request.param:
        made.docker("network", "rm", "kinds-fabric")


def of(text: str) -> pytest.MarkDecorator:
    """The site that a test is about."""
    return pytest.mark.parametrize("cluster", [text], indirect=True, ids=[""])


def hosts_of(printed: str) -> list[str]:
    return sorted(re.findall(r"Size: \d+, Rank: \d+, Host: (\S+)", printed))


@of(EVERYWHERE)
def test_one_worker_on_every_server_with_storage_and_a_launcher(
    cluster: Cluster, newest: lab.Lab
) -> None:
    hosts = sorted(f"all-of-them-{node.name}" for node in newest.nodes for _ in range(2))
    assert hosts_of(cluster.run("hello")) == hosts
    status = check(*MPIGEN, "status", "-o", cluster.output, env=cluster.env)
    assert set(hosts) <= set(status.split())
    verified = cluster.verify()
    assert verified.code == 0, verified.out
    assert "test_storage" in cluster.verify("--verbose").out
    # what is kept outlives the worker that wrote it
    name = f"kinds_all-of-them.{newest.nodes[1].name}"
    cluster.run("sh", "-c", "uname -n >> /data/seen")
    docker = {"DOCKER_HOST": newest.nodes[1].docker_host}
    listed = check("docker", "ps", "-q", "--filter", "name=kinds_all-of-them", env=docker)
    check("docker", "kill", listed.strip(), env=docker)
    # by now Docker counts one less, until it replaces it; the job waits for it all the same
    time.sleep(1)
    kept = cluster.run("sh", "-c", "cat /data/seen", MPI_WAIT="60")
    assert kept.count(f"all-of-them-{newest.nodes[1].name}\n") == 4, name
    # the launcher is there for all to log in to, and runs jobs itself
    from_launcher = cluster.run("-n", "1", "ssh", "launcher", "mpirun", "hello")
    assert hosts_of(from_launcher) == hosts


@of(OTHERS_NETWORK)
def test_a_network_of_others_and_threads_by_group(cluster: Cluster) -> None:
    assert hosts_of(cluster.run("hello")) == ["fat-1", "fat-thin-1", "fat-thin-2"]
    threads = cluster.run("sh", "-c", "echo $(uname -n) ${OMP_NUM_THREADS-none}")
    assert sorted(threads.splitlines()) == ["fat-1 2", "fat-thin-1 none", "fat-thin-2 none"]


@of(ENCRYPTED)
def test_an_encrypted_overlay_carries_a_job_or_doctor_says_why_not(cluster: Cluster) -> None:
    doctor = call(*MPIGEN, "doctor", "-o", cluster.output, env=cluster.env)
    if "a kernel without CONFIG_INET_ESP" in doctor.out:
        figure(
            "encrypted overlay: this kernel has none (CONFIG_INET_ESP); doctor's word was tested"
        )
        lost = cluster.script("run.sh", "hello", MPI_WAIT="5")
        assert lost.code == 1 and "is in DNS, but no sshd of this cluster answers there" in lost.err
        return
    assert hosts_of(cluster.run("hello")) == ["worker-1", "worker-2", "worker-3"]
    interface = "cat /sys/class/net/$(cat /run/mpi/interface)/mtu"
    # VXLAN takes 50, ESP 26 more: libnetwork, drivers/overlay
    assert cluster.run("-n", "1", "sh", "-c", interface).strip() == str(1400 - 76)


@of(PACKAGES)
def test_a_group_has_packages_that_the_others_have_not(cluster: Cluster, newest: lab.Lab) -> None:
    def mpigen(*words: str) -> str:
        return check(*MPIGEN, words[0], "-o", cluster.output, *words[1:], env=cluster.env)

    hosts = ["plain-1", "with-bc-1", "with-bc-2"]
    asked = ("sh", "-c", "echo $(uname -n) $(echo 6*7 | bc 2>/dev/null || echo none)")
    answers = ["plain-1 none", "with-bc-1 42", "with-bc-2 42"]
    assert hosts_of(cluster.run("hello")) == hosts
    assert sorted(cluster.run(*asked).splitlines()) == answers
    assert cluster.verify().code == 0
    # the same by mpigen's verbs, by content; and a second time, there is nothing to do
    first = check(*MPIGEN, "build", "-o", cluster.output, "--lab", newest.name, timeout=600)
    found = re.findall(r"^\w+: kinds:latest(-with-bc)? is (kinds:sha-\w{12})(\S*)$", first, re.M)
    assert [(one, end) for one, _, end in found] == [("", ""), ("-with-bc", "-with-bc")]
    own = found[0][1]
    again = call(*MPIGEN, "build", "-o", cluster.output, "--lab", newest.name, timeout=600)
    assert again.out.count("unchanged: ") == 2 and "copying" not in again.err
    deployed = mpigen("deploy")
    assert f"plain: 1 container on 1 node, 1 slot, {own}\n" in deployed
    assert f", 2 slots, {own}-with-bc\n" in deployed
    assert "images: " not in call(*MPIGEN, "status", "-o", cluster.output, env=cluster.env).err
    assert sorted(mpigen("run", "--", *asked).splitlines()) == answers
    only = mpigen("run", "--workers", "with-bc", "--", *asked)
    assert sorted(only.splitlines()) == answers[1:]
    doctor = call(*MPIGEN, "doctor", "-o", cluster.output, env=cluster.env)
    assert f"the same {own} on 3 nodes" in doctor.out, doctor.out
    lacking = newest.nodes[2].docker_host
    check("docker", "rmi", "--force", f"{own}-with-bc", env={"DOCKER_HOST": lacking})
    done = call(*MPIGEN, "deploy", "-o", cluster.output, env=cluster.env)
    assert done.code == 3 and f"node-3 cannot start {own}-with-bc" in done.err


@of(NEWEST)
def test_an_open_mpi_that_reads_its_parameters_elsewhere_uses_every_host(cluster: Cluster) -> None:
    """Open MPI 6: PRRTE is a package of its own there, with a folder of its own."""
    everywhere = [f"worker-{n}" for n in (1, 2, 3, 4) for _ in range(2)]
    printed = cluster.run("hello")
    assert hosts_of(printed) == everywhere
    assert "Allreduce over 8 ranks: correct" in printed
    two = cluster.run("-n", "1", "uname", "-n", ":", "-n", "1", "uname", "-s").split()
    assert sorted(two) == ["Linux", "worker-1"]
    assert cluster.script("run.sh", "sh", "-c", "exit 7").code == 7
    done = cluster.verify()
    assert done.code == 0, done.out
    # had it ignored them, as without the link to its folder, all would be in the job's container
    unheard = "export PRTE_MCA_prte_default_hostfile= PRTE_MCA_odls_base_exec_agent=; mpirun hello"
    done = cluster.shell(unheard)
    assert done.code != 0, done.out
