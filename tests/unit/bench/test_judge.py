"""What is slow in a bench, and whom mpigen names for it."""

from dataclasses import replace

import pytest

from mpigen.bench import judge
from mpigen.bench.results import Host, Results
from tests import benches

THREE = ("node-1", "node-2", "node-2", "node-3")


def _with(name: str, late: float, thin: float) -> Results:
    def slow(a: Host, b: Host) -> tuple[float, float]:
        return (late, thin) if name in (a.node, b.node) and a.node != b.node else (1, 1)

    return benches.results(THREE, slow)


def _said(results: Results) -> list[str]:
    return [finding.what for finding in judge.findings(results)]


@pytest.mark.parametrize("count", [2, 3, 4, 16])
def test_nothing_is_slow_where_pairs_differ_a_little(count: int) -> None:
    made = benches.results([f"node-{i // 2}" for i in range(count)])
    assert judge.slow_pairs(made) == [] and judge.findings(made) == []


@pytest.mark.parametrize("node", ["node-1", "node-2", "node-3"])
def test_a_node_whose_pairs_are_slow_is_named_and_its_pairs_are_not(node: str) -> None:
    # of three nodes, and even where two hosts of four are on it: most pairs are slow then
    (finding,) = judge.findings(_with(node, 20, 1))
    assert finding.what.startswith(f"{node} is slow: ")
    assert "busy server" in finding.possible_cause and "MTU" not in finding.possible_cause


def test_of_many_nodes_two_are_named() -> None:
    bad = {"node-3", "node-7"}
    made = benches.results(
        [f"node-{i}" for i in range(12)], lambda a, b: (5, 1) if bad & {a.node, b.node} else (1, 1)
    )
    said = _said(made)
    assert [line.split(" is slow")[0] for line in said] == ["node-3", "node-7"]
    assert said[0].split(";")[0] == "node-3 is slow: 11 of its 11 pairs with other nodes"


def test_one_bad_link_names_the_two_hosts_and_no_node() -> None:
    bad = {"node-1", "node-4"}
    made = benches.results(
        [f"node-{i}" for i in range(6)], lambda a, b: (1, 10) if bad == {a.node, b.node} else (1, 1)
    )
    (finding,) = judge.findings(made)
    assert finding.what.startswith("w-2 – w-5: ")
    assert "92.6 MB/s from w-2 to w-5, 9.4 % of the usual" in finding.what
    assert "cable" in finding.possible_cause and "MTU" in finding.possible_cause


def test_a_slow_container_of_a_good_node_is_named_as_a_host() -> None:
    made = benches.results(
        ["node-1", "node-1", "node-1", "node-2", "node-2", "node-2"],
        lambda a, b: (9, 9) if "w-2" in (a.host, b.host) else (1, 1),
    )
    (said,) = _said(made)
    assert said.startswith("host w-2 is slow: 5 of its 5 pairs; ")


def test_pairs_of_one_node_are_held_against_one_another_alone() -> None:
    # 20 us are twice the 10 us of a node, and as usual between two
    made = benches.results(
        ["a", "a", "b", "b", "c", "c"], lambda a, b: (3, 1) if a.node == b.node == "c" else (1, 1)
    )
    (said,) = _said(made)
    assert said.startswith("w-5 – w-6: ")


def test_twice_the_usual_is_the_limit() -> None:
    assert _said(_with("node-1", 1.7, 1)) == []
    assert _said(_with("node-1", 1, 1.7)) == []
    assert len(_said(_with("node-1", 2.5, 1))) == len(_said(_with("node-1", 1, 2.5))) == 1


def test_what_could_not_be_measured_comes_first_and_is_told_apart() -> None:
    made = benches.results([f"node-{i}" for i in range(5)])
    (mtu,) = judge.findings(benches.without(made, 1, 3))
    assert mtu.what == "w-2 – w-4: could not be measured"
    assert "MTU" in mtu.possible_cause
    (gone,) = judge.findings(benches.without(made, 1, 3, latency=False))
    assert "no answer" in gone.possible_cause
    for other in (0, 2, 3, 4):
        made = benches.without(made, *sorted((1, other)))
    (node,) = _said(made)
    assert node.startswith("node-1 is slow: 4 of its 4 pairs") and "4 of which could not" in node


def test_where_nothing_could_be_measured_each_pair_is_told() -> None:
    made = benches.without(benches.results(["a", "b"]), 0, 1, latency=False)
    assert _said(made) == ["w-1 – w-2: could not be measured"]


def test_hosts_without_known_nodes_are_hosts() -> None:
    made = _with("node-1", 20, 1)
    alone = replace(made, hosts=tuple(replace(each, node=each.host) for each in made.hosts))
    (said,) = _said(alone)
    assert said.startswith("host w-1 is slow: 3 of its 3 pairs; ")


def test_other_mtus_and_busy_servers_are_told() -> None:
    made = benches.results(THREE)
    first, *rest = made.hosts
    (said,) = _said(replace(made, hosts=(replace(first, mtu=1350), *rest)))
    assert said == "MTU 1350 in w-1, 1450 in the others"
    (said,) = _said(replace(made, hosts=(replace(first, load=7.5), *rest)))
    assert said == "busy before the bench began: node-1 (load 7.5 on 8 CPUs)"
