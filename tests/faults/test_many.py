"""Jobs that start while the cluster changes, what DNS may say, and those who are no part of it."""

import random
import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from mpigen.lab import lab
from mpigen.lab.nodes import Node
from tests.faults.conftest import LAB, assert_works, docker_of, hosts_of
from tests.figures import figure
from tests.swarm.conftest import Cluster, Done, call, check

pytestmark = [
    pytest.mark.long,
    pytest.mark.parametrize("cluster", ["trixie"], indirect=True),
]

ROUNDS = 20


def test_jobs_that_start_while_the_cluster_is_scaled_have_the_right_hosts(
    cluster: Cluster,
) -> None:
    """A job has the hosts of before or of after; it may lose what is taken from it, never more."""
    choose = random.Random(4)
    before, judged, lost, unmade, seconds = 4, 0, 0, 0, time.monotonic()
    try:
        while judged < ROUNDS:
            after = choose.choice([count for count in (2, 3, 4, 5, 6) if count != before])
            first = choose.random() < 0.5
            scale = ["docker", "service", "scale", "--detach", f"mpi_worker={after}"]
            if first:
                check(*scale, env=cluster.env)
            with ThreadPoolExecutor(1) as pool:
                job = pool.submit(cluster.script, "run.sh", "hello", MPI_WAIT="120")
                if not first:
                    time.sleep(choose.uniform(0, 2))
                    check(*scale, env=cluster.env)
                done = job.result()
            counts = {after} if first else {before, after}
            may_lose = after < before and not first
            before = after
            # the engine's runc, on a busy machine: there was no container, and so another round
            if done.code == 125 and "waiting for init preliminary setup" in done.err:
                unmade += 1
                assert unmade <= 2, done.err
                continue
            lost += _judge(done, counts, may_lose, what=f"{judged}")
            judged += 1
    finally:
        check("docker", "service", "scale", "--detach", "mpi_worker=4", env=cluster.env)
    figure(
        f"{ROUNDS} rounds of scaling while a job starts: {time.monotonic() - seconds:.0f} s, "
        f"0 wrong hostfiles, {lost} jobs lost the containers that were taken from them, "
        f"{unmade} containers that runc did not make"
    )
    assert_works(cluster)


def _judge(done: Done, counts: set[int], may_lose: bool, what: str) -> bool:
    """Whether the job was lost, which it may be; fails if it is wrong."""
    about = f"round {what}, {counts} containers: exit {done.code}\n{done.out}{done.err}"
    if done.code == 0:
        hosts = hosts_of(done.out)
        assert len(set(hosts)) in counts and len(hosts) == 2 * len(set(hosts)), about
        assert f"Allreduce over {len(hosts)} ranks: correct" in done.out, about
        return False
    assert may_lose, about
    assert re.search(r"mpirun: worker-\d \(|missing: worker-\d", done.err), about
    return True


def test_a_stale_record_in_dns_is_told_and_passed_over(cluster: Cluster) -> None:
    """As DNS answers after a node is lost: with an address at which nobody is."""
    stale = check(
        *("docker", "run", "--detach", "--rm", "--network", "mpi_mpi"),
        *("--network-alias", "tasks.worker", "--entrypoint", "sleep", f"{LAB}:trixie", "300"),
        env=cluster.env,
    ).strip()
    try:
        address = check(
            *("docker", "inspect", stale, "--format"),
            "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
            env=cluster.env,
        ).strip()
        done = cluster.script("run.sh", "hello")
    finally:
        check("docker", "rm", "--force", stale, env=cluster.env)
    assert done.code == 0, done.err
    assert len(set(hosts_of(done.out))) == 4
    assert f"{address} is in DNS, but no sshd of this cluster answers there" in done.err


def test_a_short_answer_of_dns_is_waited_for_and_names_who_is_missing(cluster: Cluster) -> None:
    done = call(
        *("docker", "run", "--rm", "--network", "mpi_mpi"),
        *("--env", "MPI_EXPECT=worker=5", "--env", "MPI_WAIT=3", f"{LAB}:trixie", "mpirun", "true"),
        env=cluster.env,
    )
    assert done.code == 1
    # of five, Swarm may have left any four when it scaled down
    assert re.search(r"worker: 4 of 5 containers answer; missing: worker-\d\n", done.err)


def test_an_outsider_on_the_overlay_cannot_log_in(cluster: Cluster) -> None:
    """It has the image's ssh and the network, and not the key."""
    attack = """
    for host in $(getent ahostsv4 tasks.worker | awk '{ print $1 }' | sort -u); do
        for user in mpi root; do
            ssh -F none -o BatchMode=yes -o StrictHostKeyChecking=no -o LogLevel=ERROR \
                -o UserKnownHostsFile=/dev/null -p 2222 "$user@$host" true
            echo "$user $?"
        done
    done
    """
    done = call(
        *("docker", "run", "--rm", "--network", "mpi_mpi", "--entrypoint", "sh"),
        *("--tmpfs", "/etc/mpi", f"{LAB}:trixie", "-c", attack),
        env=cluster.env,
    )
    assert sorted(done.out.splitlines()) == ["mpi 255"] * 4 + ["root 255"] * 4
    assert done.err.count("Permission denied (publickey)") == 8


def _told(node: Node, knocks: str, *network: str) -> list[str]:
    """What a new container on a node is told at each address, a line each.

    Twice, if the engine cannot start it (125): runc loses a start now and then on a busy machine.
    """
    command = ["docker", "run", "--rm", *network, "--entrypoint", "sh", f"{LAB}:trixie"]
    for _ in range(2):
        done = call(*command, "-c", knocks, env=docker_of(node))
        if done.code != 125:
            break
    assert done.code == 0, done.err
    return done.out.splitlines()


def test_nobody_outside_the_overlay_reaches_sshd(cluster: Cluster, the_lab: lab.Lab) -> None:
    """Neither from the node itself nor from another container, at any address of a worker."""
    told = []
    for node in the_lab.nodes:
        addresses = []
        filtered = ["docker", "ps", "-q", "--filter", "name=mpi_worker"]
        for container in check(*filtered, env=docker_of(node)).split():
            shown = ["docker", "exec", container, "ip", "-o", "-4", "addr", "show"]
            addresses += re.findall(
                r"inet ((?!127\.)\d+\.\d+\.\d+\.\d+)", check(*shown, env=docker_of(node))
            )
        # a firewall on the way may take any connection: what counts is who answers
        knocks = "".join(
            f"echo \"$(timeout 2 bash -c 'head -c 4 </dev/tcp/{each}/2222')\"\n"
            for each in addresses
        )
        on_node = check("docker", "exec", node.container, "sh", "-c", knocks).splitlines()
        beside = _told(node, knocks)
        on_it = _told(node, knocks, "--network", f"{cluster.name}_mpi")
        told += zip(on_node, beside, on_it, strict=True)
    # each worker has two addresses; one of them answers, and on the overlay alone
    assert sorted(told) == [("", "", "")] * 4 + [("", "", "SSH-")] * 4
