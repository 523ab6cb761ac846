"""A base image that mpigen does not know: deploy says whether jobs use every host, or why not."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpigen.lab import base, engine, lab
from tests.figures import figure
from tests.swarm.conftest import Done, call, check, make_site, mpigen

pytestmark = pytest.mark.long

BASE = "site-os:1"
MPIS = ("openmpi", "mpich")
# an MPI that reads its parameters elsewhere
ELSEWHERE = """\
{% extends "builtin/Dockerfile.j2" %}
{% block files %}
{{ super() }}
RUN rm -f /etc/openmpi/*-mca-params.conf /etc/prrte/*-mca-params.conf
{% endblock %}
"""
# in place of MPICH's, which is told by its command line
DEAF = """\
{% extends "builtin/Dockerfile.j2" %}
{% block files %}
{{ super() }}
RUN sed -i s,/usr/local/bin/mpi-rank,env, /usr/local/bin/mpirun /usr/local/libexec/mpi/mpirun
{% endblock %}
"""


@pytest.fixture(scope="module")
def unknown() -> Iterator[str]:
    """Debian under another name."""
    local = engine.local()
    base.ensure(local, "debian:trixie-slim", print)
    local.images.get("debian:trixie-slim").tag(*BASE.split(":"))
    yield BASE
    local.images.remove(BASE)


def deploy(folder: Path, the_lab: lab.Lab, mpi: str, dockerfile: str = "") -> Done:
    """A site on the unknown base, by the commands that a user types."""
    if dockerfile:
        (folder / "templates").mkdir()
        (folder / "templates/Dockerfile.j2").write_text(dockerfile)
    text = f"name: own\nimage: {{base: '{BASE}'}}\nmpi: {{implementation: {mpi}}}\n"
    make_site(folder, f"{text}workers: [{{replicas: 4, slots: 2}}]\n", program=False)
    check(*mpigen("build", folder / "output", "--lab", the_lab.name), timeout=600)
    return call(*mpigen("deploy", folder / "output"), env={"DOCKER_HOST": the_lab.docker_host})


@pytest.mark.parametrize("mpi", MPIS)
def test_a_base_that_is_like_debian_is_tried(
    unknown: str, the_lab: lab.Lab, lab_env: dict[str, str], tmp_path: Path, mpi: str
) -> None:
    done = deploy(tmp_path, the_lab, mpi)
    try:
        assert done.code == 0, done.err
        assert "trying one rank on each of 4 hosts\n" in done.err
        assert "next: " in done.out
        # what deploy.sh names, which tries nothing
        script = tmp_path / "output/scripts/deploy.sh"
        said = check("sh", script, env=lab_env)
        (command,) = re.findall(r"^next: (.*)$", said, re.M)
        began = time.monotonic()
        printed = check("sh", "-c", command, env=lab_env)
        figure(f"{mpi}: one rank on each of 4 hosts in {time.monotonic() - began:.1f} s")
        assert sorted(printed.split()) == [f"worker-{n}" for n in (1, 2, 3, 4)]
    finally:
        check(*mpigen("down", tmp_path / "output"), env=lab_env)


@pytest.mark.parametrize(
    ("mpi", "dockerfile", "said"),
    [
        ("openmpi", ELSEWHERE, "see above"),
        ("mpich", DEAF, "mpirun: no rank has begun, but /usr/bin/mpirun ended with 0: "),
    ],
    ids=["openmpi", "mpich"],
)
def test_a_base_whose_mpi_reads_its_parameters_elsewhere_is_no_success(
    unknown: str,
    the_lab: lab.Lab,
    lab_env: dict[str, str],
    tmp_path: Path,
    mpi: str,
    dockerfile: str,
    said: str,
) -> None:
    done = deploy(tmp_path, the_lab, mpi, dockerfile)
    try:
        assert done.code == 1, done.out + done.err
        assert "worker: 4 containers on 3 nodes" in done.out
        assert said in done.err
        failed = "own is up, but jobs do not work: one with a rank on each of 4 hosts ended with "
        assert failed in done.err
        assert "docs/customising.md" in done.err
    finally:
        check(*mpigen("down", tmp_path / "output"), env=lab_env)
