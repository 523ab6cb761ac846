"""A hundred jobs on two MPIs, a fifth interrupted at a random moment: nothing of them is left."""

import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from mpigen.lab import lab
from tests import leftovers
from tests.faults.conftest import assert_works
from tests.figures import figure
from tests.swarm.conftest import Cluster

pytestmark = pytest.mark.long

JOBS = 50  # on each MPI
INTERRUPTED = 10
# from before the container is there to after its ranks would have ended
LATEST = 5.0


@dataclass(frozen=True)
class Outcome:
    """How a job ended: its code, and the seconds from the signal to its end, if it got one."""

    code: int
    out: str
    err: str
    moment: float | None
    took: float

    @property
    def unborn(self) -> bool:
        """Whether Python itself was still starting: Ctrl-C then ends any program with 1."""
        return (
            self.code == 1
            and "KeyboardInterrupt" in self.err
            and "generator/mpigen/" not in self.err
        )


def run(cluster: Cluster, number: signal.Signals, moment: float | None) -> Outcome:
    """Run a job; with `moment`, interrupt it that many seconds after its start."""
    program = "sleep 0.2; echo there" if moment is None else "sleep 2; echo there"
    job = subprocess.Popen(
        [sys.executable, "-m", "mpigen", "run", "-o", cluster.output, "--", "sh", "-c", program],
        env={**os.environ, **cluster.env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    if moment is not None:
        time.sleep(moment)
        job.send_signal(number)
    began = time.monotonic()
    out, err = job.communicate(timeout=120)
    return Outcome(job.returncode, out, err, moment, time.monotonic() - began)


def test_nothing_is_left_of_fifty_jobs_of_which_ten_are_interrupted(
    cluster: Cluster, the_lab: lab.Lab, request: pytest.FixtureRequest
) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    leftovers.assert_none(the_lab)
    before = leftovers.networks(the_lab)
    moments: list[float | None] = [chance.uniform(0, LATEST) for _ in range(INTERRUPTED)]
    moments += [None] * (JOBS - INTERRUPTED)
    chance.shuffle(moments)
    signals = [chance.choice((signal.SIGINT, signal.SIGTERM, signal.SIGHUP)) for _ in moments]
    began = time.monotonic()
    # two at a time: a job is interrupted beside one that must not notice
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lambda *how: run(cluster, *how), signals, moments))
    took = time.monotonic() - began
    leftovers.assert_none(the_lab)
    left = time.monotonic() - began - took

    whole = [done for done in outcomes if done.moment is None]
    pairs = zip(outcomes, signals, strict=True)
    cut = [(done, number) for done, number in pairs if done.moment is not None]
    lost = [done for done in whole if (done.code, done.out) != (0, "there\n" * 8)]
    # one that had ended by itself before the signal, or that Python had not begun to run
    right = {number: (0, 128 + number, -number) for _, number in cut}
    wrong = [done for done, number in cut if done.code not in right[number] and not done.unborn]
    slowest = max(done.took for done, _ in cut)
    ended = sum(done.code != 0 for done, _ in cut)
    figure(
        f"{request.node.name}: seed {seed}; {JOBS} jobs in {took:.0f} s;"
        f" {len(lost)} of {len(whole)} lost;"
        f" {ended} of {len(cut)} interrupted before their end, the slowest gone after"
        f" {slowest:.1f} s; nothing left {left:.1f} s later"
    )
    assert (lost, wrong) == ([], []), f"seed {seed}"
    assert ended > 0
    assert leftovers.networks(the_lab) == before
    assert_works(cluster)
