"""The test suite of mpi4py on a real Swarm, on each MPI.

A test of mpi4py that fails in a cluster of mpigen's alone is a fault of mpigen's; one that fails
with a bare mpirun too, in one container of the same image, is the MPI's or the suite's.
"""

import json
import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mpigen.lab import base, engine, lab
from tests.figures import figure
from tests.swarm.conftest import ROOT, TRUSTED, Cluster, Done, call, check, deployed, make_site

pytestmark = pytest.mark.long
MPI4PY = "mpi4py==4.1.2"
MPIGEN = (sys.executable, "-m", "mpigen")
DEBIAN_12, DEBIAN_13 = "debian:bookworm-slim", "debian:trixie-slim"
MPIS = {
    "Debian 13's Open MPI": (DEBIAN_13, {"implementation": "openmpi"}),
    "Debian 13's MPICH": (DEBIAN_13, {"implementation": "mpich"}),
    "Debian 12's Open MPI": (DEBIAN_12, {"implementation": "openmpi"}),
    "Open MPI 5.0.11": (DEBIAN_13, {"implementation": "openmpi", "version": "5.0.11"}),
    "MPICH 5.0.2": (DEBIAN_13, {"implementation": "mpich", "version": "5.0.2"}),
    "Intel MPI": (DEBIAN_13, {"implementation": "intel", "version": "2021.19.0"}),
}
# Not run, on neither side: why
ELSEWHERE = {
    "*test_io.*World*": "its ranks write one file in /tmp, which hosts do not share",
}
# Crashes of Open MPI's ROMIO, which mpigen selects: docs/files.md says how to run these calls
CRASHES = (
    "test_io.TestIOBasicSelf.testIReadIWriteAll",
    "test_io.TestIOBasicSelf.testIReadIWriteAtAll",
)
# Of our side: on nodes with many processes waiting ranks sleep, and this suite always waits.
AWAKE = "OMPI_MCA_threads_pthreads_yield_strategy=sched_yield"
MINUTES = 60  # of one run of the suite
ROUNDS = 6  # what hung or crashed is left out of the next one
FEW = 20  # tests that are run again, alone
LINE = re.compile(r"@ (\d+) (began|passed|failed|skipped) (.+)$", re.MULTILINE)
ORDER = ("skipped", "passed", "began", "failed")
BAD = ("began", "failed", "not run")
Run = Callable[..., Done]


@dataclass(frozen=True)
class Suite:
    """mpi4py's suite on one MPI, by mpigen in a cluster and by a bare mpirun."""

    cluster: Cluster
    image: str
    open_mpi: bool

    @property
    def crashes(self) -> tuple[str, ...]:
        """Tests of which it is known and documented that they crash with mpigen's parameters."""
        return CRASHES if self.open_mpi else ()

    def ours(self, *words: str, minutes: int = MINUTES, options: tuple[str, ...] = ()) -> Done:
        """On three hosts, by `mpigen run`, with these options of mpirun."""
        env = ("--env", AWAKE) if self.open_mpi else ()
        own = ("-o", self.cluster.output, "--timeout", f"{minutes}m", *env)
        command = (*MPIGEN, "run", *own, "--", *options, "python", "tell.py", *words)
        return call(*command, env=self.cluster.env, timeout=60 * minutes + 120)

    def bare(self, *words: str, minutes: int = MINUTES) -> Done:
        """In one container, by the MPI's own mpirun without mpigen's parameters."""
        run = ("docker", "run", "--rm", "--init", "--entrypoint")
        whole = 'TELL_IN=/tmp timeout "$@"; code=$?; cat /tmp/told.*; exit $code'
        conf = check(*run, "cat", self.image, "/etc/mpi/cluster.conf", env=self.cluster.env)
        (mpirun,) = re.findall(r"^mpirun = (.+)$", conf, re.MULTILINE)
        options = ("--oversubscribe",) if self.open_mpi else ()
        limit = ("--kill-after=10", f"{minutes}m", mpirun, *options, "-n", "3")
        command = (*run, "sh", self.image, "-c", whole, "sh", *limit, "python", "tell.py", *words)
        return call(*command, env=self.cluster.env, timeout=60 * minutes + 120)


