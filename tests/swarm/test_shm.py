"""/dev/shm, over which ranks of one container talk: what happens where it is too small."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpigen.lab import base, engine, lab
from tests.swarm.conftest import Cluster, Done, call, check, deployed, make_site

PROGRAM = Path(__file__).with_name("neighbours.cpp")
MAKEFILE = """\
install:
\tmkdir -p $(BINDIR)
\tmpicxx -O2 -o $(BINDIR)/neighbours neighbours.cpp
"""
TEXT = """\
name: shm
app: {source: app, check: neighbours}
network: {subnet: 10.88.0.0/24}
workers:
  - {name: roomy, replicas: 1, slots: 16}
  - {name: tight, replicas: 1, slots: 16, shm: 48m}
  - {name: tiny, replicas: 1, slots: 2, shm: 4m}
"""


@pytest.fixture(scope="module")
def cluster(
    the_lab: lab.Lab, lab_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    base.ensure(engine.local(), "debian:trixie-slim", print)
    folder = tmp_path_factory.mktemp("shm")
    (folder / "app").mkdir()
    (folder / "app/Makefile").write_text(MAKEFILE)
    check("cp", PROGRAM, folder / "app")
    cluster = deployed(
        the_lab, make_site(folder, TEXT, program=False), "shm", lab_env, "shm:latest"
    )
    yield cluster
    assert cluster.script("down.sh").code == 0


def job(cluster: Cluster, group: str) -> Done:
    """All ranks of one container send to one another at once."""
    words = ("run", "-o", cluster.output, "-w", group, "--", "neighbours")
    return call(sys.executable, "-m", "mpigen", *words, env=cluster.env)


def test_the_default_is_enough_for_every_rank_of_a_container(cluster: Cluster) -> None:
    done = job(cluster, "roomy")
    assert (done.code, done.out) == (0, "well\n"), done.err


def test_one_that_is_too_small_ends_the_job_with_a_bus_error(cluster: Cluster) -> None:
    done = job(cluster, "tight")
    assert done.code == 128 + signal.SIGBUS
    assert "signal 7 (Bus error)" in done.err


def test_one_that_has_no_room_for_a_single_rank_is_told_of(cluster: Cluster) -> None:
    assert "there is not enough space for /dev/shm" in job(cluster, "tiny").err
