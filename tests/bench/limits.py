"""MPI's latency and bandwidth against the limit: the bare machine, and the raw socket.

    .venv/bin/python tests/bench/limits.py [--only container|near|far] [--also "NAME: PARAM=VALUE"]

container: 2 ranks in one container, against the same mpirun on the bare machine (the image's files
in a folder, entered by chroot: no namespaces, no limits). near, far: 2 ranks in 2 containers, on
one node and on two, against TCP between the same two containers: a ping-pong that blocks, one that
polls, and a stream; and NetPIPE's NPtcp, which shows that ours is one like any other.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from harness import (
    POINTS,
    Bench,
    Found,
    Worker,
    about,
    in_turn,
    machine,
    main,
    on_lab,
    points,
    table,
)
from sides import call, must, say

from mpigen.errors import ClusterError
from mpigen.lab import engine

IMAGE = "mpigen-bench-net:latest"
SITE = """\
name: net
image: {{base: "{base}", tag: "{image}", packages: [netbase, netpipe-tcp]}}
app: {{source: app}}
network: {{subnet: 10.78.0.0/24}}
engine: {{minimum: "25.0"}}
workers:
  - {{name: one, slots: 2, constraints: ["node.hostname == node-1"]}}
  - {{name: left, slots: 1, constraints: ["node.hostname == node-1"]}}
  - {{name: near, slots: 1, constraints: ["node.hostname == node-1"]}}
  - {{name: far, slots: 1, constraints: ["node.hostname == node-2"]}}
"""
SIZES = {
    "container": ["pingpong:8", "pingpong:65536", "pingpong:4194304", "stream:4194304"],
    "near": [
        *("pingpong:8", "pingpong:65536"),
        *(f"{pattern}:{size}" for size in (1048576, 4194304) for pattern in ("pingpong", "stream")),
    ],
}
SIZES["far"] = SIZES["near"]
PORT = "5555"
STOCK = {
    "mpi_yield_when_idle": "0",
    "btl_tcp_eager_limit": "65536",
}
"""Open MPI's own value of what mpigen sets for speed."""
ALONE = {"mpi_yield_when_idle": "0", "hwloc_default_binding_policy": "core"}
"""What is left away, and so Open MPI's own, where a node has one container."""
SMALL_PIECES = {"btl_vader_max_send_size": "32768", "btl_vader_rndv_eager_limit": "32768"}
"""Open MPI's own value of what mpigen sets for ranks of one container."""


@contextmanager
def bare(image: str) -> Iterator[Path]:
    """The image's files in a folder, with what a program needs of the machine."""
    docker = engine.local_endpoint().url
    folder = Path(mkdtemp(prefix="mpigen-bench-bare-", dir="/var/tmp"))
    folder.chmod(0o755)
    made = must(docker, "docker", "create", image)
    mounted: list[Path] = []
    try:
        must(docker, "sh", "-c", f"docker export {made} | tar -x -C {folder}")
        for place in ("proc", "sys", "dev", "dev/shm"):
            must(docker, "mount", "--bind", f"/{place}", folder / place)
            mounted.append(folder / place)
        yield folder
    finally:
        call(docker, "docker", "rm", made)
        for place in reversed(mounted):
            must(docker, "umount", place)
        must(docker, "rm", "-rf", "--one-file-system", folder)


def on_the_machine(folder: Path, words: list[str], *options: str) -> dict[str, float]:
    """The points of mpirun in that folder; its parameter files are links to nothing there."""
    enter = ("chroot", "--userspec=1000:1000", folder, "/usr/bin/env", "-i", "HOME=/tmp")
    path = "PATH=/opt/app/bin:/usr/bin:/bin"
    mpirun = ("/usr/bin/mpirun", "--host", "localhost:2", "-n", "2", *options, "points", *words)
    return points(call("", *enter, path, *mpirun, limit=120))


def by_tcp(client: Worker, server: Worker, way: str, words: list[str]) -> dict[str, float]:
    """The points of our own TCP program."""
    must(server.docker, "docker", "exec", "--detach", server.id, "tcp", "serve", PORT)
    time.sleep(0.3)
    done = client.run("tcp", "ask", server.address, PORT, way, *words)
    client.run(
        "tcp", "ask", server.address, PORT, way, "0", "end"
    )  # without a point: the server ends
    return points(done)


def by_netpipe(client: Worker, server: Worker, sizes: list[str]) -> dict[str, float]:
    """NPtcp's ping-pong of those sizes."""
    found = {}
    for size in sizes:
        only = ("-l", size, "-u", size, "-p", "0", "-o", "/tmp/np")
        must(server.docker, "docker", "exec", "--detach", server.id, "NPtcp", *only)
        time.sleep(0.3)
        done = client.run("sh", "-c", f"NPtcp -h {server.address} {' '.join(only)}; cat /tmp/np")
        if done.code:
            raise ClusterError(f"NPtcp ended with {done.code}:\n{done.text[-1000:]}")
        # its file: bytes, Mbit/s, seconds one way
        found[f"pingpong:{size}"] = float(done.text.split()[-1]) * 1e6
    return found


