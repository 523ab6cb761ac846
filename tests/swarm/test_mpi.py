"""MPI in its rarer forms on three nodes: each MPI right, or refused, and never silent."""

import re
import sys
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from mpigen.lab import base, engine, lab
from tests.figures import figure
from tests.swarm.conftest import ROOT, TRUSTED, Cluster, Done, call, check, deployed

pytestmark = pytest.mark.long

FEATURES = ROOT / "tests/bench/features"
# a network may have a certificate of its own
TEXT = """\
name: {name}
app: {{source: app, build: make install, python: [mpi4py]}}
mpi: {{implementation: {mpi}}}
network: {{subnet: 10.87.0.0/24}}
image: {{base: 'debian:{base}-slim', ca: ca.pem}}
workers:
  - replicas: 3
    slots: 2
    max_per_node: 1
    stack: {{ulimits: {{nofile: {{soft: 40, hard: 4096}}}}}}
"""
HOSTS = ["worker-1", "worker-1", "worker-2", "worker-2", "worker-3", "worker-3"]
# an mpirun that a program of a site brings
FOREIGN = "#!/bin/sh\necho a foreign mpirun\n"


class Kind(NamedTuple):
    """An MPI and its base."""

    mpi: str
    base: str


KINDS = {
    "openmpi-5": Kind("openmpi", "trixie"),
    "openmpi-4": Kind("openmpi", "bookworm"),
    "mpich": Kind("mpich", "trixie"),
}


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def cluster(
    kind: str, the_lab: lab.Lab, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """Three workers of two slots, with the programs of tests/bench/features."""
    mpi, release = KINDS[kind]
    base.ensure(engine.local(), f"debian:{release}-slim", print)
    folder = tmp_path_factory.mktemp(kind)
    text = TEXT.format(name=kind, mpi=mpi, base=release)
    (folder / "mpigen.yaml").write_text(text)
    check("cp", "-R", FEATURES, folder / "app")
    check("cp", TRUSTED, folder / "ca.pem")
    (folder / "app/mpirun").write_text(FOREIGN)
    makefile = folder / "app/Makefile"
    more = "".join(f"\tinstall -m 755 mpirun $(BINDIR)/{name}\n" for name in ("mpirun", "mpiexec"))
    makefile.write_text(makefile.read_text() + more)
    check(sys.executable, "-m", "mpigen", "render", "-c", folder / "mpigen.yaml")
    env = {"DOCKER_HOST": the_lab.docker_host}
    cluster = deployed(the_lab, folder / "output", kind, env, f"{kind}:latest")
    yield cluster
    assert cluster.script("down.sh").code == 0


def run(cluster: Cluster, *words: str) -> Done:
    """A job by run.sh."""
    return cluster.script("run.sh", *words)


def test_programs_side_by_side(cluster: Cluster) -> None:
    words = "-n 1 uname -n : -n 2 echo b : -n 1 uname"
    done = run(cluster, *words.split())
    assert (done.code, sorted(done.out.split())) == (0, ["Linux", "b", "b", "worker-1"]), done.err
    done = run(cluster, "-n", "1", "true", ":", "-n", "1", "sh", "-c", "exit 7")
    assert done.code == 7


def test_a_worker_has_our_mpirun_first(cluster: Cluster) -> None:
    script = """
    mpirun uname -n </dev/null
    mpiexec uname -n </dev/null
    ssh -n worker-2 mpirun uname -n
    ssh -n worker-2 bash -lc "'mpirun uname -n'"
    """
    done = cluster.shell(script)
    assert sorted(done.out.split()) == sorted(4 * HOSTS), done.err


def test_one_sided_communication(cluster: Cluster) -> None:
    for _ in range(3):
        done = run(cluster, "fetch_and_op")
        assert (done.code, done.out, done.err) == (0, "600 of 600\n", "")


def test_a_wheel_of_mpi4py_works(cluster: Cluster) -> None:
    code = "from mpi4py import MPI; print(MPI.COMM_WORLD.allreduce(MPI.COMM_WORLD.rank))"
    done = run(cluster, "python", "-c", code)
    assert (done.code, done.out) == (0, "15\n" * 6), done.err


def test_a_file_of_all_ranks_without_shared_storage_is_refused(cluster: Cluster) -> None:
    """It hung for ever: hosts without the file left, and the others waited."""
    done = run(cluster, "timeout", "60", "shared_file", "/tmp/shared.bin")
    assert done.code not in (0, 124), done.err
    assert sorted(done.out.splitlines()) == [f"rank {rank}: refused" for rank in range(6)]


def test_the_universe_has_the_slots(cluster: Cluster) -> None:
    if cluster.name == "mpich":
        return  # Hydra says it only where -usize is given
    code = "from mpi4py import MPI; print(MPI.COMM_WORLD.Get_attr(MPI.UNIVERSE_SIZE))"
    done = run(cluster, "-n", "2", "python", "-c", code)
    assert (done.code, done.out) == (0, "6\n" * 2), done.err


def test_a_locale_that_is_not_there_brings_no_warning(cluster: Cluster) -> None:
    words = ("docker", "run", "--rm", "--init", "--cap-drop", "ALL", "--env", "LANG=de_DE.UTF-8")
    where = ("--network", f"{cluster.name}_mpi", f"{cluster.name}:latest")
    export = () if cluster.name == "mpich" else ("-x", "LANG")
    done = call(*words, *where, "mpirun", *export, "sh", "-c", "echo $LANG", env=cluster.env)
    assert (done.code, done.out, done.err) == (0, "de_DE.UTF-8\n" * 6, "")


def test_as_many_files_may_be_open_as_are_allowed(cluster: Cluster) -> None:
    done = run(cluster, "sh", "-c", "ulimit -S -n")
    assert (done.code, done.out) == (0, "4096\n" * 6), done.err


def test_more_files_are_open_than_the_limit_that_the_engine_sets(cluster: Cluster) -> None:
    """As with 1,024 of Docker 29 and some hundred ranks: each has a connection to each other."""
    # one after another on each host: Open MPI 5 would give all that are too many to one
    more = ("--oversubscribe", "--map-by", "node") if cluster.name != "mpich" else ()
    done = run(cluster, "-n", "63", *more, "alltoall")
    assert done.code == 0, done.out + done.err
    found = re.fullmatch(r"63 ranks: right, (\d+) files\n", done.out)
    assert found, done.out
    figure(f"{cluster.name}: a rank of 63 on three hosts has {found[1]} files open")
    assert int(found[1]) > 40


def test_lines_of_six_ranks_are_whole(cluster: Cluster) -> None:
    line = "0123456789" * 8
    awk = f'BEGIN {{ for (i = 0; i < 50000; i++) print ENVIRON["R"], i, "{line}" }}'
    rank = 'R=${PMIX_RANK:-$PMI_RANK}${OMPI_COMM_WORLD_RANK}; export R; awk "$0"'
    done = run(cluster, "sh", "-c", rank, awk)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert len(lines) == 300_000 and len(set(lines)) == 300_000
    assert [each for each in lines if not re.fullmatch(rf"\d+ \d+ {line}", each)] == []


def test_parameters_that_mpi_does_not_read_are_no_success(cluster: Cluster) -> None:
    """As of an Open MPI that reads them elsewhere: all ranks in one container, and 0."""
    # mpirun leaves its own container's cores out: a hostfile that is not read is no slot at all
    cores = "export OMPI_MCA_orte_set_default_slots=cores PRTE_MCA_prte_set_default_slots=cores"
    alone = "rm /run/mpi/*mca-params.conf; mpirun -n 2 uname </dev/null; echo status $?"
    assert cluster.name == "mpich" or "status 0" not in cluster.shell(f"{alone}\n").out
    script = f"{cores}; {alone}\n"
    if cluster.name == "mpich":
        change = "sed s,/usr/local/bin/mpi-rank,env, /usr/local/bin/mpirun > /tmp/mpirun"
        script = (
            f"{change}; chmod +x /tmp/mpirun; /tmp/mpirun -n 2 uname </dev/null; echo status $?\n"
        )
    done = cluster.shell(script)
    assert done.out.splitlines() == ["Linux", "Linux", "status 1"], done.err
    assert "mpirun: no rank has begun, but /usr/bin/mpirun ended with 0: " in done.err
