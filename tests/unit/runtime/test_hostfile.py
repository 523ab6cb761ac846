"""mpi-hostfile against a DNS and sshds of ours: who is in the hostfile, and what is said."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import pytest

from tests.unit.runtime.conftest import MakeRoot, Root

SITE = """\
name: x
workers: [{name: cpu, replicas: 2, slots: 2}, {name: gpu, replicas: 1, slots: 4}]
"""
# in place of perl's own, which asks the machine's DNS
DNS = """\
BEGIN {
    *CORE::GLOBAL::gethostbyname = sub {
        open my $file, '<', "$ENV{MPIGEN_ROOT}/$_[0]" or return;
        return if $_[0] eq 'tasks.gpu' && $ENV{NO_GPU};
        return ( $_[0], '', 2, 4, map { pack 'C4', split /[.]/ } <$file> );
    };
}
"""
SAYS = "SSH-2.0-OpenSSH_10.0p2 Debian-7+deb13u2"
KEY = "AAAAC3Nza+/1"


class Hostfile:
    """mpi-hostfile, and a cluster whose containers are addresses of this machine."""

    def __init__(self, root: Root, stack: ExitStack) -> None:
        self.root, self.folder, self.stack, self.port = root, root.folder, stack, 0

    def add(self, group: str, address: str, words: str | None) -> None:
        """A container in DNS, whose sshd says that in its banner; none that says nothing."""
        with (self.folder / f"tasks.{group}").open("a") as dns:
            print(address, file=dns)
        server = self.stack.enter_context(socket.create_server((address, self.port)))
        self.port = server.getsockname()[1]

        def answer() -> None:
            with suppress(OSError):
                while True:
                    connection = server.accept()[0]
                    self.stack.callback(connection.close)
                    if words is not None:
                        connection.sendall(f"{SAYS} {words}".rstrip().encode() + b"\r\n")

        threading.Thread(target=answer, daemon=True).start()

    def __call__(self, **env: str) -> tuple[int, list[str], str]:
        """Exit code, lines written, and what is said."""
        file = self.folder / "run/mpi/hostfile"
        file.unlink(missing_ok=True)
        self.root.set(subnet="127.0.0.0/24", ssh_port=self.port)
        done = self.root.load("mpi-hostfile", f"{DNS} exit main();", env=env)
        return done.returncode, file.read_text().splitlines() if file.exists() else [], done.stderr


@pytest.fixture
def empty(make_root: MakeRoot) -> Iterator[Hostfile]:
    """With nobody in DNS."""
    root = make_root(SITE)
    root.write("run/mpi/key", f"{KEY}\n")
    with ExitStack() as stack:
        yield Hostfile(root, stack)


@pytest.fixture
def hostfile(empty: Hostfile) -> Hostfile:
    """With all that should be there."""
    for group, last, number in (("cpu", 12, 2), ("cpu", 11, 1), ("gpu", 21, 1)):
        empty.add(group, f"127.0.0.{last}", f"{group}-{number} {KEY}")
    return empty


def test_a_hostfile_has_every_group_as_rendered(hostfile: Hostfile) -> None:
    lines = ["127.0.0.11 slots=2", "127.0.0.12 slots=2", "127.0.0.21 slots=4"]
    assert hostfile() == (0, lines, "")
    assert hostfile(MPI_GROUPS=" ") == (0, lines, "")


def test_a_hostfile_has_the_groups_that_are_asked_for_in_their_order(hostfile: Hostfile) -> None:
    assert hostfile(MPI_GROUPS="gpu") == (0, ["127.0.0.21 slots=4"], "")
    assert hostfile(MPI_GROUPS="gpu cpu gpu")[1] == [
        "127.0.0.21 slots=4",
        "127.0.0.11 slots=2",
        "127.0.0.12 slots=2",
    ]
    # what is missing of a group that is not wanted is not waited for
    assert hostfile(MPI_GROUPS="cpu", NO_GPU="1", MPI_WAIT="0")[0] == 0
    code, lines, said = hostfile(NO_GPU="1", MPI_WAIT="0")
    assert (code, lines) == (1, [])
    assert "gpu: 0 of 1 containers answer; missing: gpu-1" in said


def test_a_group_that_there_is_not_is_refused(hostfile: Hostfile) -> None:
    code, lines, said = hostfile(MPI_GROUPS="cpu tpu")
    assert (code, lines) == (2, [])
    assert said == "mpi-hostfile: MPI_GROUPS: there is no group tpu; groups: cpu gpu\n"


def test_a_wait_is_told_once_and_who_is_missing(hostfile: Hostfile) -> None:
    said = hostfile(NO_GPU="1", MPI_WAIT="5")[2]
    assert said.startswith(
        "mpi-hostfile: waiting for workers, 5 s at most\n"
        "mpi-hostfile: gpu: 0 of 1 containers answer; missing: gpu-1\n"
    )
    assert said.count("waiting for workers") == 1


def test_who_does_not_answer_as_one_of_this_cluster_is_told_and_passed_over(
    hostfile: Hostfile,
) -> None:
    """Containers of another render, of another image, that hang, and that are gone."""
    hostfile.add("cpu", "127.0.0.31", "cpu-1 other")
    hostfile.add("cpu", "127.0.0.32", "")
    hostfile.add("cpu", "127.0.0.33", None)
    with (hostfile.folder / "tasks.cpu").open("a") as dns:
        print("127.0.0.34", file=dns)
    code, lines, said = hostfile(MPI_GROUPS="cpu")
    assert (code, lines) == (0, ["127.0.0.11 slots=2", "127.0.0.12 slots=2"])
    assert said.splitlines() == [
        f"mpi-hostfile: cpu: 127.0.0.{last} is in DNS, but no sshd of this cluster answers there"
        for last in (31, 32, 33, 34)
    ]


def test_hosts_are_in_the_order_of_their_numbers(empty: Hostfile) -> None:
    for number in (10, 2):
        empty.add("cpu", f"127.0.0.{20 - number}", f"cpu-{number} {KEY}")
    assert empty(MPI_GROUPS="cpu") == (0, ["127.0.0.18 slots=2", "127.0.0.10 slots=2"], "")


def test_no_hostfile_names_a_host_twice(hostfile: Hostfile) -> None:
    """A node that was cut off and comes back still has its old containers for a moment."""
    hostfile.add("cpu", "127.0.0.13", f"cpu-2 {KEY}")
    code, lines, said = hostfile(MPI_WAIT="1")
    assert (code, lines) == (1, [])
    assert "mpi-hostfile: two containers are named cpu-2\n" in said


@pytest.mark.parametrize(
    ("mpi", "line"), [("openmpi", "127.0.0.11 slots=2"), ("mpich", "127.0.0.11:2")]
)
def test_each_mpi_has_its_own_form_of_a_hostfile(make_root: MakeRoot, mpi: str, line: str) -> None:
    root = make_root(f"{SITE}mpi: {{implementation: {mpi}}}\n")
    root.write("run/mpi/key", f"{KEY}\n")
    with ExitStack() as stack:
        hostfile = Hostfile(root, stack)
        for last in (12, 11):
            hostfile.add("cpu", f"127.0.0.{last}", f"cpu-{last - 10} {KEY}")
        assert hostfile(MPI_GROUPS="cpu")[1][0] == line
        named = root.read("run/mpi/hostfile.names").splitlines()
        assert named == ["cpu cpu-1 127.0.0.11", "cpu cpu-2 127.0.0.12"]


def test_a_container_that_only_begins_is_waited_for(hostfile: Hostfile) -> None:
    """As verify's launcher, or docker exec in a worker that Swarm has just started."""
    key = hostfile.folder / "run/mpi/key"
    key.unlink()
    missing = f"mpi-hostfile: {key}: missing, so mpi-entrypoint has not run in this container\n"
    assert hostfile(MPI_WAIT="0") == (2, [], missing)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(hostfile)
        time.sleep(1)
        hostfile.root.write("run/mpi/key.new", f"{KEY}\n")
        key.with_name("key.new").rename(key)
        code, lines, _ = asked.result()
    assert (code, len(lines)) == (0, 3)


def test_a_file_may_be_named(hostfile: Hostfile) -> None:
    other = hostfile.folder / "hosts"
    hostfile.root.set(subnet="127.0.0.0/24", ssh_port=hostfile.port)
    done = hostfile.root.load("mpi-hostfile", f"{DNS} exit main();", other)
    assert (done.returncode, len(other.read_text().splitlines())) == (0, 3)
    done = hostfile.root.load("mpi-hostfile", "exit main();", other, env={"MPI_WAIT": "soon"})
    assert (done.returncode, done.stderr) == (
        2,
        "mpi-hostfile: MPI_WAIT=soon is not a number of seconds\n",
    )
