"""What MPI's rarer features do on three nodes: right, refused or wrong, for each MPI.

One-sided communication, spawned ranks, and a file that all ranks write, on storage that the hosts
share and on storage that they do not. `--bare` runs each as Open MPI's own mpirun does as well,
without mpi-rank. Needs root, to give the lab's nodes a folder that they share.
"""

import argparse
import shutil
import struct
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import HERE, main
from sharing import SHARED, share
from sides import TRUSTED, Done, build, call, deployed, make_site, say

from mpigen.errors import ClusterError
from mpigen.lab import base, engine, lab

RANKS = 6
LIMIT = 40  # seconds that a rank gets: a job that hangs ends with timeout's 124
TEXT = """\
name: features
app: {{source: app, build: make install, python: [mpi4py]}}
mpi: {{implementation: {mpi}}}
image: {{base: '{base}', ca: app/ca.pem}}
workers: [{{replicas: 3, slots: 2, max_per_node: 1}}]
storage: [{{target: /data, type: bind, source: {shared}}}]
"""
IMAGE = "features:latest"


@dataclass(frozen=True)
class Mpi:
    """An MPI of a base image; `bare` are the words for its own mpirun without mpi-rank."""

    name: str
    implementation: str
    base: str
    spread: tuple[str, ...]
    bare: tuple[str, ...] = ()


MPIS = (
    Mpi(
        "Open MPI 4",
        "openmpi",
        "debian:bookworm-slim",
        ("--map-by", "node"),
        ("--mca", "orte_fork_agent", "/usr/bin/env"),
    ),
    Mpi(
        "Open MPI 5",
        "openmpi",
        "debian:trixie-slim",
        ("--map-by", "node"),
        ("--prtemca", "odls_base_exec_agent", "/usr/bin/env"),
    ),
    Mpi("MPICH", "mpich", "debian:trixie-slim", ("-ppn", "2")),
)


@dataclass(frozen=True)
class Feature:
    """A feature: the program and its words, with a new FILE for each run."""

    name: str
    ranks: int
    words: tuple[str, ...]
    file: str = ""


FEATURES = (
    Feature("one-sided", RANKS, ("fetch_and_op",)),
    Feature("spawn", 3, ("python", "/opt/app/bin/spawn.py")),
    Feature("a file, shared", RANKS, ("shared_file", "FILE"), "/data"),
    Feature("a file, not shared", RANKS, ("shared_file", "FILE"), "/tmp"),
)


def judge(feature: Feature, done: Done, written: bytes) -> str:
    """Whether a run was right, refused (not right, and not 0), wrong, or hung until its end."""
    if done.code in (124, 137):
        return "hung"
    if done.code:
        return "refused"
    # PRRTE's own mpirun warns of a race now and then; ours leaves that line out
    told = [line for line in done.text.split("\n") if "Warning: setpgid" not in line]
    lines = sorted(told)
    if feature.words[0] == "fetch_and_op":
        right = lines == ["", f"{100 * RANKS} of {100 * RANKS}"]
    elif feature.words[0] == "python":
        right = len(lines) == 2 and lines[1].startswith("spawned by rank 1 on ")
    else:
        right = written == struct.pack(f"{RANKS}i", *range(RANKS))
    return "right" if right else "wrong"


@contextmanager
def three_nodes(name: str, folder: Path) -> Iterator[lab.Lab]:
    """A lab whose nodes share `folder`; it is gone at the end."""
    if lab.find(name):
        raise ClusterError(f"the lab {name} is up", f"Take it down: mpigen lab down --name {name}")
    try:
        here = lab.up(name, 3, say)
        for node in here.nodes:
            share(node, folder)
        yield here
    finally:
        lab.down(name, say)


