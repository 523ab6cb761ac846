"""Numerical libraries on a real Swarm, by their own residuals: ScaLAPACK's testers, and HPCC."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from mpigen.lab import base, engine, lab
from tests.figures import figure
from tests.swarm.conftest import ROOT, Cluster, check, deployed, make_site, mpigen

pytestmark = pytest.mark.long
DEBIAN_13, DEBIAN_14 = "debian:trixie-slim", "debian:forky-slim"


class On(NamedTuple):
    """A base and one of its MPIs."""

    base: str
    mpi: str


MPIS = {
    "Debian 13's Open MPI": On(DEBIAN_13, "openmpi"),
    "Debian 13's MPICH": On(DEBIAN_13, "mpich"),
    "Debian 14's Open MPI": On(DEBIAN_14, "openmpi"),
    "Debian 14's MPICH": On(DEBIAN_14, "mpich"),
}
# each prints how many of its tests passed and failed, mostly by a residual
CHECKERS = ("xdlu", "xdllt", "xdqr", "xdinv", "xdtrd", "xdhrd", "xdbrd", "xzlu", "xzllt")
# Debian 14 has the libraries, and not the testers: those of 13 run with them
FETCH = """\
set -eu
cd /tmp
apt-get update -qq
apt-get download -qq scalapack-mpi-test scalapack-test-common
for each in *.deb; do dpkg -x "$each" /tmp/files; done
cd /tmp/files/usr
folder=$(dirname "$(find . -path "*/$1-tests/xdlu")")
tar -c --dereference -C "$folder" .
"""


@pytest.fixture
def scalapack(request: pytest.FixtureRequest, newest: lab.Lab, tmp_path: Path) -> Iterator[Cluster]:
    """ScaLAPACK's own testers, for four ranks on three nodes."""
    on = MPIS[request.param]
    for each in (DEBIAN_13, on.base):
        base.ensure(engine.local(), each, print)
    (tmp_path / "testers").mkdir()
    packed = tmp_path / "testers.tar"
    fetch = ("docker", "run", "--rm", "--interactive", DEBIAN_13, "sh", "-c", FETCH, "sh", on.mpi)
    with packed.open("wb") as file:
        subprocess.run(fetch, check=True, stdout=file, timeout=600)
    check("tar", "-x", "-f", packed, "-C", tmp_path / "testers")
    text = {
        "name": "scalapack",
        "image": {
            "base": on.base,
            "packages": [f"libscalapack-{on.mpi}2.2"],
            "tag": "scalapack:x",
        },
        "mpi": {"implementation": on.mpi},
        "app": {"source": "testers", "build": 'cp -R . "$BINDIR"'},
        "network": {"subnet": "10.94.0.0/24"},
        "workers": [{"name": "worker", "replicas": 4, "slots": 1}],
    }
    output = make_site(tmp_path, json.dumps(text), program=False)
    env = {"DOCKER_HOST": newest.docker_host}
    made = deployed(newest, output, "scalapack", env, "scalapack:x")
    yield made
    assert made.script("down.sh").code == 0


@pytest.mark.parametrize("scalapack", MPIS, indirect=True)
def test_no_residual_of_scalapack_is_too_large(
    scalapack: Cluster, request: pytest.FixtureRequest
) -> None:
    total = 0
    for checker in CHECKERS:
        report = scalapack.run("-n", "4", "sh", "-c", f"cd /opt/app/bin && exec ./{checker}")
        total += residuals(report, checker)
    name = request.node.callspec.id
    figure(f"ScaLAPACK on {name}: {total} residual checks of {len(CHECKERS)} programs passed")


def residuals(report: str, what: str) -> int:
    """The number of residual checks in a report, all of which must have passed."""
    passed = re.findall(r"(\d+) tests completed and passed residual checks", report)
    failed = re.findall(r"(\d+) tests completed and failed residual checks", report)
    assert passed and sum(map(int, passed)) > 0, f"{what} has checked nothing\n{report}"
    assert failed and sum(map(int, failed)) == 0, f"{what}\n{report}"
    return sum(map(int, passed))


@pytest.fixture
def hpcc(newest: lab.Lab, tmp_path: Path) -> Iterator[Cluster]:
    """The example, on Debian 14."""
    base.ensure(engine.local(), DEBIAN_14, print)
    example = ROOT / "examples/hpcc"
    shutil.copy(example / "hpccinf.txt", tmp_path)
    text = (example / "mpigen.yaml").read_text("utf-8")
    image = "image:\n"
    assert image in text
    text = text.replace(image, f"{image}  base: {DEBIAN_14}\n")
    output = make_site(tmp_path, text, program=False)
    made = deployed(newest, output, "hpcc", {"DOCKER_HOST": newest.docker_host}, "hpcc:latest")
    yield made
    assert made.script("down.sh").code == 0


def test_hpc_challenge_on_open_mpi_6(hpcc: Cluster, tmp_path: Path) -> None:
    check(*mpigen("push", hpcc.output, tmp_path / "hpccinf.txt"), env=hpcc.env)
    fetch = ("--fetch", "hpccoutf.txt", "--fetch-to", tmp_path, "--", "hpcc")
    check(*mpigen("run", hpcc.output, *fetch), env=hpcc.env, timeout=900)
    report = (tmp_path / "hpccoutf.txt").read_text("utf-8")
    assert "Success=1\n" in report and "FAILED" not in report
    figure(f"HPCC on Debian 14's Open MPI: {residuals(report, 'hpcc')} residual checks passed")