@pytest.fixture
def suite(request: pytest.FixtureRequest, newest: lab.Lab, tmp_path: Path) -> Iterator[Suite]:
    """The suite from PyPI in the image of a cluster with an MPI."""
    image, mpi = MPIS[request.param]
    base.ensure(engine.local(), image, print)
    fetch = ("download", "--no-deps", "--no-binary", "mpi4py", "--dest", tmp_path, MPI4PY)
    check(sys.executable, "-m", "pip", *fetch, timeout=600)
    (packed,) = tmp_path.glob("mpi4py-*.tar.gz")
    shutil.unpack_archive(packed, tmp_path, filter="data")
    (tests,) = tmp_path.glob("mpi4py-*/test")
    site = tmp_path / "site"
    shutil.copytree(tests, site / "suite")
    shutil.copy(ROOT / "tests/matrix/suites/tell.py", site / "suite/tell.py")
    shutil.copy(TRUSTED, site / "ca.pem")
    tag = "suites:x"
    text = {
        "name": "suites",
        "app": {"source": "suite", "python": [MPI4PY, "numpy"]},
        "image": {"base": image, "tag": tag, "ca": "ca.pem"},
        "mpi": mpi,
        "network": {"subnet": "10.93.0.0/24"},
        "workers": [{"name": "worker", "replicas": 3, "slots": 1, "max_per_node": 1}],
    }
    output = make_site(site, json.dumps(text), program=False)
    made = deployed(newest, output, "suites", {"DOCKER_HOST": newest.docker_host}, tag)
    yield Suite(made, tag, mpi["implementation"] == "openmpi")
    assert made.script("down.sh").code == 0


def outcomes(text: str) -> dict[str, str]:
    """The worst outcome that a rank has had of each test; "began" is one that never ended."""
    last = {(rank, test): outcome for rank, outcome, test in LINE.findall(text)}
    found: dict[str, str] = {}
    for (_, test), outcome in last.items():
        found[test] = max(found.get(test, ORDER[0]), outcome, key=ORDER.index)
    return found


def all_outcomes(run: Run, without: tuple[str, ...]) -> dict[str, str]:
    """Those of the whole suite: what hung or crashed is left out, and the rest is run again."""
    found: dict[str, str] = {}
    # with a `*` in it, mpi4py takes the pattern as it is
    left_out = [*ELSEWHERE, *(f"*{test}" for test in without)]
    for _ in range(ROUNDS):
        done = run(*(word for name in left_out for word in ("-x", name)))
        new = outcomes(done.out)
        assert "passed" in new.values(), f"no test was run\n{done.out[-3000:]}{done.err[-3000:]}"
        found |= new
        unended = [test for test, outcome in new.items() if outcome == "began"]
        if not unended:
            return found
        left_out += [f"*{test}" for test in unended]
    raise AssertionError(f"still something hangs in the last of {ROUNDS} runs: {unended}")


@pytest.mark.parametrize("suite", MPIS, indirect=True)
def test_mpi4pys_own_suite_finds_nothing_that_a_bare_mpirun_has_not(
    suite: Suite, request: pytest.FixtureRequest
) -> None:
    name = request.node.callspec.id
    bare = all_outcomes(suite.bare, suite.crashes)
    ours = all_outcomes(suite.ours, suite.crashes)
    for side, found in (("bare mpirun", bare), ("mpigen", ours)):
        counted = Counter(found.values())
        shown = ", ".join(f"{counted[each]} {each}" for each in reversed(ORDER) if counted[each])
        figure(f"mpi4py's suite, {name}, {side}: {shown.replace('began', 'not ended')}")
    both = sorted(test for test in ours if ours[test] in BAD and bare.get(test) in BAD)
    figure(f"mpi4py's suite, {name}, on both sides: {' '.join(both) or 'nothing'}")
    alone = sorted(
        test
        for test, outcome in bare.items()
        if outcome not in BAD and ours.get(test, "not run") in BAD
    )
    assert len(alone) <= FEW, f"{len(alone)} fail with mpigen alone: {alone}"
    again = []
    for test in alone:
        outcome = outcomes(suite.ours(test, minutes=15).out).get(test, "not run")
        figure(f"mpi4py's suite, {name}: {test} {ours[test]}, again by itself: {outcome}")
        if outcome in BAD:
            again.append(test)
    assert again == []


@pytest.mark.parametrize("suite", ["Debian 13's Open MPI", "Debian 12's Open MPI"], indirect=True)
def test_what_crashes_by_romio_runs_by_ompio(suite: Suite) -> None:
    """The way out that docs/files.md shows; the first half fails once ROMIO does it."""
    for test in CRASHES:
        crashed = suite.ours(test, minutes=15)
        assert outcomes(crashed.out) == {test: "began"} and crashed.code, crashed.out + crashed.err
    done = suite.ours(*CRASHES, minutes=15, options=("--mca", "io", "ompio"))
    assert outcomes(done.out) == dict.fromkeys(CRASHES, "passed"), done.out + done.err