def measure(wanted: argparse.Namespace) -> dict[str, Any]:
    """What each run of each feature did."""
    client = engine.ensure(say)
    docker = engine.local_endpoint().url
    found: dict[str, dict[str, list[str]]] = {}
    chosen = [mpi for mpi in MPIS if not wanted.mpi or mpi.name in wanted.mpi]
    with tempfile.TemporaryDirectory(prefix="mpigen-bench-") as scratch:
        folder = Path(scratch, "shared")
        folder.mkdir()
        folder.chmod(0o777)
        for mpi in chosen:
            base.ensure(client, mpi.base, say)
        with three_nodes(wanted.lab, folder) as here:
            for mpi in chosen:
                values = {"mpi": mpi.implementation, "base": mpi.base, "shared": SHARED}
                place = Path(scratch, mpi.name.replace(" ", "-"))
                site = make_site(place, TEXT.format(**values), HERE / "features")
                shutil.copy(TRUSTED, site / "app/ca.pem")
                try:
                    build(docker, here, site, IMAGE)
                    with deployed(here, site) as scripts:
                        _runs(here, scripts, mpi, folder, wanted, found)
                finally:
                    for tag in (IMAGE, IMAGE.replace(":", "-build:")):
                        call(docker, "docker", "rmi", tag)
    return {"runs": wanted.runs, "found": found}


def _runs(
    here: lab.Lab,
    scripts: Path,
    mpi: Mpi,
    folder: Path,
    wanted: argparse.Namespace,
    found: dict[str, dict[str, list[str]]],
) -> None:
    sides = {mpi.name: ("sh", scripts / "run.sh")}
    if wanted.bare and mpi.bare:
        inside = f'mpi-hostfile && exec /usr/bin/mpirun {" ".join(mpi.bare)} "$@"'
        run = ("docker", "run", "--rm", "--init", "--cap-drop", "ALL", "--network", "features_mpi")
        sides[f"{mpi.name}, bare"] = (*run, IMAGE, "sh", "-c", inside, "sh")
    chosen = [each for each in FEATURES if not wanted.feature or each.name in wanted.feature]
    for feature in chosen:
        for number in range(wanted.runs):
            for side, start in sides.items():
                name = f"{side}-{number}.bin".replace(" ", "").replace(",", "")
                words = [word.replace("FILE", f"{feature.file}/{name}") for word in feature.words]
                limit = ("timeout", "-k", "2", str(LIMIT))
                job = (*start, "-n", str(feature.ranks), *mpi.spread, *limit, *words)
                done = call(here.docker_host, *job, limit=2 * LIMIT)
                file = folder / name
                written = file.read_bytes() if file.exists() else b""
                how = judge(feature, done, written)
                found.setdefault(feature.name, {}).setdefault(side, []).append(how)
                if how in ("wrong", "hung") or wanted.verbose:
                    say(f"{side}, {feature.name}: {how}, status {done.code}\n{done.text[-1500:]}")
        counts = {side: Counter(found[feature.name][side]) for side in sides}
        say(f"{feature.name}: " + "; ".join(f"{side}: {dict(c)}" for side, c in counts.items()))


def report(found: dict[str, Any]) -> list[str]:
    """The table."""
    lines = ["", f"{found['runs']} runs each, three nodes: right, refused, wrong, hung"]
    for feature, sides in found["found"].items():
        lines += [f"  {feature}"]
        for side, ends in sides.items():
            count = Counter(ends)
            numbers = "".join(f"{count[how]:6}" for how in ("right", "refused", "wrong", "hung"))
            lines += [f"    {side:20}{numbers}"]
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="runs of each (10)")
    parser.add_argument("--lab", default="features", help="the lab's name")
    parser.add_argument("--bare", action="store_true", help="without mpi-rank as well")
    parser.add_argument("--mpi", action="append", help="one of the MPIs alone, as 'Open MPI 5'")
    parser.add_argument("--feature", action="append", help="one of the features alone")
    parser.add_argument("--verbose", action="store_true", help="show what every run printed")
    main(parser, measure, report)
