"""Finds slow pairs in the results of a bench, and the nodes or hosts that may be the cause."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from math import inf

from mpigen.bench import words
from mpigen.bench.results import Host, Pair, Results

FACTOR = 2.0
"""A pair is slow if it takes more than this many times its kind's baseline."""
# the share of a node's pairs that must be slow, for the node to be reported in place of the pairs
_BLAME_SHARE = 0.75
_BUSY_LOAD = 0.5  # load per CPU


@dataclass(frozen=True)
class Baseline:
    """Baseline of a kind of pair: the 25th percentile, with the best pair of each pair of nodes.

    `latency` is in microseconds, `bandwidth` in MB/s; `count` is the number of pairs. The median
    fails on small clusters: one slow node of three spoils two pairs of three.
    """

    latency: float
    bandwidth: float
    count: int


@dataclass(frozen=True)
class SlowPair:
    """A slow pair: latency and bandwidth as multiples of the baseline's time; 0 if not measured."""

    pair: Pair
    latency: float
    bandwidth: float

    @property
    def possible_cause(self) -> str:
        """A possible cause of the slowness, in words."""
        if self.pair.failed:
            if self.pair.latency_us.median:
                return (
                    "small messages pass and large ones do not: an MTU that is too large for "
                    "the path"
                )
            return "no answer: a firewall, or a lost host"
        if self.latency > FACTOR and self.bandwidth > FACTOR:
            return "a busy server, a longer path, or a link that loses packets"
        if self.latency > FACTOR:
            return "a busy server, or a longer path"
        return "a bad cable or port, a slower link, or a wrong MTU"


@dataclass(frozen=True)
class Finding:
    """A sentence on a fault, and its possible cause."""

    what: str
    possible_cause: str


def baselines(results: Results) -> dict[bool, Baseline]:
    """Return the baselines of pairs on one node (True) and on two (False), if there are any."""
    found = {}
    for same in (False, True):
        pairs = [p for p in results.pairs if results.same_node(p) == same]
        best: dict[frozenset[str], tuple[float, float]] = {}
        for pair in pairs:
            where = frozenset(_ends(results, pair, _node))
            latency, bandwidth = best.get(where, (inf, 0.0))
            best[where] = (
                min(latency, pair.latency_us.median or inf),
                max(bandwidth, pair.bandwidth),
            )
        if pairs:
            last = (len(best) - 1) // 4
            latency = sorted(latency for latency, _ in best.values())[last]
            bandwidth = sorted((bandwidth for _, bandwidth in best.values()), reverse=True)[last]
            found[same] = Baseline(0.0 if latency == inf else latency, bandwidth, len(pairs))
    return found


def slow_pairs(results: Results) -> list[SlowPair]:
    """Return the pairs that could not be measured, then the slow ones, slowest first."""
    norm = baselines(results)
    found = []
    for pair in results.pairs:
        good = norm[results.same_node(pair)]
        latency = pair.latency_us.median / good.latency if good.latency else 0.0
        bandwidth = good.bandwidth / pair.bandwidth if pair.bandwidth else 0.0
        if pair.failed or max(latency, bandwidth) > FACTOR:
            found.append(SlowPair(pair, latency, bandwidth))
    return sorted(found, key=lambda one: (not one.pair.failed, -max(one.latency, one.bandwidth)))


def findings(results: Results) -> list[Finding]:
    """Return all findings: slow nodes, hosts and pairs, then unequal MTUs and busy nodes."""
    left = slow_pairs(results)
    found = []
    for noun, name_of, every in (
        ("node", _node, [p for p in results.pairs if not results.same_node(p)]),
        ("host", _host, list(results.pairs)),
    ):
        for name in _culprits(results, left, name_of, every):
            its = [one for one in left if name in _ends(results, one.pair, name_of)]
            total = sum(name in _ends(results, pair, name_of) for pair in every)
            left = [one for one in left if one not in its]
            found.append(_culprit_finding(results, noun, name, its, total))
    found += [
        Finding(f"{results.name(one.pair)}: {_symptom(results, one)}", one.possible_cause)
        for one in left
    ]
    return [*found, *_mtus(results), *_busy(results)]


