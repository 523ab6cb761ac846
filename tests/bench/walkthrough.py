"""The published walk-through's MPI cluster against mpigen's, on one lab, in one run: `make bench`.

Three questions: does an allreduce over 3 nodes end, how long is it from nothing to the first right
job, and how long do 8 bytes take between two containers of one node? Exit code 0: measured,
whatever the answer; 3: not measured.
"""

import argparse
import os
import platform
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import harness
import start
from sides import (
    CREATE,
    NETWORK,
    RECIPE,
    Done,
    build,
    call,
    compiled,
    deployed,
    make_site,
    must,
    recipe,
    say,
)

from mpigen.errors import ClusterError
from mpigen.lab import base, engine, lab

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LAB = "bench"
BASE = "debian:trixie-slim"
PARTS = {"hang": "walkthrough", "start": "walkthrough", "pingpong": "pingpong"}
"""The questions, and the site that each is asked of."""
LIMIT = 60  # seconds that the walk-through's job gets
PINGPONG_SITE = """\
name: pp
image: {tag: "mpigen-bench-pp:latest"}
app: {source: app}
network: {subnet: 10.78.0.0/24}
workers:
  - {name: worker, replicas: 2, slots: 1, constraints: ["node.hostname == node-1"]}
"""


def measure_hang(here: lab.Lab, site: Path, attempts: int) -> dict[str, Any]:
    """Both sides run the reference program, 8 ranks on 4 containers on 3 nodes, so many times."""
    mpirun = "mpirun -n 8 --allow-run-as-root --hostfile ./hostfile ./a.out"
    theirs, ours = [], []
    binary = compiled(here.docker_host, ROOT / "app" / "hello.cpp", site)
    for number in range(1, attempts + 1):  # each in new containers: nothing is left of the last
        with recipe(here, binary) as made:
            say(f"attempt {number} of {attempts}: the walk-through's mpirun, for {LIMIT} s at most")
            theirs.append(_ended(made[0].run(f"timeout -k 10 {LIMIT} {mpirun}")))
    with deployed(here, site) as scripts:
        for number in range(1, attempts + 1):
            say(f"attempt {number} of {attempts}: mpigen's run.sh hello")
            run = ("sh", scripts / "run.sh", "hello")
            ours.append(_ended(call(here.docker_host, *run, limit=LIMIT)))
    return {"walk-through": theirs, "mpigen": ours}


def _ended(done: Done) -> dict[str, Any]:
    hosts = re.findall(r"Size: 8, Rank: \d, Host: (\S+)", done.text)
    if len(set(hosts)) < 2:  # not the failure that is asked about; an abort may cut off some lines
        raise ClusterError(f"ranks on {set(hosts)}, code {done.code}:\n{done.text[-2000:]}")
    if done.code in (124, 137):  # stopped by TERM, or by KILL if that did not help
        result = f"timed out after {LIMIT} s"
    elif done.code == 0 and "Allreduce over 8 ranks: correct" in done.text:
        result = "allreduce correct"
    else:
        result = "aborted by MPI"
    return {
        "result": result,
        "seconds": round(done.seconds, 2),
        "code": done.code,
        "ranks": len(hosts),
        "text": done.text,
    }


