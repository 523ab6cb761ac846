"""mpirun with a real one of ours: what it makes of its words, of ranks and of their ends."""

import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import sites
from tests.unit.runtime.conftest import BIN, MakeRoot, Root

# whose ranks end, and which does not notice
DEAF = """\
#!{python}
import os, signal, socket, struct, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit("[mpiexec@x] unable to send signal downstream"))
address, port, word, *_ = os.environ["OMPI_MPI_JOB"].split()
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
    done = root.load("mpirun", 'read_conf(); print "$_\\n" for wrapped(@ARGV);', *words)
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


def test_intel_mpi_is_told_its_slots_unless_the_job_places_its_ranks(make_root: MakeRoot) -> None:
    """It takes a host's cores for slots: of 3 hosts with one slot, 2 ranks had the first alone."""
    root = make_root(f"name: x\n{sites.mpi_section('intel')}")
    agent, hostfile = "/usr/local/bin/mpi-rank", f"{root.folder}/run/mpi/hostfile"
    slots = ["-machinefile", hostfile]
    assert wrapped(root, "-n", "2", "prog") == [*slots, "-n", "2", agent, "prog"]
    for option in ("-f", "-hosts", "-machinefile", "-ppn"):
        assert wrapped(root, option, "x", "prog", "-f") == [option, "x", agent, "prog", "-f"]


def test_programs_in_a_file_are_refused_with_what_works(mpich: Root) -> None:
    """They would start without mpi-rank, and nobody would hear of them."""
    mpich.write("run/mpi/mpich-params.conf", "")
    done = start(mpich, SHOWS).run("mpirun", "-configfile", "programs", input="")
    assert (done.returncode, done.stdout) == (2, "")
    assert "on the command line, with ' : ' between the programs" in done.stderr


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
    assert done.returncode == 1


# what prterun is given
PRTERUN = """\
#!/bin/sh
printf '%s|' prterun "$@"
set -- $OMPI_MPI_JOB
echo "total $5 btl ${OMPI_MCA_btl-} pml ${OMPI_MCA_pml-}"
"""


@pytest.mark.parametrize("in_a_file", [False, True])
def test_several_programs_are_run_by_prterun(root: Root, in_a_file: bool) -> None:
    """The mpirun of Debian's Open MPI 5 crashes on them."""
    start(root, "#!/bin/sh\nkill -SEGV $$\n").write("usr/bin/prterun", PRTERUN)
    line = "-n 1 --mca btl tcp,self a : -np 20 --mca pml ob1 b x : -c 3 c"
    words = line.split()
    if in_a_file:
        lines = line.replace(" : ", "\n")
        words = ["--app", str(root.write("programs", f"# comment\n{lines}\n\n"))]
    done = root.run("mpirun", *words, input="")
    told = ("MCA_btl", "MCA_orte_set_default_slots", "MCA_pml", "MPI_JOB")
    names = " ".join(f"-x OMPI_{name}" for name in told)
    given = f"prterun {names} {line.replace(' : ', f' : {names} ')}".split()
    assert done.stdout == "|".join([*given, "total 24 btl tcp,self pml ob1\n"])
    # no rank was heard
    assert done.returncode == 1


@pytest.mark.parametrize("words", ["a : -n 1 b", "-n 1 a : b", "-n x a : -n 1 b"])
def test_several_programs_without_their_ranks_are_refused(root: Root, words: str) -> None:
    start(root, SHOWS).write("usr/bin/prterun", PRTERUN)
    done = root.run("mpirun", *words.split(), input="")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "mpirun: with several programs, each needs its number of ranks: "
        "-n N PROGRAM : -n N PROGRAM\n"
    )


def test_one_program_is_run_by_mpirun_itself(root: Root) -> None:
    start(root, SHOWS).write("usr/bin/prterun", PRTERUN)
    assert root.run("mpirun", "-n", "1", "a", input="").stdout.startswith(": -n 1 a\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [((), "0 0"), (("--hostfile", "x"), " "), (("--host", "a"), " "), (("-H", "a"), " ")],
)
def test_the_universe_has_no_cores_of_mpiruns_own_container(
    root: Root, words: tuple[str, ...], told: str
) -> None:
    """It had 8 for 6 slots. Hosts without slots that a user names keep Open MPI's default."""
    names = "OMPI_MCA_orte_set_default_slots", "PRTE_MCA_prte_set_default_slots"
    start(root, f'#!/bin/sh\necho "{" ".join(f"${name}" for name in names)}"\n')
    assert root.run("mpirun", *words, "prog", input="").stdout == f"{told}\n"


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
    """Open MPI 5.0.7 waits for ever where a daemon has missed the end of a rank.

    What it says of the signal that ends it is about no fault of the job.
    """
    start(root, DEAF.format(python=sys.executable))
    done = root.run("mpirun", *statuses, stdin=subprocess.DEVNULL)
    assert done.stderr == ""
    assert (done.returncode, done.stdout) == (code, "")


