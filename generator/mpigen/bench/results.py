"""The results of a bench: what mpi-bench prints, in a fixed order, and as a file."""

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from mpigen.errors import InputError


class Spread(NamedTuple):
    """The median of what was measured, between its quartiles; zeros where nothing was."""

    low: float
    median: float
    high: float


@dataclass(frozen=True)
class Host:
    """A container that took part. `load` is the server's, of the minute before."""

    host: str
    node: str
    interface: str
    mtu: int
    cpus: int
    load: float


@dataclass(frozen=True)
class Pair:
    """Hosts by their number: one way's microseconds of 8 B, and MB (10^6 B) a second at 1 MiB."""

    a: int
    b: int
    failed: bool
    latency_us: Spread
    there_mb_s: Spread
    back_mb_s: Spread

    @property
    def bandwidth(self) -> float:
        """The slower direction's."""
        return min(self.there_mb_s.median, self.back_mb_s.median)


@dataclass(frozen=True)
class Point:
    """How long a message of `size` bytes takes one way."""

    size: int
    us: Spread


@dataclass(frozen=True)
class Curve:
    """A pair's time over size."""

    a: int
    b: int
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Collective:
    """How long an operation of all hosts takes; in an alltoall each pair exchanges `size` bytes."""

    name: str
    size: int
    us: Spread


@dataclass(frozen=True)
class Results:
    """All of one bench. `when` is UTC, as ISO 8601; `settings` are as they were rendered."""

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
        """The pair's hosts, in words."""
        return f"{self.hosts[pair.a].host} – {self.hosts[pair.b].host}"


_AS_JSON = TypeAdapter(Results)


def made(printed: str, about: dict[str, Any]) -> Results:
    """The results that mpi-bench has `printed`, with what it does not know; hosts by node and name.

    Raises ValueError where that is not what mpi-bench prints.
    """
    return _in_order(_AS_JSON.validate_python({**json.loads(printed), **about}))


def read(file: Path) -> Results:
    """The results of an earlier bench. Raises InputError for a file that holds none."""
    try:
        return _AS_JSON.validate_json(file.read_bytes())
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(
            f"{file} holds no results of a bench: {where}: {first['msg']}",
            "mpigen bench writes them beside its report, as report.json.",
        ) from error


def as_json(results: Results) -> str:
    """The text of a results file."""
    return json.dumps(_AS_JSON.dump_python(results, mode="json"), indent=1) + "\n"


def _in_order(results: Results) -> Results:
    """Hosts by node, then by name, and each pair from the earlier to the later one."""
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
    """node-10 after node-9."""
    parts = re.findall(r"(\D*)(\d*)", f"{host.node}\0{host.host}")
    return [(text, int(number or 0)) for text, number in parts]