def measure_pingpong(here: lab.Lab, site: Path, runs: int, seconds: float) -> dict[str, Any]:
    """Microseconds of each repetition of each side, in turn, never two at a time."""
    overlay = "{{(index .IPAM.Config 0).Subnet}}"
    inspect = ("docker", "network", "inspect", "--format", overlay, NETWORK)
    subnet = must(here.docker_host, *inspect)
    binary = compiled(here.docker_host, HERE / "pingpong" / "pingpong.cpp", site)
    with recipe(here, binary) as made, deployed(here, site) as scripts:
        made[0].run(f"printf '%s slots=1\\n' {made[0].address} {made[1].address} > pair")
        cured = f"mpirun -n 2 --allow-run-as-root --mca btl_tcp_if_include {subnet}"
        rest = f"--hostfile ./pair ./a.out {seconds}"
        run = ("sh", scripts / "run.sh", "-n", "2", "pingpong", str(seconds))
        sides: dict[str, Callable[[], Done]] = {
            "walk-through": lambda: made[0].run(f"timeout -k 10 60 {cured} {rest}"),
            "walk-through, --bind-to none": lambda: made[0].run(
                f"timeout -k 10 60 {cured} --bind-to none {rest}"
            ),
            "mpigen": lambda: call(here.docker_host, *run, limit=90),
        }
        found: dict[str, list[float]] = {side: [] for side in sides}
        busy = []
        for number in range(1, runs + 1):
            for side, job in sides.items():
                busy.append(_busy())
                done = job()
                line = re.search(
                    r"one way: (\S+) us, exchanges: (\d+), hosts: (\S+) (\S+)", done.text
                )
                if done.code or not line or line[3] == line[4]:
                    raise ClusterError(f"{side}: ended with {done.code}\n{done.text[-2000:]}")
                found[side].append(float(line[1]))
                say(f"run {number} of {runs}: {side}: {line[1]} us ({line[2]} exchanges)")
    return {"subnet": subnet, "seconds": seconds, "us": found, "busy": busy}


def _busy() -> float:
    """How many cores others keep busy, now that nothing of ours runs; over half a second."""

    def ticks() -> list[int]:
        line = Path("/proc/stat").read_text("utf-8").splitlines()[0]
        return [int(word) for word in line.split()[1:9]]

    before = ticks()
    time.sleep(0.5)
    spent = [now - then for now, then in zip(ticks(), before, strict=True)]
    idle = spent[3] + spent[4]  # idle, iowait: proc_stat(5)
    return (1 - idle / max(1, sum(spent))) * (os.cpu_count() or 1)


def machine(here: lab.Lab, docker: str) -> dict[str, Any]:
    """What it was measured on."""
    versions = ("docker", "version", "--format", "{{.Server.Version}}")
    mpirun = ("docker", "run", "--rm", RECIPE, "mpirun", "--version")
    return {
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "engine": must(docker, *versions),
        "engine of the nodes": must(here.docker_host, *versions),
        "mpi": must(docker, *mpirun).splitlines()[0],
    }


def report(found: dict[str, Any]) -> str:
    """The tables."""
    on = found["machine"]
    lines = [
        f"machine       {on['cores']} cores, Linux {on['kernel']}, load {on['load']:.1f} before",
        f"engine        {on['engine']}; in the lab's 3 nodes {on['engine of the nodes']}",
        f"both sides    {BASE}, {on['mpi']}, the same source, compiled with -O2",
        "walk-through  docker run of 4 containers (2 + 1 + 1), root by ssh, hostfile of addresses",
        "mpigen        rendered, build.sh, deployed, and the job by run.sh",
    ]
    if "hang" in found:
        lines += ["", "Allreduce, 8 ranks in 4 containers on 3 nodes: every attempt"]
        lines += [f"  {'':14}{'seconds':>8}{'exit':>6}{'ranks heard':>13}  result"]
        for side, attempts in found["hang"].items():
            for end in attempts:
                numbers = f"{end['seconds']:8.1f}{end['code']:6}{end['ranks']:13}"
                lines += [f"  {side:14}{numbers}  {end['result']}"]
        for side, attempts in found["hang"].items():
            results = Counter(end["result"] for end in attempts)
            counts = ", ".join(f"{n} of {len(attempts)} {what}" for what, n in results.items())
            lines += [f"  {side}: {counts}"]
        theirs, ours = (
            [end["seconds"] for end in attempts if end["result"].startswith(start)]
            for attempts, start in zip(
                found["hang"].values(), ("timed out", "allreduce"), strict=True
            )
        )
        if theirs and ours:
            ratio = median(theirs) / median(ours)
            lines += [f"  Ratio, timed out to correct: more than {ratio:.0f}"]
        else:
            lines += ["  There is no ratio: the walk-through did NOT hang, or mpigen's job FAILED"]
    if "pingpong" in found:
        us, others = found["pingpong"]["us"], median(found["pingpong"]["busy"])
        lines += [
            "",
            f"8 bytes, 2 ranks in 2 containers of one node: us one way, {len(us['mpigen'])}"
            f" interleaved runs of {found['pingpong']['seconds']:g} s",
            f"  {'':30}{'median':>10}{'min':>10}{'max':>10}{'ratio':>8}",
        ]
        for side, times in us.items():
            numbers = "".join(f"{value:10.2f}" for value in (median(times), min(times), max(times)))
            ratio = median(times) / median(us["mpigen"])
            lines += [f"  {side:30}{numbers}{ratio:8.1f}"]
        lines += [
            f"  Before a run, others kept {others:.1f} cores busy (median).",
            "  The walk-through's hang is cured here, and nothing else of it changed, by --mca",
            f"  btl_tcp_if_include {found['pingpong']['subnet']}; slots=1, for one rank in each.",
            "  --bind-to none is no part of the recipe: it shows how much of the ratio is binding.",
        ]
    if "start" in found:
        lines += start.report(found["start"])
    return "\n".join(lines)


