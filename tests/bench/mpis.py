"""Every MPI that mpigen installs, side by side: 8 bytes and 1 MiB one way, between two containers.

near: both on one node; far: on two. All are deployed on one lab and measured in turn, each in its
own image, by the same program (points/points.cpp). Workers without a job sleep.
"""

import argparse
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from harness import POINTS, Bench, about, in_turn, machine, main, points, table
from sides import TRUSTED, build, call, deployed, make_site, say

from mpigen.errors import ClusterError
from mpigen.lab import base, engine, lab

DEBIAN_12, DEBIAN_13, DEBIAN_14 = (
    f"debian:{name}-slim" for name in ("bookworm", "trixie", "forky")
)
LAB = "mpis"
MPIS = {
    "Open MPI 5.0.7, Debian 13": (DEBIAN_13, {"implementation": "openmpi"}),
    "Open MPI 4.1.4, Debian 12": (DEBIAN_12, {"implementation": "openmpi"}),
    "Open MPI 6.0.0~rc2, Debian 14": (DEBIAN_14, {"implementation": "openmpi"}),
    "MPICH 4.2.1, Debian 13": (DEBIAN_13, {"implementation": "mpich"}),
    "MPICH 5.0.2, Debian 14": (DEBIAN_14, {"implementation": "mpich"}),
    "Open MPI 5.0.11, PyPI": (DEBIAN_13, {"implementation": "openmpi", "version": "5.0.11"}),
    "MPICH 5.0.2, PyPI": (DEBIAN_13, {"implementation": "mpich", "version": "5.0.2"}),
    "Intel MPI 2021.19.0": (DEBIAN_13, {"implementation": "intel", "version": "2021.19.0"}),
}
SIZES = ["pingpong:8", "pingpong:1048576"]
PARTS = {"near": "2 containers of one node", "far": "2 containers on two nodes"}


def site_of(number: int, image_base: str, mpi: dict[str, str]) -> str:
    """The mpigen.yaml of one MPI: as JSON, which is YAML too."""
    image = {"base": image_base, "tag": f"mpigen-bench-mpi{number}:latest"}
    if "version" in mpi and TRUSTED.is_file():
        image["ca"] = TRUSTED.name
    groups = {"left": 1, "near": 1, "far": 2}
    return json.dumps(
        {
            "name": f"mpi{number}",
            "image": image,
            "mpi": mpi,
            "app": {"source": "app"},
            "network": {"subnet": f"10.79.{number}.0/24"},
            "engine": {"minimum": "25.0"},
            "workers": [
                {"name": name, "slots": 1, "constraints": [f"node.hostname == node-{node}"]}
                for name, node in groups.items()
            ],
        }
    )


@contextmanager
def all_mpis(chosen: list[str]) -> Iterator[dict[str, Bench]]:
    """A lab of three nodes with a cluster of each MPI on it; all is gone at the end."""
    client = engine.ensure(say)
    docker = engine.local_endpoint().url
    if lab.find(LAB):
        raise ClusterError(f"the lab {LAB} is up", f"Take it down: mpigen lab down --name {LAB}")
    with ExitStack() as made:
        for each in sorted({MPIS[name][0] for name in chosen}):
            base.ensure(client, each, say)
        made.callback(lab.down, LAB, say)
        here = lab.up(LAB, 3, say)
        scratch = Path(made.enter_context(tempfile.TemporaryDirectory(prefix="mpigen-bench-")))
        sites = {}
        for number, name in enumerate(chosen, 1):
            image = f"mpigen-bench-mpi{number}:latest"
            for tag in (image, image.replace(":", "-build:")):
                made.callback(call, docker, "docker", "rmi", tag)
            site = make_site(scratch / f"mpi{number}", site_of(number, *MPIS[name]), POINTS)
            if TRUSTED.is_file():
                shutil.copy(TRUSTED, site)
            build(docker, here, site, image)
            made.enter_context(deployed(here, site))
            sites[name] = Bench(here, site / "output", f"mpi{number}", image)
        yield sites


def pair(here: Bench, part: str, words: list[str]) -> dict[str, float]:
    """The points of two ranks, one on the left host and one on the other."""
    start = here.worker("left")
    groups = f"left {part}"
    hosts = start.run("mpirun", "-n", "2", "uname", "-n", MPI_GROUPS=groups).text.split()
    if sorted(hosts) != sorted(("left-1", f"{part}-1")):
        raise ClusterError(f"{here.stack}: the two ranks were on {' and '.join(hosts)}, not apart")
    command = ("timeout", "--kill-after=5", "120", "mpirun", "-n", "2", "points", *words)
    return points(start.run(*command, limit=150, MPI_GROUPS=groups))


def measure(wanted: argparse.Namespace) -> dict[str, Any]:
    """Microseconds of each MPI in turn, near and far."""
    words = [str(wanted.seconds), *SIZES]
    with all_mpis(wanted.mpis) as sites:
        first = next(iter(sites.values()))
        on = machine(engine.local_endpoint().url, first.lab, first.image)
        found: dict[str, Any] = {"machine": on, "runs": wanted.runs, "seconds": wanted.seconds}
        found["mpis"] = wanted.mpis
        for part in PARTS:
            say(f"measuring: {part}")
            sides: dict[str, Callable[[], dict[str, float]]] = {
                name: partial(pair, here, part, words) for name, here in sites.items()
            }
            found[part] = in_turn(wanted.runs, sides)
            for name, values in found[part].items():
                if set(values) != set(SIZES):
                    raise ClusterError(f"{name}, {part}: some points are missing")
        return found


def report(found: dict[str, Any]) -> list[str]:
    """The tables."""
    each = f"{found['runs']} interleaved runs, {found['seconds']:g} s a point"
    lines = about(found["machine"])
    for part, where in PARTS.items():
        against = next(iter(found[part]))
        lines += ["", f"{where}: us one way, {each}", *table(found[part], against, SIZES)]
    return lines


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=7, help="repetitions of each MPI (7)")
    options.add_argument("--seconds", type=float, default=0.5, help="of each point (0.5)")
    options.add_argument(
        "--mpis",
        nargs="+",
        choices=list(MPIS),
        default=list(MPIS),
        help="only these; ratios are to the first",
    )
    main(options, measure, report)