def _node(host: Host) -> str:
    return host.node


def _host(host: Host) -> str:
    return host.host


def _ends(results: Results, pair: Pair, name_of: Callable[[Host], str]) -> set[str]:
    return {name_of(results.hosts[pair.a]), name_of(results.hosts[pair.b])}


def _culprits(
    results: Results, left: list[SlowPair], name_of: Callable[[Host], str], every: list[Pair]
) -> Iterator[str]:
    """Yield nodes or hosts whose pairs are mostly slow, worst first, each without earlier pairs."""
    gone: set[str] = set()
    while True:
        all_of = _counted(results, every, name_of, gone)
        slow_of = _counted(results, [one.pair for one in left if one.pair in every], name_of, gone)
        shares = {name: count / all_of[name] for name, count in slow_of.items() if count > 1}
        if not shares:
            return
        worst = max(shares, key=lambda name: (shares[name], slow_of[name]))
        if shares[worst] < _BLAME_SHARE:
            return
        gone.add(worst)
        yield worst


def _counted(
    results: Results, pairs: Collection[Pair], name_of: Callable[[Host], str], without: set[str]
) -> Counter[str]:
    """Count the pairs of each end, without the pairs that have an end in `without`."""
    ends = [_ends(results, pair, name_of) for pair in pairs]
    return Counter(name for names in ends if not names & without for name in names)


def _culprit_finding(
    results: Results, noun: str, name: str, its: list[SlowPair], total: int
) -> Finding:
    known = any(host.node != host.host for host in results.hosts)
    noun_of = noun if known else "host"
    named = name if name.startswith(noun_of) else f"{noun_of} {name}"
    what = f"{named} is slow: {len(its)} of its {total} pairs"
    what += " with other nodes" if noun == "node" and known else ""
    reasons = [reason for reason, _ in Counter(one.possible_cause for one in its).most_common()]
    failed = sum(one.pair.failed for one in its)
    if failed:
        return Finding(f"{what}, {failed} of which could not be measured", "; ".join(reasons))
    return Finding(
        f"{what}; the worst, {results.name(its[0].pair)}, has {_symptom(results, its[0])}",
        reasons[0],
    )


def _symptom(results: Results, one: SlowPair) -> str:
    if one.pair.failed:
        return "could not be measured"
    parts = []
    if one.latency > FACTOR:
        took = words.duration(one.pair.latency_us.median)
        parts.append(f"{took} for 8 B, {one.latency:.1f} times the usual")
    if one.bandwidth > FACTOR:
        pair = one.pair
        ways = [(pair.there_mb_s.median, pair.a, pair.b), (pair.back_mb_s.median, pair.b, pair.a)]
        least, a, b = min(ways)
        way = f"from {results.hosts[a].host} to {results.hosts[b].host}"
        parts.append(
            f"{words.short(least)} MB/s {way}, {words.percent(1 / one.bandwidth)} of the usual"
        )
    return " and ".join(parts)


def _mtus(results: Results) -> Iterator[Finding]:
    mtus = Counter(host.mtu for host in results.hosts)
    common = mtus.most_common(1)[0][0]
    for mtu in sorted(set(mtus) - {common}):
        names = ", ".join(host.host for host in results.hosts if host.mtu == mtu)
        yield Finding(
            f"MTU {mtu} in {names}, {common} in the others",
            "workers from before network.mtu was changed: mpigen doctor checks each link",
        )


def _busy(results: Results) -> Iterator[Finding]:
    nodes = {}
    for host in results.hosts:
        if host.load > _BUSY_LOAD * host.cpus:
            nodes[host.node] = f"{host.node} (load {host.load:.1f} on {host.cpus} CPUs)"
    if nodes:
        yield Finding(
            f"busy before the bench began: {', '.join(nodes.values())}",
            "other work was running, and results are less reliable",
        )