def test_a_job_that_failed_before_all_of_its_ranks_had_begun_ends(root: Root) -> None:
    """Open MPI 6.0.0~rc2 waits for ever for ranks that it has not let begin."""
    start(root, DEAF.replace("{{len(sys.argv) - 1}}", "8").format(python=sys.executable))
    with socket.create_server(("127.0.0.1", 0)) as sshd:
        root.set(ssh_port=sshd.getsockname()[1])
        done = root.run("mpirun", "0", "7", stdin=subprocess.DEVNULL)
    assert done.stderr == (
        "mpirun: rank 1 ended with 7 when 2 of 8 ranks had begun; "
        "/usr/bin/mpirun did not end the job, so this program did\n"
    )
    assert (done.returncode, done.stdout) == (7, "")


@pytest.mark.parametrize(
    ("real", "statuses", "code"), [(255, "0 7 1", 7), (1, "0 7 2", 7), (1, "143 1", 1), (3, "7", 3)]
)
def test_the_status_of_the_rank_that_failed_first_is_the_jobs(
    root: Root, real: int, statuses: str, code: int
) -> None:
    """Open MPI 6.0.0~rc2 may call a rank that fails at once one that could not be started.

    Where MPI has a status of its own, as for MPI_Abort, it is the job's.
    """
    start(root, DEAF.replace("time.sleep(60)", f"sys.exit({real})").format(python=sys.executable))
    done = root.run("mpirun", *statuses.split(), stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


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


# whose rank is lost before it has reported an end
LOST = DEAF.replace('rank.sendall(b"x"', 'rank.close(); sys.exit(0)\n    rank.sendall(b"x"')


def test_a_lost_rank_is_named_and_never_ends_with_0(root: Root) -> None:
    start(root, LOST.format(python=sys.executable)).set(ssh_port=free_port())
    done = root.run("mpirun", "0", "0", stdin=subprocess.DEVNULL)
    assert done.returncode == 75
    assert done.stderr == (
        "mpirun: 0 of 2 ranks have ended: the job did not complete; the exit code is 75\n"
        "mpirun: worker-1 (127.0.0.1) is lost, or its node, with rank 0\n"
    )


def test_a_job_that_does_not_begin_for_a_lost_host_says_so_by_its_status(root: Root) -> None:
    start(root, "#!/bin/sh\nexit 3\n")
    code = "no warnings; *main::silence_of = sub { return { '127.0.0.1' => 1 } }; "
    done = root.load("mpirun", f"{code} @ARGV = ('prog'); exit main();")
    assert done.returncode == 75
    assert done.stderr == "mpirun: worker-1 (127.0.0.1) is lost, or its node\n"


# two ranks of mpi-rank, each of which runs the script $1
WRITE = RANKS.replace("size", "script=$1\nset -- 0 0\nsize", 1).replace(
    "'cat; echo out $PMIX_RANK; echo err $PMIX_RANK >&2; exit '\"$code\"", '"$script"'
)


def test_labelled_lines_are_whole_and_begin_with_their_rank(root: Root) -> None:
    start(root, WRITE.format(rank=BIN / "mpi-rank"))
    script = (
        "printf 'a'; sleep 0.6; printf 'b\\n\\nc'; sleep 0.6; echo d; echo err >&2; printf 'no end'"
    )
    done = root.run("mpirun", script, env={"MPI_LABEL": "1"}, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines(keepends=True)
    for rank in "01":
        mine = "".join(line for line in lines if line.startswith(f"[{rank}] "))
        assert mine == f"[{rank}] ab\n[{rank}] \n[{rank}] cd\n[{rank}] no end\n"
    assert sorted(done.stderr.splitlines()) == ["[0] err", "[1] err"]


def test_without_labels_output_is_as_it_was_written(root: Root) -> None:
    start(root, WRITE.format(rank=BIN / "mpi-rank"))
    done = root.run("mpirun", "printf x", stdin=subprocess.DEVNULL)
    assert done.stdout == "xx"


def test_labels_are_refused_where_mpi_carries_the_output(root: Root) -> None:
    labels = {"MPI_LABEL": "1"}
    done = start(root, SHOWS).run("mpirun", "--output", "x", "prog", env=labels, input="")
    assert (done.returncode, done.stdout) == (2, "")
    assert "mpirun: --output makes MPI carry the output" in done.stderr


def free_port() -> int:
    """A port of this machine at which nothing listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_a_host_that_is_slow_is_not_called_lost(root: Root) -> None:
    """Its kernel takes the connection, however late a login would be."""
    with socket.create_server(("127.0.0.1", 0)) as slow:
        start(root, LOST.format(python=sys.executable)).set(ssh_port=slow.getsockname()[1])
        root.write("bin/ssh", "#!/bin/sh\nsleep 60\n")
        done = root.run("mpirun", "0", "0", stdin=subprocess.DEVNULL)
    assert done.returncode == 1
    line = "mpirun: 0 of 2 ranks have ended: the job did not complete; the exit code is 1\n"
    assert done.stderr == line


def test_a_host_of_which_nothing_is_heard_is_not_called_lost(root: Root) -> None:
    """Nothing of the job has ended there, so the network may be slow."""
    start(root, "#!/bin/sh\nexit 3\n")
    code = "no warnings; *main::silence_of = sub { return { '127.0.0.1' => 0 } }; "
    done = root.load("mpirun", f"{code} @ARGV = ('prog'); exit main();")
    assert done.returncode == 3
    assert done.stderr == "mpirun: worker-1 (127.0.0.1) has not answered within 5 s\n"


SILENT = (
    "mpirun: no rank has begun, but {real} ended with 0: {why}\n"
    "mpirun: the job did not complete; the exit code is 1\n"
)
UNREAD = "it crashed, or does not read its parameters from /run/mpi"


@pytest.mark.parametrize("mpi", ["openmpi", "mpich"])
@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("prog",), UNREAD),
        (("-n", "1", "uname", ":", "-n", "1", "uname"), UNREAD),
        (("-n", "2", "prog", "--version"), UNREAD),
        (("--unheard-of", "prog", "--help"), UNREAD),
        (("--show-progress", "prog"), UNREAD),
        (("--output", "x", "prog"), UNREAD),
        (
            ("--mca", "odls_base_exec_agent", "gdb", "prog"),
            "odls_base_exec_agent replaces mpi-rank",
        ),
    ],
)
def test_a_job_of_which_no_rank_began_never_ends_with_0(
    make_root: MakeRoot, mpi: str, words: tuple[str, ...], why: str
) -> None:
    """As Open MPI 6 of Debian 14 did, which ran every rank in the job's container."""
    root = make_root(f"name: x\nmpi: {{implementation: {mpi}}}\n")
    root.write("run/mpi/mpich-params.conf", "")
    done = start(root, "#!/bin/sh\necho output\n").run("mpirun", *words, input="")
    assert (done.returncode, done.stdout) == (1, "output\n")
    assert done.stderr == SILENT.format(real=root.folder / "usr/bin/mpirun", why=why)


@pytest.mark.parametrize(
    "words",
    [
        ("-n", "2", "--version"),
        ("--mca", "a", "b", "-n", "2", "--help", "launch"),
        ("-n", "2", "--do-not-launch", "prog"),
        ("--display", "map", "--map-by", "slot:donotlaunch", "prog"),
        ("-showme",),
    ],
)
def test_a_job_that_only_asks_has_no_rank(root: Root, words: tuple[str, ...]) -> None:
    done = start(root, "#!/bin/sh\necho output\n").run("mpirun", *words, input="")
    assert (done.returncode, done.stdout, done.stderr) == (0, "output\n", "")


def test_a_job_that_fails_before_any_rank_keeps_its_status(root: Root) -> None:
    with socket.create_server(("127.0.0.1", 0)) as alive:
        start(root, "#!/bin/sh\necho no slots >&2\nexit 7\n").set(ssh_port=alive.getsockname()[1])
        done = root.run("mpirun", "prog", input="")
    assert (done.returncode, done.stderr) == (7, "no slots\n")


NOISE = """\
#!/bin/sh
exec >&2
echo '[worker-1:7] plm:ssh: Warning: setpgid(77,77) failed in parent with errno=Permission (13)'
echo '[worker-1:7] plm:rsh: Warning: setpgid(77,77) failed in parent with errno=No such process(3)'
printf '\\0PRRTE has lost communication\\n'
echo 'a word of setpgid'
sleep 0.1
printf 'no end of line'
exit 5
"""


def test_the_real_mpiruns_errors_are_shown_without_its_noise(root: Root) -> None:
    with socket.create_server(("127.0.0.1", 0)) as alive:
        start(root, NOISE).set(ssh_port=alive.getsockname()[1])
        done = root.run("mpirun", "prog", input="")
    assert done.stderr == "PRRTE has lost communication\na word of setpgid\nno end of line"


# each of whose ranks writes a thousand lines in many pieces, and they end in the middle of lines
PIECES = """\
import os, sys
rank, fd = os.environ["PMIX_RANK"], int(sys.argv[1])
text = b"".join(b"%s %06d %s\\n" % (rank.encode(), n, b"x" * (n % 90)) for n in range(20000))
while text:
    length = 1 + (len(text) * 7919) % 6000
    text = text[os.write(fd, text[:length]):]
"""


@pytest.mark.parametrize("fd", [1, 2])
def test_lines_of_many_ranks_are_not_torn(root: Root, fd: int) -> None:
    program = root.write("pieces.py", PIECES)
    ranks = RANKS.format(rank=BIN / "mpi-rank")
    start(root, re.sub(r"sh -c .*(?= &$)", f"{sys.executable} {program} {fd}", ranks, flags=re.M))
    done = root.run("mpirun", *["0"] * 6, stdin=subprocess.DEVNULL)
    assert done.returncode == 0
    lines = (done.stdout if fd == 1 else done.stderr).splitlines()
    wanted = [f"{rank} {n:06} {'x' * (n % 90)}" for rank in range(6) for n in range(20000)]
    torn = set(lines) - set(wanted)
    assert not torn, f"{len(torn)} torn: {sorted(torn)[:3]}"
    assert sorted(lines) == wanted


# rank 0 waits for a processor in the middle of a line
STARVED = """\
import os, sys, time
if os.environ["PMIX_RANK"] == "0":
    os.write(1, b"begun")
    time.sleep(float(sys.argv[1]))
    os.write(1, b" and ended\\n")
else:
    time.sleep(0.8)
    os.write(1, b"of another\\n" * 3)
"""


@pytest.mark.parametrize(
    ("seconds", "printed"),
    [
        (2, "begun and ended\n" + "of another\n" * 3),
        # the others do not wait for ever
        (6, "begun" + "of another\n" * 3 + " and ended\n"),
    ],
)
def test_a_line_is_whole_if_its_rank_ends_it_soon(root: Root, seconds: int, printed: str) -> None:
    program = root.write("starved.py", STARVED)
    ranks = RANKS.format(rank=BIN / "mpi-rank")
    command = f"{sys.executable} {program} {seconds}"
    start(root, re.sub(r"sh -c .*(?= &$)", command, ranks, flags=re.M))
    done = root.run("mpirun", "0", "0", stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout) == (0, printed), done.stderr


def test_what_has_no_line_end_is_shown_soon(root: Root) -> None:
    ranks = RANKS.format(rank=BIN / "mpi-rank")
    asks = "sh -c 'printf \"name? \"; read name; echo hello $name'"
    start(root, re.sub(r"sh -c .*(?= &$)", asks, ranks, flags=re.M))
    job = subprocess.Popen(
        [BIN / "mpirun", "0"],
        env=root.env(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert job.stdin and job.stdout
    assert os.read(job.stdout.fileno(), 100) == b"name? "
    assert job.communicate("you\n", timeout=30)[0] == "hello you\n"


def limited(soft: int, hard: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# all of whose ranks are there at the same time
CROWD = """\
#!{python}
import os, resource, socket, sys, time
address, port, word, *_ = os.environ["OMPI_MPI_JOB"].split()
ranks = []
for number in range(80):
    if not os.fork():
        rank = socket.create_connection((address, int(port)))
        rank.sendall(f"{{word}} job {{number}} 80\\n".encode())
        time.sleep(3)
        rank.sendall(b"x" + bytes([0, 0, 0, 1]) + b"0")
        while rank.recv(64):
            pass
        os._exit(0)
for number in range(80):
    os.wait()
"""


def test_a_limit_of_open_files_that_may_be_raised_is(root: Root) -> None:
    start(root, CROWD.format(python=sys.executable))
    done = root.run("mpirun", "prog", stdin=subprocess.DEVNULL, preexec_fn=limited(64, 4096))
    assert (done.returncode, done.stderr) == (0, "")


def test_more_ranks_than_files_that_may_be_open_end_the_job(root: Root) -> None:
    """It would never end, and mpirun ask for the next connection without a pause."""
    start(root, CROWD.format(python=sys.executable))
    began = time.monotonic()
    done = root.run("mpirun", "prog", stdin=subprocess.DEVNULL, preexec_fn=limited(64, 64))
    assert time.monotonic() - began < 20
    assert done.returncode == 1
    line = done.stderr.splitlines()[0]
    assert re.fullmatch(
        r"mpirun: no more than \d\d ranks can connect: Too many open files; "
        "raise the limit of the containers with ulimits.nofile",
        line,
    )


def job_of(root: Root, program: str, **env: str) -> "subprocess.Popen[str]":
    """mpirun with two ranks of that shell program."""
    file = root.write("program.sh", f"#!/bin/sh\n{program}\n")
    ranks = RANKS.format(rank=BIN / "mpi-rank")
    start(root, re.sub(r"sh -c .*(?= &$)", str(file), ranks, flags=re.M))
    return subprocess.Popen(
        [BIN / "mpirun", "0", "0"],
        env=root.env(**env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )


SAVES = """\
trap 'sleep $PMIX_RANK; sleep 1; echo saved; exit 3' TERM
echo up
while :; do sleep 0.1; done"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_ranks_have_time_to_end(root: Root, number: signal.Signals) -> None:
    """MPI ends all of them within a second or two, and at the first one's end."""
    with job_of(root, SAVES, MPI_GRACE="20") as job:
        assert job.stdout and [job.stdout.readline() for _ in range(2)] == ["up\n"] * 2
        began = time.monotonic()
        job.send_signal(number)
        assert job.communicate(timeout=30)[0] == "saved\n" * 2
    assert job.returncode == 128 + number
    assert 2 <= time.monotonic() - began < 15


def test_a_rank_that_does_not_end_in_its_time_is_ended(root: Root) -> None:
    stubborn = f"echo $$ >> {root.folder}/pids; trap '' TERM; echo up; while :; do sleep 0.1; done"
    with job_of(root, stubborn, MPI_GRACE="2") as job:
        assert job.stdout and [job.stdout.readline() for _ in range(2)] == ["up\n"] * 2
        began = time.monotonic()
        job.send_signal(signal.SIGTERM)
        assert job.wait(timeout=30) == 128 + signal.SIGTERM
        assert 1 <= time.monotonic() - began < 15
    # mpi-rank ends a program that neither ends nor says anything, once mpirun is gone
    deadline = time.monotonic() + 20
    while any(Path("/proc", line).exists() for line in root.read("pids").split()):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_second_signal_ends_the_time_of_the_ranks(root: Root) -> None:
    stubborn = "trap '' TERM; echo up; while :; do sleep 0.1; done"
    with job_of(root, stubborn, MPI_GRACE="20") as job:
        assert job.stdout and [job.stdout.readline() for _ in range(2)] == ["up\n"] * 2
        job.send_signal(signal.SIGTERM)
        time.sleep(1)
        job.send_signal(signal.SIGTERM)
        assert job.wait(timeout=30) == 128 + signal.SIGTERM


@pytest.mark.parametrize("name", ["USR1", "USR2"])
def test_a_signal_of_the_users_reaches_every_rank_and_ends_nothing(root: Root, name: str) -> None:
    program = f"trap 'echo got; exit 0' {name}; echo up; while :; do sleep 0.1; done"
    with job_of(root, program) as job:
        assert job.stdout and [job.stdout.readline() for _ in range(2)] == ["up\n"] * 2
        job.send_signal(getattr(signal, f"SIG{name}"))
        assert job.communicate(timeout=30)[0] == "got\n" * 2
    assert job.returncode == 0


def test_a_signal_of_the_users_that_comes_early_does_not_end_mpirun(root: Root) -> None:
    with job_of(root, "echo up") as job:
        root.write("bin/mpi-hostfile", "#!/bin/sh\nsleep 1\n")
        time.sleep(0.5)
        job.send_signal(signal.SIGUSR1)
        # the ranks get it: as they begin, they may not be ready for it
        assert job.wait(timeout=30) in (0, 128 + signal.SIGUSR1)
