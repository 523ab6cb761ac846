"""mpi-rank: what a rank is started with, and that it does not begin without its mpirun."""

import os
import signal
import socket
import subprocess
import time

import pytest

from tests.unit.runtime.conftest import BIN, MakeRoot, Root

# what a rank reads of its machine, in place of the files below /proc
MACHINE = """\
my %file = @ARGV;
no warnings qw(redefine once);
*main::content_of = sub { $file{ $_[0] } // die "$_[0]\\n" };
"""


@pytest.mark.parametrize(
    ("running", "cores", "naps"), [(16, 2, False), (17, 2, True), (17, 4, False)]
)
def test_a_rank_naps_where_more_than_eight_processes_a_core_want_to_run(
    root: Root, running: int, cores: int, naps: bool
) -> None:
    load = f"1.00 2.00 3.00 {running}/400 77\n"
    cpus = "".join(f"processor\t: {n}\nmodel name\t: x\n\n" for n in range(cores))
    files = ("/proc/loadavg", load, "/proc/cpuinfo", cpus)
    done = root.load("mpi-rank", MACHINE + "print is_overloaded() ? 1 : 0;", *files)
    assert (done.stdout, done.stderr) == (str(int(naps)), "")


NAP = "read_conf(); nap_when_waiting(); print join ' ', map { \"$_=$ENV{$_}\" } sort @ARGV;"


def test_a_nap_is_what_cluster_conf_says_unless_the_job_says_otherwise(root: Root) -> None:
    names = ("OMPI_MCA_mpi_yield_when_idle", "OMPI_MCA_threads_pthreads_yield_strategy")
    code = NAP + "open my $s, '<', '/proc/self/timerslack_ns' or die; print ' ', <$s>;"
    done = root.load("mpi-rank", code, *names, env={names[0]: "0"})
    assert (done.stdout, done.stderr) == (f"{names[0]}=0 {names[1]}=nanosleep 5000000\n", "")


@pytest.mark.parametrize(
    ("host", "threads"),
    [("fat-1", "4"), ("fat-thin-2", "2"), ("fat-thin-a-b", "2"), ("other-1", ""), ("fatter-1", "")],
)
def test_a_rank_has_the_threads_of_the_group_that_its_host_is_of(
    host: str, threads: str, make_root: MakeRoot
) -> None:
    groups = "[{name: fat, threads: 4}, {name: fat-thin, threads: 2}, {name: other}]"
    root = make_root(f"name: x\nworkers: {groups}\n")
    code = (
        MACHINE + "delete $ENV{OMP_NUM_THREADS}; set_threads(); print $ENV{OMP_NUM_THREADS} // '';"
    )
    done = root.load("mpi-rank", code, "/proc/sys/kernel/hostname", f"{host}\n")
    assert (done.stdout, done.stderr) == (threads, "")
    code = code.replace("delete $ENV{OMP_NUM_THREADS}", "$ENV{OMP_NUM_THREADS} = 7")
    done = root.load("mpi-rank", code, "/proc/sys/kernel/hostname", f"{host}\n")
    assert done.stdout == "7"


def test_threads_are_looked_up_only_where_a_group_sets_them(root: Root) -> None:
    (root.folder / "etc/mpi/workers").unlink()
    assert root.run("mpi-rank", "echo", "begun").stdout == "begun\n"
    root.set(set_threads="yes")
    done = root.run("mpi-rank", "echo", "begun")
    assert done.stdout == "" and done.returncode != 0
    assert done.stderr == f"mpi-rank: {root.folder}/etc/mpi/workers: No such file or directory\n"


def test_a_rank_ends_as_its_program_does(root: Root) -> None:
    assert root.run("mpi-rank", "sh", "-c", "exit 7").returncode == 7
    assert root.run("mpi-rank", "sh", "-c", "kill -9 $$").returncode == -9
    done = root.run("mpi-rank", "no-such-program")
    assert done.returncode == 127
    assert done.stderr.endswith("mpi-rank: no-such-program: No such file or directory\n")


