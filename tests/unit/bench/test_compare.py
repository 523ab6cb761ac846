"""Two benches compared: what has changed beyond noise."""

from dataclasses import replace

from mpigen.bench import compare
from tests import benches

MADE = benches.results(["node-1", "node-1", "node-2", "node-3"])


def test_what_does_not_differ_beyond_noise_is_not_told() -> None:
    a_bit = benches.results([host.node for host in MADE.hosts], lambda *_: (1.2, 1.2))
    assert compare.changes(MADE, MADE) == compare.changes(MADE, a_bit) == []
    # far apart, and yet each has been as the other
    wide = benches.spread(50)._replace(low=10, high=90)
    pairs = tuple(replace(pair, latency_us=wide) for pair in MADE.pairs)
    assert compare.changes(MADE, replace(MADE, pairs=pairs)) == []


def test_what_has_changed_is_told_the_worst_first() -> None:
    late = benches.results(
        [host.node for host in MADE.hosts],
        lambda a, b: (3, 1) if (a.host, b.host) == ("w-1", "w-3") else (1, 0.5),
    )
    told = compare.changes(MADE, late)
    assert told[0].what == "w-1 – w-3, 8 B" and told[0].verdict == "3.0 times as bad"
    assert {each.verdict for each in told[1:]} == {"2.0 times as good"}
    assert {"w-1 → w-4, 1 MiB", "w-4 → w-1, 1 MiB"} < {each.what for each in told}
    assert [each.verdict for each in compare.changes(late, MADE)][-1] == "3.0 times as good"


def test_hosts_settings_and_versions_that_are_others_are_told() -> None:
    first, second, third, _ = MADE.hosts
    other = replace(
        MADE,
        hosts=(first, replace(second, node="node-9", mtu=1350), third),
        settings={"subnet": "10.78.0.0/24", "btl": "self"},
        mpi="MPICH",
    )
    assert compare.circumstances(MADE, MADE) == []
    assert compare.circumstances(MADE, other) == [
        "hosts that are gone: w-4",
        "w-2 was on node-1 and is on node-9",
        "w-2 had MTU 1450 and has 1350",
        "btl was unset and is self",
        "subnet was 10.77.0.0/24 and is 10.78.0.0/24",
        "the MPI was Open MPI v5.0.7 and is MPICH",
    ]
