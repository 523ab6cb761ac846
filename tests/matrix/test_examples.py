"""The example sites on a real Swarm: each gives the result that is known."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpigen.lab import base, engine, lab
from tests.swarm.conftest import ROOT, TRUSTED, Cluster, check, make_site

pytestmark = pytest.mark.long
# what this machine trusts: the build stage may need it to reach the package index


@pytest.fixture
def cluster(request: pytest.FixtureRequest, newest: lab.Lab, tmp_path: Path) -> Iterator[Cluster]:
    """An example, built anew with keys of its own, and deployed."""
    name = request.param
    base.ensure(engine.local(), "debian:trixie-slim", print)
    site = tmp_path / name
    site.mkdir()
    check("cp", "-R", ROOT / "examples" / name / "app", site / "app")
    text = (ROOT / "examples" / name / "mpigen.yaml").read_text("utf-8")
    if name == "python":
        check("cp", TRUSTED, site / "ca.pem")
        text += "image: {ca: ca.pem}\n"
    output = make_site(site, text, program=False)
    check("sh", output / "scripts/build.sh", timeout=1200)
    lab.load(newest, f"{name}:latest", print)
    made = Cluster(name, output, {"DOCKER_HOST": newest.docker_host})
    try:
        done = made.script("deploy.sh")
        assert done.code == 0, done.out + done.err
        yield made
    finally:
        # the next one has the same subnet
        assert made.script("down.sh").code == 0


def of(name: str) -> pytest.MarkDecorator:
    """The example that a test is about."""
    return pytest.mark.parametrize("cluster", [name], indirect=True)


@of("python")
def test_python_finds_its_script_and_its_packages(cluster: Cluster) -> None:
    printed = cluster.run("python", "pi.py")
    assert "pi is 3.1415926536\n" in printed
    assert len(set(re.findall(r"Host: (\S+)", printed))) == 4


@of("fortran")
def test_fortran_has_its_threads(cluster: Cluster) -> None:
    printed = cluster.run("ring")
    assert len(re.findall(r"^Size: 6, Rank: \d, Threads: 2, Host: worker-\d$", printed, re.M)) == 6
    assert "the token has been everywhere: 15\n" in printed
    assert "Threads: 3," in cluster.run("-genv", "OMP_NUM_THREADS", "3", "ring")


@of("lammps")
def test_lammps_and_netpipe_give_what_is_known(cluster: Cluster) -> None:
    printed = cluster.run("lmp", "-in", "/opt/app/bin/melt.in", "-log", "none")
    # bench/log.*.lj.fixed.* of LAMMPS: temperature, pair energy, total energy after 100 steps
    (line,) = re.findall(r"^ +100 +(.*)$", printed, re.M)
    temperature, pair, _, total, _ = map(float, line.split())
    assert (temperature, pair, total) == pytest.approx(
        (0.7574531, -5.7585055, -4.6223613), abs=1e-5
    )
    assert "with 8 procs" in printed or "on 8 procs" in printed
    # NetPIPE prints its figures as errors
    done = cluster.script("run.sh", "-n", "2", "--map-by", "node", "NPopenmpi", "-u", "65536")
    lines = re.findall(r"^ *\d+: +(\d+) bytes .* Mbps in +[\d.]+ usec$", done.err, re.M)
    assert done.code == 0 and "65536" in lines, done.out + done.err
