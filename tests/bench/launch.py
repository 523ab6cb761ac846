"""How long it takes to start ranks: `mpirun true` on many containers, and a job of a warm cluster.

scale: our mpirun against the real one with a hostfile and an interface, and with no setting of
mpigen's, in the same container, on 120 workers and then on fewer. warm: `mpigen run` of 8 ranks to
its first line, split, against a bare `mpirun` inside a worker.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean, median
from typing import Any

from harness import Bench, Found, Worker, about, in_turn, machine, main, on_lab
from sides import call, must, say

from mpigen.errors import ClusterError
from mpigen.lab import engine

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "mpigen-bench-many:latest"
MANY = f"""\
name: many
app: {{{{source: app}}}}
image: {{{{tag: "{IMAGE}"}}}}
engine: {{{{minimum: "25.0"}}}}
network: {{{{nodes: 3}}}}
workers: [{{{{name: worker, replicas: {{count}}, slots: 1, shm: 16m}}}}]
"""
WARM = f"""\
name: warm
app: {{source: app}}
image: {{tag: "{IMAGE}"}}
engine: {{minimum: "25.0"}}
workers: [{{name: worker, replicas: 4, slots: 2}}]
"""
LIMIT = 60  # seconds that a job gets
# what the real mpirun is told: the workers' files name what starts a rank or a daemon, so it is
# told its own
PLAIN = (
    *("--hostfile", "/tmp/hosts", "--prtemca", "prte_if_include", "eth0"),
    *("--prtemca", "odls_base_exec_agent", "/usr/bin/env"),
    *("--prtemca", "prte_launch_agent", "prted", "--prtemca", "plm_ssh_num_concurrent", "128"),
    *("--prtemca", "plm_ssh_no_tree_spawn", "0"),
)
STAY = "exec sleep infinity"
# ends the logins that an mpirun before has kept
FORGET = "for each in /run/mpi/login-*; do ssh -O exit -o ControlPath=$each host; done"
# with none of mpigen's settings
EMPTY = "for each in /run/mpi/*-params.conf; do : > $each; done; exec sleep infinity"


def outside(here: Bench, name: str, expect: str, then: str = STAY) -> Worker:
    """A container on the overlay that is no worker, as a job is."""
    run = ("run", "--detach", "--init", "--cap-drop", "ALL", "--name", name)
    where = ("--network", f"{here.stack}_mpi", "--env", f"MPI_EXPECT={expect}")
    wait = ("--env", "MPI_WAIT=240", here.image, "sh", "-c", then)
    made = must(here.lab.docker_host, "docker", *run, *where, *wait)
    return Worker(here.lab.docker_host, made)


def seconds(start: Worker, *words: str) -> dict[str, float]:
    """Of a job that ends well."""
    done = start.run("timeout", "--kill-after=5", str(LIMIT), *words)
    say(f"{words[0]}: {done.seconds:.2f} s")
    if done.code:
        raise ClusterError(f"{words} ended with {done.code}:\n{done.text[-2000:]}")
    return {"seconds": done.seconds}


def perhaps(start: Worker, *words: str) -> dict[str, float]:
    """As `seconds`; a job that fails is told, and has taken all the time that it may."""
    try:
        return seconds(start, *words)
    except ClusterError as error:
        say(error.message[-1500:])
        return {"seconds": LIMIT, "failed": 1}


def one_count(here: Bench, count: int, runs: int) -> Found:
    """Seconds of each side on that many containers."""
    made: list[Worker] = []
    try:
        for name, then in (("launch-ours", STAY), ("launch-plain", EMPTY)):
            made.append(outside(here, name, f"worker={count}", then))
        ours, plain = made
        for start in made:
            done = start.run("sh", "-c", "mpi-hostfile /tmp/hosts && wc -l < /tmp/hosts", limit=300)
            if done.text.split()[-1:] != [str(count)]:
                raise ClusterError(f"the hostfile has not {count} lines: {done.text[-500:]}")

        def first() -> dict[str, float]:
            ours.run("sh", "-c", FORGET)
            return seconds(ours, "mpirun", "true")

        sides: dict[str, Callable[[], dict[str, float]]] = {
            "plain": lambda: perhaps(plain, "/usr/bin/mpirun", *PLAIN, "true"),
            "mpigen, first": first,
            "mpigen, again": lambda: seconds(ours, "mpirun", "true"),
            "hostfile alone": lambda: seconds(ours, "mpi-hostfile", "/tmp/own"),
            "docker exec": lambda: seconds(ours, "true"),
        }
        return in_turn(runs, sides)
    finally:
        for each in made:
            call(each.docker, "docker", "rm", "--force", each.id)


def measure_scale(wanted: argparse.Namespace) -> dict[str, Any]:
    """Seconds of `mpirun true`, by the number of containers."""
    counts = sorted(wanted.counts, reverse=True)
    found: dict[str, Any] = {}
    with on_lab("many", MANY.format(count=counts[0]), ROOT / "app", IMAGE) as here:
        on = machine(engine.local_endpoint().url, here.lab, IMAGE)
        for count in counts:
            say(f"{count} containers")
            scale = ("docker", "service", "scale", "--detach", f"many_worker={count}")
            must(here.lab.docker_host, *scale)
            runs = wanted.runs if count > 16 else 2 * wanted.runs
            found[str(count)] = one_count(here, count, runs)
    return {"machine": on, "counts": found}


def measure_warm(wanted: argparse.Namespace) -> dict[str, Any]:
    """Seconds of the parts of a warm job, and of `mpirun` in a worker."""
    with on_lab("warm", WARM, ROOT / "app", IMAGE) as here:
        on = machine(engine.local_endpoint().url, here.lab, IMAGE)
        docker = here.lab.docker_host
        first = here.worker("worker")
        start = outside(here, "launch-warm", "worker=4")

        mpigen = (sys.executable, "-m", "mpigen")
        ours = (*mpigen, "run", "-o", str(here.output), "--", "sh", "-c", RANK)
        try:
            sides: dict[str, Callable[[], dict[str, float]]] = {
                "mpirun in a worker": lambda: timed(
                    docker, first.command("mpirun", "sh", "-c", RANK)
                ),
                "mpigen run": lambda: timed(docker, ours, "warm"),
                "run.sh": lambda: timed(
                    docker, ("sh", str(here.output / "scripts/run.sh"), "sh", "-c", RANK), "warm"
                ),
                "hostfile alone": lambda: seconds(start, "mpi-hostfile", "/tmp/own"),
            }
            found = in_turn(wanted.runs, sides)
        finally:
            call(docker, "docker", "rm", "--force", "launch-warm")
    return {"machine": on, "seconds": found}


# rank 0 says when it begins; then the reference program runs
RANK = '[ "$OMPI_COMM_WORLD_RANK" != 0 ] || date +"began %s.%N"; exec hello'


def timed(docker: str, words: tuple[str, ...], stack: str = "") -> dict[str, float]:
    """Seconds from the command to rank 0's begin, its first line, and its end."""
    began = time.time()
    job = subprocess.Popen(
        words,
        env={**os.environ, "DOCKER_HOST": docker},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert job.stdout
    first = job.stdout.readline()
    line = time.time()
    text = first + job.stdout.read()
    code = job.wait()
    end = time.time()
    rank = re.search(r"began ([\d.]+)", text)
    if code or not rank or "Allreduce over 8 ranks: correct" not in text:
        raise ClusterError(f"{words[:3]} ended with {code}:\n{text[-2000:]}")
    found = {"first line": line - began, "rank 0": float(rank[1]) - began, "end": end - began}
    if stack:
        label = ("--filter", f"label=mpigen.stack={stack}", "--filter", "event=start")
        span = ("--since", f"{began:.3f}", "--until", f"{end:.3f}", "--format", "{{.TimeNano}}")
        times = must(docker, "docker", "events", *label, *span).split()
        found["container"] = int(times[-1]) / 1e9 - began
    return found


def measure(wanted: argparse.Namespace) -> dict[str, Any]:
    """All that is asked for."""
    found: dict[str, Any] = {}
    if wanted.only != "warm":
        found["scale"] = measure_scale(wanted)
    if wanted.only != "scale":
        found["warm"] = measure_warm(wanted)
    return found


def report(found: dict[str, Any]) -> list[str]:
    """The tables."""
    lines = about(next(iter(found.values()))["machine"])
    if "scale" in found:
        lines += ["", "mpirun true from a container on the overlay: seconds, interleaved runs"]
        heads = "".join(f"{head:>8}" for head in ("median", "min", "max", "mean"))
        lines += [f"  {'containers':>10}  {'':16}{heads}{'runs':>6}{'failed':>8}{'to plain':>10}"]
        for count, sides in found["scale"]["counts"].items():
            of = {side: values["seconds"] for side, values in sides.items()}
            base = median(of["docker exec"])
            for side, mine in of.items():
                numbers = (median(mine), min(mine), max(mine), mean(mine))
                shown = "".join(f"{number:8.2f}" for number in numbers)
                failed = len(sides[side].get("failed", []))
                ratio = (median(mine) - base) / (median(of["plain"]) - base)
                lines += [f"  {count:>10}  {side:16}{shown}{len(mine):6}{failed:8}{ratio:10.2f}"]
        lines += [
            "  plain: the real /usr/bin/mpirun, told hostfile and interface, and nothing else;",
            f"  a run that failed, or had not ended after {LIMIT} s, counts as {LIMIT} s;",
            "  mpigen: our mpirun, which asks each worker first (hostfile alone);",
            "  again: within 10 s, and so on up to 32 containers by the logins of the one before;",
            "  to plain: of the medians, both without docker exec's own",
        ]
    if "warm" in found:
        lines += warm(found["warm"]["seconds"])
    return lines


def warm(found: dict[str, dict[str, list[float]]]) -> list[str]:
    """The table of the warm job."""
    lines = [
        "",
        "A job of 8 ranks on 4 warm containers: seconds from the command, medians, interleaved",
    ]
    lines += [
        f"  {'':20}{'container':>10}{'rank 0':>8}{'1st line':>9}{'min':>8}{'max':>8}{'end':>8}"
    ]
    for side in ("mpirun in a worker", "mpigen run", "run.sh"):
        mine = found[side]
        made = f"{median(mine['container']):10.2f}" if "container" in mine else f"{'':10}"
        first = mine["first line"]
        numbers = (
            f"{median(first):9.2f}{min(first):8.2f}{max(first):8.2f}{median(mine['end']):8.2f}"
        )
        lines += [f"  {side:20}{made}{median(mine['rank 0']):8.2f}{numbers}"]
    ours, wait = found["mpigen run"], median(found["hostfile alone"]["seconds"])
    made, rank, end = (median(ours[each]) for each in ("container", "rank 0", "end"))
    over = median(ours["first line"]) - median(found["mpirun in a worker"]["first line"])
    return [
        *lines,
        f"  mpigen run: {made:.2f} s until its container starts, {wait:.2f} s wait (hostfile),",
        f"  {rank - made - wait:.2f} s launch until rank 0 begins, {end - rank:.2f} s run and end",
        f"  to its first line: {over:.2f} s over mpirun in a worker",
    ]


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument(
        "--runs", type=int, default=5, help="repetitions; twice on few containers (5)"
    )
    options.add_argument("--counts", type=int, nargs="+", default=[4, 16, 64, 120])
    options.add_argument("--only", choices=["scale", "warm"], help="one of the questions")
    main(options, measure, report)