def by_mpi(start: Worker, groups: str, words: list[str], **params: str) -> dict[str, float]:
    """The points of `mpirun` in a worker, with those groups."""
    told = {
        f"{'PRTE' if name.startswith('hwloc') else 'OMPI'}_MCA_{name}": value
        for name, value in params.items()
    }
    return points(start.run("mpirun", "-n", "2", "points", *words, MPI_GROUPS=groups, **told))


def measure_part(here: Bench, part: str, wanted: argparse.Namespace) -> Found:
    """One question's sides in turn."""
    words = [str(wanted.seconds), *SIZES[part]]
    if part == "container":
        one = here.worker("one")
        with bare(here.image) as folder:
            sides: dict[str, Callable[[], dict[str, float]]] = {
                "bare": lambda: on_the_machine(folder, words),
                "bare, no CMA": lambda: on_the_machine(folder, words, "--mca", "smsc", "^cma"),
                "mpigen": lambda: by_mpi(one, "one", words),
                "alone": lambda: by_mpi(one, "one", words, **ALONE),
                "alone, stock": lambda: by_mpi(one, "one", words, **ALONE, **SMALL_PIECES),
            }
            sides |= _others(wanted.also, one, "one", words)
            return in_turn(wanted.runs, sides)
    left, other = here.worker("left"), here.worker(part)
    both = f"left {part}"
    sizes = ["8", "65536", "1048576", "4194304"]
    sides = {
        "TCP": lambda: by_tcp(left, other, "block", words),
        "TCP, polling": lambda: by_tcp(left, other, "poll", words),
        "NPtcp": lambda: by_netpipe(left, other, sizes),
        "mpigen": lambda: by_mpi(left, both, words),
        "stock": lambda: by_mpi(left, both, words, **STOCK),
    }
    return in_turn(wanted.runs, sides | _others(wanted.also, left, both, words))


def _others(
    also: list[str], start: Worker, groups: str, words: list[str]
) -> dict[str, Callable[[], dict[str, float]]]:
    """More sides: mpigen's, with parameters that are given here."""

    def side(text: str) -> Callable[[], dict[str, float]]:
        params = dict(pair.split("=", 1) for pair in text.split())
        return lambda: by_mpi(start, groups, words, **params)

    return {each.partition(":")[0]: side(each.partition(":")[2]) for each in also}


def measure(wanted: argparse.Namespace) -> dict[str, Any]:
    """All that is found."""
    with on_lab("net", SITE.format(base=wanted.base, image=IMAGE), POINTS, IMAGE) as here:
        on = machine(engine.local_endpoint().url, here.lab, IMAGE)
        found: dict[str, Any] = {"machine": on, "runs": wanted.runs, "seconds": wanted.seconds}
        for part in [wanted.only] if wanted.only else list(SIZES):
            say(f"measuring: {part}")
            found[part] = measure_part(here, part, wanted)
        return found


TITLES = {
    "container": "2 ranks in one container, against the same mpirun on the bare machine",
    "near": "2 ranks in 2 containers of one node, against TCP between them",
    "far": "2 ranks in 2 containers on two nodes, against TCP between them",
}


def report(found: dict[str, Any]) -> list[str]:
    """The tables."""
    lines = about(found["machine"])
    for part, title in TITLES.items():
        if part in found:
            against = "bare" if part == "container" else "TCP"
            each = f"{found['runs']} interleaved runs, {found['seconds']:g} s a point"
            lines += ["", f"{title}: us one way, {each}"]
            lines += table(found[part], against, SIZES[part])
    if "container" in found:
        lines += [
            "",
            "  bare: the image's files by chroot: no namespaces, no limits, Open MPI's settings",
        ]
        lines += [
            "  alone: as mpigen has it where a node has one container: bound, and none yields",
            "  alone, stock: with " + " ".join(f"{k}={v}" for k, v in SMALL_PIECES.items()),
        ]
    if "near" in found or "far" in found:
        lines += [
            "",
            "  stock: mpigen's cluster with " + " ".join(f"{k}={v}" for k, v in STOCK.items()),
        ]
        lines += ["  stream: 16 messages one way, then 8 bytes back; pingpong: half of an exchange"]
    return lines


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    # many short runs: a machine's cores are near each other in some, and far in others
    options.add_argument("--runs", type=int, default=21, help="repetitions of each side (21)")
    options.add_argument("--seconds", type=float, default=0.2, help="of each point (0.2)")
    options.add_argument("--only", choices=list(SIZES), help="one of the questions")
    options.add_argument("--base", default="debian:trixie-slim", help="the image's base")
    options.add_argument("--also", action="append", default=[], help='"NAME: PARAM=VALUE ..."')
    main(options, measure, report)
