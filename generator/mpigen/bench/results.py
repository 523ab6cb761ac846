"""The results of a bench: mpi-bench's output in a fixed order, and as a JSON file."""

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from mpigen.errors import InputError


class Spread(NamedTuple):
    """The lower quartile, median and upper quartile of a measurement; zeros if there is none."""

    low: float
    median: float
    high: float


@dataclass(frozen=True)
class Host:
    """A container that took part. `load` is the server's load average of the minute before."""

    host: str
    node: str
    interface: str
    mtu: int
    cpus: int
    load: float


@dataclass(frozen=True)
class Pair:
    """Two hosts by index: one-way time of 8 B (us), and bandwidth at 1 MiB (10^6 B/s)."""

    a: int
    b: int
    failed: bool
    latency_us: Spread
    there_mb_s: Spread
    back_mb_s: Spread

    @property
    def bandwidth(self) -> float:
        """The bandwidth of the slower direction."""
        return min(self.there_mb_s.median, self.back_mb_s.median)


@dataclass(frozen=True)
class Point:
    """The one-way time of a message of `size` bytes."""

    size: int
    us: Spread


@dataclass(frozen=True)
class Curve:
    """A pair's one-way time over message size."""

    a: int
    b: int
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Collective:
    """The time of an operation of all hosts; in an alltoall each pair exchanges `size` bytes."""

    name: str
    size: int
    us: Spread


@dataclass(frozen=True)
class Results:
    """The results of one bench. `when` is UTC in ISO 8601; `settings` are as rendered."""

    cluster: str
    stack: str
    when: str
    mpigen: str
    image: str
    settings: dict[str, str]
    mpi: str
    at_once: bool
    seconds: float
    hosts: tuple[Host, ...]
    pairs: tuple[Pair, ...]
    curves: tuple[Curve, ...]
    collectives: tuple[Collective, ...]

    def same_node(self, pair: Pair | Curve) -> bool:
        """Whether both hosts are on one node."""
        return self.hosts[pair.a].node == self.hosts[pair.b].node

    def name(self, pair: Pair | Curve) -> str:
        """Return the names of the pair's hosts."""
        return f"{self.hosts[pair.a].host} – {self.hosts[pair.b].host}"


_ADAPTER = TypeAdapter(Results)


def parse(printed: str, about: dict[str, Any]) -> Results:
    """Parse the output of mpi-bench, add the fields `about`, and sort hosts by node and name.

    Raises ValueError if `printed` is not the output of mpi-bench.
    """
    return _in_order(_ADAPTER.validate_python({**json.loads(printed), **about}))


def read(file: Path) -> Results:
    """Read the results of an earlier bench. Raises InputError if the file has none."""
    try:
        return _ADAPTER.validate_json(file.read_bytes())
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(
            f"{file} contains no results of a bench: {where}: {first['msg']}",
            "mpigen bench writes them beside its report, as report.json.",
        ) from error


def as_json(results: Results) -> str:
    """Return the text of a results file."""
    return json.dumps(_ADAPTER.dump_python(results, mode="json"), indent=1) + "\n"


def _in_order(results: Results) -> Results:
    """Sort hosts by node, then by name, and turn each pair from the earlier to the later host."""
    order = sorted(range(len(results.hosts)), key=lambda i: _key(results.hosts[i]))
    now = {before: after for after, before in enumerate(order)}
    pairs = [
        replace(pair, a=now[pair.a], b=now[pair.b])
        if now[pair.a] < now[pair.b]
        else replace(
            pair,
            a=now[pair.b],
            b=now[pair.a],
            there_mb_s=pair.back_mb_s,
            back_mb_s=pair.there_mb_s,
        )
        for pair in results.pairs
    ]
    curves = [replace(each, a=now[each.a], b=now[each.b]) for each in results.curves]
    return replace(
        results,
        hosts=tuple(results.hosts[i] for i in order),
        pairs=tuple(sorted(pairs, key=lambda pair: (pair.a, pair.b))),
        curves=tuple(curves),
    )


def _key(host: Host) -> list[tuple[str, int]]:
    """Return a sort key that has node-10 after node-9."""
    parts = re.findall(r"(\D*)(\d*)", f"{host.node}\0{host.host}")
    return [(text, int(number or 0)) for text, number in parts]