def measure(only: str | None, attempts: int, runs: int, seconds: float) -> dict[str, Any]:
    """All that is found. Raises ClusterError for what cannot be measured."""
    load = os.getloadavg()[0]
    client = engine.ensure(say)
    docker = engine.local_endpoint().url
    if lab.find(LAB):
        raise ClusterError(f"the lab {LAB} is up", f"Take it down: mpigen lab down --name {LAB}")
    tags = {"walkthrough": "mpigen-bench-mpi:latest", "pingpong": "mpigen-bench-pp:latest"}
    texts = {"walkthrough": (ROOT / "mpigen.yaml").read_text("utf-8"), "pingpong": PINGPONG_SITE}
    # the nodes have Docker 26.1
    texts["walkthrough"] += (
        f'image: {{tag: "{tags["walkthrough"]}"}}\nengine: {{minimum: "25.0"}}\n'
    )
    apps = {"walkthrough": ROOT / "app", "pingpong": HERE / "pingpong"}
    parts = [only] if only else list(PARTS)
    try:
        base.ensure(client, BASE, say)
        here = lab.up(LAB, 3, say)
        say(f"building {RECIPE}")
        must(docker, "docker", "build", "--tag", RECIPE, HERE / "recipe")
        lab.load(here, RECIPE, say)
        must(here.docker_host, *CREATE)
        found: dict[str, Any] = {"machine": {**machine(here, docker), "load": load}}
        with tempfile.TemporaryDirectory(prefix="mpigen-bench-") as scratch:
            sites: dict[str, Path] = {}
            for part in parts:
                kind = PARTS[part]
                if kind not in sites:
                    sites[kind] = make_site(Path(scratch, kind), texts[kind], apps[kind])
                    build(docker, here, sites[kind], tags[kind])
                if part == "hang":
                    found[part] = measure_hang(here, sites[kind], attempts)
                elif part == "start":
                    program = ROOT / "app" / "hello.cpp"
                    found[part] = start.measure(here, sites[kind], program, attempts)
                else:
                    found[part] = measure_pingpong(here, sites[kind], runs, seconds)
        return found
    finally:
        for tag in (RECIPE, *tags.values(), *(t.replace(":", "-build:") for t in tags.values())):
            call(docker, "docker", "rmi", tag)
        lab.down(LAB, say)


def main() -> None:
    """Bring up the lab, measure, report; take all down, however it ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--attempts", type=int, default=5, help="at the allreduce and the start, each side (5)"
    )
    parser.add_argument("--runs", type=int, default=7, help="repetitions of the ping-pong (7)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each repetition (2)")
    parser.add_argument("--only", choices=list(PARTS), help="one of the questions")

    def wanted(asked: argparse.Namespace) -> dict[str, Any]:
        if min(asked.runs, asked.attempts) < 1:
            parser.error("--runs and --attempts must be at least 1")
        return measure(asked.only, asked.attempts, asked.runs, asked.seconds)

    harness.main(parser, wanted, lambda found: [report(found)])


if __name__ == "__main__":
    main()
