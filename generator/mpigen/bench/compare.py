"""Differences between two benches that exceed the variation between equal runs."""

from collections.abc import Iterator
from dataclasses import dataclass

from mpigen.bench import words
from mpigen.bench.results import Results, Spread

NOISE = 1.25
"""The least ratio that counts as a change; the interquartile ranges must not overlap either."""


@dataclass(frozen=True)
class Change:
    """A figure of both benches. `times` is how many times better the new one is; below 1, worse."""

    what: str
    before: str
    after: str
    times: float

    @property
    def verdict(self) -> str:
        """The change in words."""
        if self.times > 1:
            return f"{self.times:.1f} times as good"
        return f"{1 / self.times:.1f} times as bad"


@dataclass(frozen=True)
class _Figure:
    spread: Spread
    unit: str
    more_is_better: bool

    def __str__(self) -> str:
        return f"{words.short(self.spread.median)} {self.unit}"


def changes(old: Results, new: Results) -> list[Change]:
    """Return the figures of both benches that differ, the worst first."""
    before, after = dict(_figures(old)), dict(_figures(new))
    found = []
    for what in before:
        if what not in after:
            continue
        a, b = before[what], after[what]
        overlap = a.spread.low <= b.spread.high and b.spread.low <= a.spread.high
        if overlap or not a.spread.median or not b.spread.median:
            continue
        times = b.spread.median / a.spread.median
        if max(times, 1 / times) >= NOISE:
            better = times if a.more_is_better else 1 / times
            found.append(Change(what, str(a), str(b), better))
    return sorted(found, key=lambda change: change.times)


def circumstances(old: Results, new: Results) -> list[str]:
    """Return a sentence per other difference: hosts, their nodes, image, MPI, settings."""
    found = []
    was, now = ({host.host: host for host in each.hosts} for each in (old, new))
    for word, names in (("gone", was.keys() - now.keys()), ("new", now.keys() - was.keys())):
        if names:
            found.append(f"hosts that are {word}: {', '.join(sorted(names))}")
    for name in sorted(was.keys() & now.keys()):
        if was[name].node != now[name].node:
            found.append(f"{name} was on {was[name].node} and is on {now[name].node}")
        if was[name].mtu != now[name].mtu:
            found.append(f"{name} had MTU {was[name].mtu} and has {now[name].mtu}")
    for name in sorted({*old.settings, *new.settings}):
        a, b = old.settings.get(name, "unset"), new.settings.get(name, "unset")
        if a != b:
            found.append(f"{name} was {a} and is {b}")
    for what, a, b in (("image", old.image, new.image), ("MPI", old.mpi, new.mpi)):
        if a != b:
            found.append(f"the {what} was {a} and is {b}")
    if old.at_once != new.at_once:
        found.append("one of them measured pairs in parallel, the other one by one")
    failed = [[each.name(pair) for pair in each.pairs if pair.failed] for each in (old, new)]
    found += [f"{pair} could not be measured now" for pair in failed[1] if pair not in failed[0]]
    found += [f"{pair} could not be measured before" for pair in failed[0] if pair not in failed[1]]
    return found


def _figures(results: Results) -> Iterator[tuple[str, _Figure]]:
    for pair in results.pairs:
        a, b = results.hosts[pair.a].host, results.hosts[pair.b].host
        # ordered by name, since the order of results changes if a host moves to another node
        first, second = sorted((a, b))
        yield f"{first} – {second}, 8 B", _Figure(pair.latency_us, "µs", False)
        yield f"{a} → {b}, 1 MiB", _Figure(pair.there_mb_s, "MB/s", True)
        yield f"{b} → {a}, 1 MiB", _Figure(pair.back_mb_s, "MB/s", True)
    for each in results.collectives:
        yield f"{each.name}, {words.size(each.size)}", _Figure(each.us, "µs", False)