def test_a_rank_without_a_path_gets_that_of_the_cluster(root: Root) -> None:
    root.write("run/mpi/path", "/usr/local/libexec/mpi:/usr/bin\n")
    done = root.run("mpi-rank", "/bin/sh", "-c", "echo $PATH", env={"PATH": "/nowhere"})
    assert done.stdout == "/usr/local/libexec/mpi:/usr/bin\n"


def test_a_rank_that_does_not_reach_its_mpirun_does_not_begin(root: Root) -> None:
    job = {"OMPI_MPI_JOB": "127.0.0.1 1 word 1", "PMIX_NAMESPACE": "x"}
    rank = {"PMIX_RANK": "0", "OMPI_COMM_WORLD_SIZE": "1"}
    done = root.run("mpi-rank", "echo", "begun", env={**job, **rank})
    assert done.returncode != 0
    assert done.stdout == ""
    assert done.stderr == "mpi-rank: no connection to mpirun at 127.0.0.1: Connection refused\n"


def is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("carried", [False, True])
def test_a_program_ends_with_its_mpi_rank(root: Root, carried: bool) -> None:
    """Even where that is killed, and so passes nothing on."""
    with socket.create_server(("127.0.0.1", 0)) as mpirun:
        job = f"127.0.0.1 {mpirun.getsockname()[1]} word {int(carried)}"
        names = {"PMIX_NAMESPACE": "x", "PMIX_RANK": "0", "OMPI_COMM_WORLD_SIZE": "1"}
        file = root.folder / "pid"
        rank = subprocess.Popen(
            [
                BIN / "mpi-rank",
                "sh",
                "-c",
                f"echo $$ > {file}.new; mv {file}.new {file}; exec sleep 60",
            ],
            env=root.env(OMPI_MPI_JOB=job, **names),
        )
        while not file.exists():
            time.sleep(0.01)
        program = int(file.read_text())
        assert is_there(program)
        rank.send_signal(signal.SIGKILL)
        rank.wait()
        deadline = time.monotonic() + 5
        while is_there(program):
            assert time.monotonic() < deadline, "the program runs on"
            time.sleep(0.01)


def test_a_program_whose_mpi_rank_ended_before_it_began_does_not_begin(root: Root) -> None:
    done = root.load("mpi-rank", 'end_with(1); print "began";')
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_a_rank_of_several_programs_is_told_the_number_of_all(root: Root) -> None:
    """Prterun sets PMIx's variables alone."""
    with socket.create_server(("127.0.0.1", 0)) as mpirun:
        job = f"127.0.0.1 {mpirun.getsockname()[1]} word 0 24"
        env = {"OMPI_MPI_JOB": job, "PMIX_NAMESPACE": "x", "PMIX_RANK": "7"}
        rank = subprocess.Popen(
            [BIN / "mpi-rank", "sh", "-c", "echo $OMPI_COMM_WORLD_RANK of $OMPI_COMM_WORLD_SIZE"],
            env=root.env(**env),
            stdout=subprocess.PIPE,
            text=True,
        )
        connection, _ = mpirun.accept()
        with connection, connection.makefile("rb") as said:
            assert said.readline() == b"word x 7 24\n"
            assert said.read(6) == b"x" + bytes([0, 0, 0, 1]) + b"0"
        assert rank.communicate(timeout=30)[0] == "7 of 24\n"


def test_a_job_whose_files_are_fetched_marks_the_host_once(root: Root) -> None:
    """The mark is older than the rank, and the program does not see the variable."""
    (root.folder / "run/mpi").mkdir(parents=True, exist_ok=True)
    mark = root.folder / "run/mpi/ran-0123abcd"
    before = time.time()
    shown = ("mpi-rank", "sh", "-c", "echo ${MPIGEN_FETCH-none}")
    assert root.run(*shown, env={"MPIGEN_FETCH": "0123abcd"}).stdout == "none\n"
    assert before - 12 < mark.stat().st_mtime < before - 8
    os.utime(mark, (1000, 1000))
    root.run(*shown, env={"MPIGEN_FETCH": "0123abcd"})
    assert mark.stat().st_mtime == 1000, "a later rank leaves it as it is"
    root.run(*shown, env={"MPIGEN_FETCH": "../../evil"})
    root.run(*shown)
    assert [path.name for path in mark.parent.glob("ran-*")] == [mark.name]
