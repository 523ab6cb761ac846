"""allreduce, bcast and alltoall on 8 ranks: the walk-through with its hang cured, and mpigen's.

Both have 4 containers of 2 slots on 3 nodes (2 + 1 + 1), on one lab, in one run, in turn.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import HERE, POINTS, about, in_turn, machine, main, on_lab, points, table
from sides import CREATE, NETWORK, RECIPE, call, compiled, must, recipe, say

from mpigen.errors import ClusterError
from mpigen.lab import engine, lab

IMAGE = "mpigen-bench-coll:latest"
SITE = f"""\
name: coll
image: {{tag: "{IMAGE}"}}
app: {{source: app}}
engine: {{minimum: "25.0"}}
workers:
  - {{name: a, replicas: 2, slots: 2, constraints: ["node.hostname == node-1"]}}
  - {{name: b, slots: 2, constraints: ["node.hostname == node-2"]}}
  - {{name: c, slots: 2, constraints: ["node.hostname == node-3"]}}
"""
SIZES = [
    f"{what}:{size}"
    for what in ("allreduce", "bcast", "alltoall")
    for size in (8, 1024, 65536, 1048576)
]


def measure(wanted: argparse.Namespace) -> dict[str, Any]:
    """Microseconds of each call, of each side in turn."""
    docker = engine.ensure(say) and engine.local_endpoint().url
    words = [str(wanted.seconds), *SIZES]
    try:
        with on_lab("coll", SITE, POINTS, IMAGE) as here, tempfile.TemporaryDirectory() as scratch:
            say(f"building {RECIPE}")
            must(docker, "docker", "build", "--tag", RECIPE, HERE / "recipe")
            lab.load(here.lab, RECIPE, say)
            must(here.lab.docker_host, *CREATE)
            subnet = "{{(index .IPAM.Config 0).Subnet}}"
            inspect = ("docker", "network", "inspect", "--format", subnet, NETWORK)
            cure = ("--mca", "btl_tcp_if_include", must(here.lab.docker_host, *inspect))
            binary = compiled(here.lab.docker_host, POINTS / "points.cpp", Path(scratch))
            with recipe(here.lab, binary) as made:
                mpirun = ("mpirun -n 8 --allow-run-as-root --hostfile hostfile", *cure)
                theirs = " ".join(("timeout -k 10 300", *mpirun, "{}", "./a.out", *words))
                run = ("sh", here.output / "scripts" / "run.sh", "points", *words)
                sides: dict[str, Callable[[], dict[str, float]]] = {
                    "walk-through": lambda: points(made[0].run(theirs.format(""))),
                    "walk-through, --bind-to none": lambda: points(
                        made[0].run(theirs.format("--bind-to none"))
                    ),
                    "mpigen": lambda: points(call(here.lab.docker_host, *run, limit=300)),
                }
                found = in_turn(wanted.runs, sides)
            on = machine(docker, here.lab, IMAGE)
    finally:
        call(docker, "docker", "rmi", RECIPE)
    if set(found["mpigen"]) != set(SIZES):
        raise ClusterError("some points are missing")
    return {"machine": on, "runs": wanted.runs, "seconds": wanted.seconds, "us": found}


def report(found: dict[str, Any]) -> list[str]:
    """The tables."""
    each = f"{found['runs']} interleaved runs, {found['seconds']:g} s a point"
    return [
        *about(found["machine"]),
        "",
        f"8 ranks in 4 containers on 3 nodes: us a call, of the slowest rank; {each}",
        *table(found["us"], "walk-through", SIZES),
        "",
        "  walk-through: its hang cured by --mca btl_tcp_if_include SUBNET, nothing else changed;",
        "  alltoall sends so many bytes to each rank",
    ]


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=3, help="repetitions of each side (3)")
    options.add_argument("--seconds", type=float, default=0.3, help="of each point (0.3)")
    main(options, measure, report)
