"""From nothing deployed to the first right job of 8 ranks: the walk-through's steps, and ours.

Ours are `docker stack deploy` and run.sh, whose job waits for the workers.
"""

import time
from pathlib import Path
from statistics import median
from typing import Any

from sides import CREATE, NETWORK, Done, call, compiled, must, recipe, say

from mpigen.errors import ClusterError
from mpigen.lab import lab

STACK = "mpi"
LIMIT = 60  # seconds that a job gets


def measure(here: lab.Lab, site: Path, program: Path, attempts: int) -> dict[str, Any]:
    """Seconds until all is ready, and of the first job, of each side in turn.

    Both make their network, and have their image on every node and their program compiled. The
    walk-through's steps are done by this program, with no pause; its job gets the overlay's subnet,
    or it would hang.
    """
    overlay = "{{(index .IPAM.Config 0).Subnet}}"
    inspect = ("docker", "network", "inspect", "--format", overlay, NETWORK)
    stack = site / "output" / "stack.yml"
    deploy = ("docker", "stack", "deploy", "--detach=true", "-c", stack, STACK)
    scripts = site / "output" / "scripts"
    binary = compiled(here.docker_host, program, site)
    found: dict[str, list[dict[str, float]]] = {"walk-through": [], "mpigen": []}
    for number in range(1, attempts + 1):
        say(f"start {number} of {attempts}: the walk-through's steps")
        must(here.docker_host, "docker", "network", "rm", NETWORK)
        began = time.monotonic()
        must(here.docker_host, *CREATE)
        with recipe(here, binary) as made:
            ready = time.monotonic() - began
            cured = f"--mca btl_tcp_if_include {must(here.docker_host, *inspect)}"
            mpirun = f"mpirun -n 8 --allow-run-as-root {cured} --hostfile ./hostfile ./a.out"
            job = _right(made[0].run(f"timeout -k 10 {LIMIT} {mpirun}"))
        found["walk-through"].append({"ready": ready, "job": job.seconds})
        say(f"start {number} of {attempts}: docker stack deploy and run.sh")
        began = time.monotonic()
        try:
            must(here.docker_host, *deploy)
            ready = time.monotonic() - began
            job = _right(call(here.docker_host, "sh", scripts / "run.sh", "hello", limit=LIMIT))
        finally:
            must(here.docker_host, "sh", scripts / "down.sh")
        found["mpigen"].append({"ready": ready, "job": job.seconds})
    return found


def _right(done: Done) -> Done:
    if done.code or "Allreduce over 8 ranks: correct" not in done.text:
        raise ClusterError(f"the job ended with {done.code}:\n{done.text[-2000:]}")
    return done


def report(found: dict[str, list[dict[str, float]]]) -> list[str]:
    """The table."""
    attempts = len(found["mpigen"])
    whole = {
        side: median(each["ready"] + each["job"] for each in times) for side, times in found.items()
    }
    lines = [
        "",
        f"From nothing deployed to the first right job of 8 ranks: seconds, {attempts} interleaved",
        f"  {'':14}{'made':>8}{'job':>8}{'whole':>8}{'min':>8}{'max':>8}{'ratio':>8}",
    ]
    for side, times in found.items():
        sums = [each["ready"] + each["job"] for each in times]
        parts = [median(each[part] for each in times) for part in ("ready", "job")]
        numbers = "".join(f"{n:8.1f}" for n in (*parts, whole[side], min(sums), max(sums)))
        lines.append(f"  {side:14}{numbers}{whole[side] / whole['mpigen']:8.2f}")
    return [
        *lines,
        "  The walk-through's steps are made by a script, with no pause, its program compiled and",
        "  its image there before, and its hang cured. Ours: docker stack deploy, then run.sh:",
        "  its job waits for the workers; rendered with engine.minimum 25.0.",
    ]
