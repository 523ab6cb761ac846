"""mpirun with a real one of ours: what it makes of its words, of ranks and of their ends."""

import subprocess
import sys

import pytest

from tests.unit.runtime.conftest import BIN, MakeRoot, Root

# whose ranks end, and which does not notice
DEAF = """\
#!{python}
import os, socket, struct, sys, time
address, port, word, _ = os.environ["OMPI_MPI_JOB"].split()
for number, status in enumerate(sys.argv[1:]):
    rank = socket.create_connection((address, int(port)))
    rank.sendall(f"{{word}} job {{number}} {{len(sys.argv) - 1}}\\n".encode())
    rank.sendall(b"x" + struct.pack(">I", len(status)) + status.encode())
    while rank.recv(64):  # the end of the input; then mpirun has heard all
        pass
time.sleep(60)
"""


@pytest.fixture
def mpich(make_root: MakeRoot) -> Root:
    return make_root("name: x\nmpi: {implementation: mpich}\n")


def start(root: Root, real: str) -> Root:
    """With that for the real mpirun, in a cluster of one worker on this machine."""
    root.write("usr/bin/mpirun", real)
    root.write("bin/mpi-hostfile", "#!/bin/sh\n")
    root.write("run/mpi/address", "127.0.0.1\n")
    root.write("run/mpi/hostfile.names", "worker worker-1 127.0.0.1\n")
    return root


def wrapped(root: Root, *words: str) -> list[str]:
    """What mpirun makes of its words."""
    done = root.load("mpirun", 'print "$_\\n" for wrapped(@ARGV);', *words)
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("before", "words"),
    [
        ("", "prog -n 3"),
        ("-n 4", "prog -genv x"),
        ("-np 2 -genv A b -ppn 1 -prepend-rank", "prog"),
        ("--genv=A=b -genvnone -bind-to core", "./prog a:b"),
        ("-env A b -wdir /tmp -unheard-of", "prog"),
    ],
)
def test_what_starts_a_rank_goes_before_each_program(mpich: Root, before: str, words: str) -> None:
    agent = "/usr/local/bin/mpi-rank"
    one = [*before.split(), agent, *words.split()]
    assert wrapped(mpich, *before.split(), *words.split()) == one
    two = [*before.split(), *words.split(), ":", *before.split(), *words.split()]
    assert wrapped(mpich, *two) == [*one, ":", *one]


def test_options_alone_start_nothing(mpich: Root) -> None:
    assert wrapped(mpich, "-n", "4") == ["-n", "4"]


# what the real mpirun is given
SHOWS = """\
#!/bin/sh
echo : "$@"
set -- $OMPI_MPI_JOB
echo "address $1 carries $4 keep ${MPI_KEEP-none} iface ${HYDRA_IFACE-none} input $(cat)"
"""


@pytest.mark.parametrize("options", [(), ("--output", "x"), ("-stdin", "all")])
def test_open_mpi_is_given_its_words_and_the_job(root: Root, options: tuple[str, ...]) -> None:
    done = start(root, SHOWS).run("mpirun", *options, "prog", input="text")
    words, given = done.stdout.splitlines()
    assert words.split() == [":", *options, "prog"]
    # the real one has the input where an option is about it
    carries, rest = ("0", "text") if options else ("1", "")
    assert given == f"address 127.0.0.1 carries {carries} keep 10 iface none input {rest}"
    assert (done.returncode, done.stderr) == (0, "")


def test_mpich_is_given_its_parameters_and_what_starts_a_rank(mpich: Root) -> None:
    mpich.write("run/mpi/mpich-params.conf", "# comment\nHYDRA_IFACE = eth1\n")
    done = start(mpich, SHOWS).run("mpirun", "-n", "2", "prog", input="")
    words, given = done.stdout.splitlines()
    assert words == ": -n 2 /usr/local/bin/mpi-rank prog"
    assert given == "address 127.0.0.1 carries 1 keep none iface eth1 input "
    done = mpich.run("mpirun", "prog", env={"HYDRA_IFACE": "mine"}, input="")
    assert " iface mine " in done.stdout
    done = mpich.run("mpirun", "-prepend-rank", "prog", input="")
    assert " carries 0 " in done.stdout


def test_the_real_mpirun_alone_shows_its_help(root: Root) -> None:
    root.write("usr/bin/mpirun", '#!/bin/sh\necho "real $*"\n')
    for words in ((), ("--help",), ("--version",)):
        assert root.run("mpirun", *words).stdout.split() == ["real", *words]


def test_a_job_without_a_hostfile_ends_as_mpi_hostfile_does(root: Root) -> None:
    root.write("bin/mpi-hostfile", "#!/bin/sh\necho missing >&2\nexit 3\n")
    done = root.run("mpirun", "prog")
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "missing\n")


@pytest.mark.parametrize(("statuses", "code"), [(("0", "0"), 0), (("0", "7"), 7)])
def test_a_job_whose_ranks_have_all_ended_ends(
    root: Root, statuses: tuple[str, ...], code: int
) -> None:
    """Open MPI 5.0.7 waits for ever where a daemon has missed the end of a rank."""
    start(root, DEAF.format(python=sys.executable))
    done = root.run("mpirun", *statuses, stdin=subprocess.DEVNULL)
    assert done.stderr == ""
    assert (done.returncode, done.stdout) == (code, "")


# mpi-rank as the real mpirun of one host would start it, for each of the statuses
RANKS = """\
#!/bin/sh
size=$#
number=0
for code; do
    PMIX_NAMESPACE=x PMIX_RANK=$number OMPI_COMM_WORLD_SIZE=$size \\
        {rank} sh -c 'cat; echo out $PMIX_RANK; echo err $PMIX_RANK >&2; exit '"$code" &
    number=$((number + 1))
done
wait
"""


def test_input_output_and_status_are_those_of_the_ranks(root: Root) -> None:
    start(root, RANKS.format(rank=BIN / "mpi-rank"))
    sent = "".join(f"{number}\n" for number in range(20_000))
    done = root.run("mpirun", "0", "9", input=sent)
    assert done.returncode == 9
    # what rank 1 says may come between any two pieces of what rank 0 does
    assert done.stdout.count("out 1\n") == 1
    assert done.stdout.replace("out 1\n", "") == f"{sent}out 0\n"
    assert sorted(done.stderr.splitlines()) == ["err 0", "err 1"]


def test_a_lost_rank_is_named_and_never_ends_with_0(root: Root) -> None:
    lost = DEAF.replace('rank.sendall(b"x"', 'rank.close(); sys.exit(0)\n    rank.sendall(b"x"')
    start(root, lost.format(python=sys.executable))
    root.write("bin/ssh", "#!/bin/sh\nexit 255\n")
    done = root.run("mpirun", "0", "0", stdin=subprocess.DEVNULL)
    assert done.returncode == 1
    assert done.stderr == (
        "mpirun: 0 of 2 ranks have ended: the job is not done, and this is status 1\n"
        "mpirun: worker-1 (127.0.0.1) is lost, or its node, with rank 0\n"
    )
