"""`mpigen bench` on a real Swarm, all of it well, and with one node on a slow link."""

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mpigen.bench import judge, results
from mpigen.bench.results import Results
from mpigen.lab import base, engine, lab
from mpigen.lab.nodes import Node
from tests.figures import figure
from tests.swarm.conftest import Cluster, Done, call, check, make_site

pytestmark = pytest.mark.long

TAG = "measured:latest"
# what a port gives that has settled on 100 Mbit/s, in MB/s
SLOW = 12.5


@pytest.fixture(scope="module")
def cluster(the_lab: lab.Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A container on each of three nodes (Swarm spreads), with mpi-bench and no program."""
    base.ensure(engine.local(), "debian:trixie-slim", print)
    text = """\
name: measured
image: {bench: true}
network: {subnet: 10.93.0.0/24}
workers:
  - {name: worker, replicas: 3, slots: 2}
"""
    output = make_site(tmp_path_factory.mktemp("measured"), text, program=False)
    check("sh", output / "scripts/build.sh", timeout=900)
    lab.load(the_lab, TAG, print)
    cluster = Cluster("measured", output, {"DOCKER_HOST": the_lab.docker_host})
    done = cluster.script("deploy.sh")
    assert done.code == 0, done.out + done.err
    yield cluster
    assert cluster.script("down.sh").code == 0


def _bench(cluster: Cluster, report: Path, *words: str | Path) -> Done:
    command = (sys.executable, "-m", "mpigen", "bench", "-o", cluster.output, "--report", report)
    done = call(*command, *words, env=cluster.env, timeout=600)
    assert done.code == 0, done.out + done.err
    return done


@contextmanager
def _slow(node: Node) -> Iterator[None]:
    """What the node sends goes out at 100 Mbit/s."""
    tc = ("docker", "-H", engine.local_endpoint().url, "run", "--rm", "--user", "0")
    tc += ("--net", f"container:{node.container}", "--cap-add", "NET_ADMIN")
    tc += ("--entrypoint", "/usr/sbin/tc", TAG, "qdisc")
    link = ("dev", "eth0", "root")
    check(*tc, "add", *link, "tbf", "rate", "100mbit", "burst", "64kb", "latency", "400ms")
    try:
        yield
    finally:
        check(*tc, "del", *link)


def test_every_pair_and_collective_is_measured(cluster: Cluster, tmp_path: Path) -> None:
    done = _bench(cluster, tmp_path / "report.html", "--json")
    found = results.read(tmp_path / "report.json")
    assert json.loads(done.out) == json.loads((tmp_path / "report.json").read_text())
    assert (tmp_path / "report.html").read_text().count('class="pair') == 2 * 3 * 2
    assert {host.host: host.node for host in found.hosts} == {
        host: node for host, (node, _) in cluster.tasks().items()
    }
    assert {(pair.a, pair.b) for pair in found.pairs} == {(0, 1), (0, 2), (1, 2)}
    for pair in found.pairs:
        for spread in (pair.latency_us, pair.there_mb_s, pair.back_mb_s):
            assert 0 < spread.low <= spread.median <= spread.high
        figure(
            f"bench: {found.name(pair)}: {pair.latency_us.median:.1f} us at 8 B, "
            f"{pair.there_mb_s.median:.0f} and {pair.back_mb_s.median:.0f} MB/s at 1 MiB"
        )
    kinds = {each.name for each in found.collectives}
    assert kinds == {"allreduce", "bcast", "alltoall"}
    # a large message takes longer than a small one, and so do its curves
    for curve in found.curves:
        first, *_, last = curve.points
        assert (first.size, last.size) == (8, 1 << 20) and first.us.median < last.us.median
    assert {host.mtu for host in found.hosts} == {1450}
    assert found.settings["subnet"] == "10.93.0.0/24" and "Open MPI" in found.mpi


def test_at_once_measures_the_same_pairs(cluster: Cluster, tmp_path: Path) -> None:
    _bench(cluster, tmp_path / "report.html", "--at-once")
    found = results.read(tmp_path / "report.json")
    assert found.at_once and len(found.pairs) == 3


def test_a_node_on_a_slow_link_is_named(cluster: Cluster, the_lab: lab.Lab, tmp_path: Path) -> None:
    _bench(cluster, tmp_path / "before.html")
    with _slow(the_lab.nodes[1]):
        # other work on this machine delays other pairs as well, as the report says then
        for _ in range(3):
            done = _bench(cluster, tmp_path / "slow.html", "--compare", tmp_path / "before.json")
            found = results.read(tmp_path / "slow.json")
            findings = [each.what for each in judge.findings(found)]
            named = [what for what in findings if what.startswith("node-2 is slow: ")]
            if named or not any(what.startswith("busy before") for what in findings):
                break
    assert _sent(found, "node-2") and all(sent < 1.2 * SLOW for sent in _sent(found, "node-2"))
    assert named, done.out
    assert named[0] in done.out
    shown = re.sub(r"<[^>]+>", "", (tmp_path / "slow.html").read_text())
    assert named[0] in shown.replace("\N{NO-BREAK SPACE}", " ")
    assert not re.search(r"@\w+@", shown)
    # and what it was before is told
    at = next(host.host for host in found.hosts if host.node == "node-2")
    assert [line for line in done.out.splitlines() if f"{at} →" in line and "as bad" in line]
    figure(f"bench, node-2 at 100 Mbit/s: {named[0]}")


def _sent(found: Results, node: str) -> list[float]:
    """MB/s that the hosts of a node have sent to others."""
    sent = []
    for pair in found.pairs:
        if found.hosts[pair.a].node == node:
            sent.append(pair.there_mb_s.median)
        if found.hosts[pair.b].node == node:
            sent.append(pair.back_mb_s.median)
    return sent


def test_in_a_worker_it_prints_the_same_without_mpigen(cluster: Cluster) -> None:
    (line, *_) = cluster.docker("ps", "--format", "{{.Names}}").splitlines()
    printed = json.loads(cluster.docker("exec", line, "mpi-bench"))
    assert len(printed["pairs"]) == 3 and len(printed["collectives"]) == 21
