"""Made-up results of benches: hosts on nodes, and which of them are slow."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from mpigen.bench.results import Collective, Curve, Host, Pair, Point, Results, Spread

SIZES = (8, 64, 512, 4096, 32768, 262144, 1048576)


def spread(median: float) -> Spread:
    """A figure whose middle half is 10 % wide."""
    return Spread(median * 0.95, median, median * 1.05)


def results(
    nodes: Sequence[str], slow: Callable[[Host, Host], tuple[float, float]] = lambda *_: (1, 1)
) -> Results:
    """A host on each of `nodes`; `slow` gives by what to multiply latency and divide bandwidth.

    Without, 10 us and 2,000 MB/s on a node, 20 us and 1,000 MB/s between two; each pair a little
    different.
    """
    hosts = [Host(f"w-{i}", node, "eth0", 1450, 8, 0.1) for i, node in enumerate(nodes, 1)]
    pairs = []
    for a, one in enumerate(hosts):
        for b, other in enumerate(hosts[a + 1 :], a + 1):
            same = one.node == other.node
            late, thin = slow(one, other)
            bit = 1 + (a * 7 + b * 3) % 5 / 50
            latency, bandwidth = (10 if same else 20) * bit * late, (2000 if same else 1000) / bit
            there = spread(bandwidth / thin)
            pairs.append(Pair(a, b, False, spread(latency), there, there))
    points = tuple(Point(size, spread(20 + size / 1000)) for size in SIZES)
    return Results(
        cluster="made",
        stack="made",
        when="2026-01-02T03:04:05+00:00",
        mpigen="0",
        image="made:latest",
        settings={"subnet": "10.77.0.0/24"},
        mpi="Open MPI v5.0.7",
        at_once=False,
        seconds=1.0,
        hosts=tuple(hosts),
        pairs=tuple(pairs),
        curves=(Curve(0, 1, points),),
        collectives=tuple(
            Collective(name, size, spread(50 + size / 500))
            for name in ("allreduce", "bcast", "alltoall")
            for size in SIZES
        ),
    )


def without(made: Results, a: int, b: int, latency: bool = True) -> Results:
    """The same, with a pair that could not be measured; its latency, perhaps, was."""
    none = Spread(0, 0, 0)
    return replace(
        made,
        pairs=tuple(
            replace(
                pair,
                failed=True,
                latency_us=pair.latency_us if latency else none,
                there_mb_s=none,
                back_mb_s=none,
            )
            if (pair.a, pair.b) == (a, b)
            else pair
            for pair in made.pairs
        ),
    )
