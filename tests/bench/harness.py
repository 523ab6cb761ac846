"""What benches share: a lab with a site on it, sides in turn, medians, and how a program ends."""

import argparse
import json
import os
import platform
import re
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from sides import Done, build, call, deployed, make_site, must, say

from mpigen.errors import ClusterError, MpigenError
from mpigen.lab import base, engine, lab

HERE = Path(__file__).resolve().parent
POINTS = HERE / "points"
LINE = re.compile(r"^(\w+) (\d+) ([\d.]+) \d+$", re.MULTILINE)
"""What points and tcp print of each point: the pattern, bytes, microseconds and repetitions."""


@dataclass(frozen=True)
class Bench:
    """A lab with a site deployed on it: its rendered folder, and its image."""

    lab: lab.Lab
    output: Path
    stack: str
    image: str

    def engine(self, node: int) -> str:
        """The engine of a node, as DOCKER_HOST says it."""
        return f"unix://{self.lab.nodes[node].socket}"

    def worker(self, group: str) -> "Worker":
        """The one container of a group."""
        for node in range(len(self.lab.nodes)):
            label = f"label=com.docker.swarm.service.name={self.stack}_{group}"
            found = must(self.engine(node), "docker", "ps", "--quiet", "--filter", label)
            if found:
                return Worker(self.engine(node), found.splitlines()[0])
        raise ClusterError(f"there is no container of {group}")


@dataclass(frozen=True)
class Worker:
    """A container and its node's engine."""

    docker: str
    id: str

    def command(self, *words: str, **env: str) -> tuple[str, ...]:
        """The words that run a command in it."""
        told = [word for name, value in env.items() for word in ("--env", f"{name}={value}")]
        return ("docker", "exec", *told, self.id, *words)

    def run(self, *words: str, limit: float = 120, **env: str) -> Done:
        """What a command does in it."""
        return call(self.docker, *self.command(*words, **env), limit=limit)

    @property
    def address(self) -> str:
        """Its address on the overlay."""
        return self.run("cat", "/run/mpi/address").text.strip()


@contextmanager
def on_lab(name: str, text: str, app: Path, image: str) -> Iterator[Bench]:
    """A lab of three nodes and a site of that mpigen.yaml on it; all is gone at the end.

    Raises ClusterError if there is a lab of that name already.
    """
    client = engine.ensure(say)
    docker = engine.local_endpoint().url
    stack = re.search(r"^name: (\S+)", text, re.MULTILINE)[1]  # type: ignore[index]
    from_base = re.search(r"base: \"?([\w.:-]+)", text)
    if lab.find(name):
        raise ClusterError(f"the lab {name} is up", f"Take it down: mpigen lab down --name {name}")
    try:
        base.ensure(client, from_base[1] if from_base else "debian:trixie-slim", say)
        here = lab.up(name, 3, say)
        with tempfile.TemporaryDirectory(prefix="mpigen-bench-") as scratch:
            site = make_site(Path(scratch, "site"), text, app)
            build(docker, here, site, image)
            with deployed(here, site):
                yield Bench(here, site / "output", stack, image)
    finally:
        for tag in (image, image.replace(":", "-build:")):
            call(docker, "docker", "rmi", tag)
        lab.down(name, say)


def points(done: Done) -> dict[str, float]:
    """Microseconds of each "PATTERN:BYTES". Raises ClusterError if the program failed."""
    found = {f"{m[1]}:{m[2]}": float(m[3]) for m in LINE.finditer(done.text.replace("\r", ""))}
    if done.code or not found:
        raise ClusterError(f"ended with {done.code}:\n{done.text[-2000:]}")
    return found


Found = dict[str, dict[str, list[float]]]
"""Of each side and point, what every run gave."""


def in_turn(runs: int, sides: dict[str, Callable[[], dict[str, float]]]) -> Found:
    """Each side once in every run, never two at a time."""
    found: Found = {side: {} for side in sides}
    for number in range(1, runs + 1):
        for side, job in sides.items():
            for point, value in job().items():
                found[side].setdefault(point, []).append(value)
        say(f"run {number} of {runs}")
    return found


def table(found: Found, against: str, points: list[str], unit: str = "us") -> list[str]:
    """A line for each point and side: median, least, most, MB/s, and its ratio to `against`."""
    width = max(map(len, found)) + 2
    last = f"to {against}"
    heads = "".join(f"{head:>11}" for head in ("median", "min", "max"))
    lines = [f"  {'':{width}}{heads}{'MB/s':>8}{last:>{len(last) + 2}}"]
    for point in points:
        pattern, _, size = point.partition(":")
        lines += [f"  {pattern}, {int(size):,} bytes, {unit}" if size else f"  {point}, {unit}"]
        for side, values in found.items():
            if point not in values:
                continue
            mine = values[point]
            numbers = "".join(f"{n:11.2f}" for n in (median(mine), min(mine), max(mine)))
            speed = f"{int(size) / median(mine):8.0f}" if size and int(size) > 1000 else f"{'':8}"
            ratio = median(mine) / median(found[against][point])
            lines += [f"    {side:{width - 2}}{numbers}{speed}{ratio:{len(last) + 2}.2f}"]
    return lines


def machine(docker: str, here: lab.Lab, image: str) -> dict[str, Any]:
    """What it is measured on."""
    version = ("docker", "version", "--format", "{{.Server.Version}}")
    mpirun = ("docker", "run", "--rm", "--entrypoint", "/usr/bin/mpirun", image, "--version")
    return {
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "engine": must(docker, *version),
        "engine of the nodes": must(here.docker_host, *version),
        "mpi": must(docker, *mpirun).splitlines()[0],
        "load": os.getloadavg()[0],
    }


def about(on: dict[str, Any]) -> list[str]:
    """The machine, as lines."""
    return [
        f"machine  {on['cores']} cores, Linux {on['kernel']}, load {on['load']:.1f} at the start",
        f"engine   {on['engine']}; in the lab's 3 nodes {on['engine of the nodes']}",
        f"MPI      {on['mpi']}",
    ]


def main(
    parser: argparse.ArgumentParser,
    measure: Callable[[argparse.Namespace], dict[str, Any]],
    report: Callable[[dict[str, Any]], list[str]],
) -> None:
    """Measure and report. Exit code 0: measured, whatever the answer; 3: not measured."""
    parser.add_argument("--json", type=Path, help="a file for all that was found")
    wanted = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        found = measure(wanted)
    except MpigenError as error:
        print(f"not measured: {error.message}\n{error.hint}".rstrip(), file=sys.stderr)
        sys.exit(3)
    except KeyboardInterrupt:
        sys.exit(130)
    if wanted.json:
        wanted.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print("\n".join(report(found)))
