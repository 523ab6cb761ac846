"""mpi-hostfile against a DNS and sshds of ours: who is in the hostfile, and what is said."""

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests import sites

SITE = """\
name: x
workers: [{name: cpu, replicas: 2, slots: 2}, {name: gpu, replicas: 1, slots: 4}]
"""
# in place of perl's own, which asks the machine's DNS
DNS = """\
use strict;
BEGIN {
    *CORE::GLOBAL::gethostbyname = sub {
        open my $file, '<', "$ENV{FOLDER}/$_[0]" or return;
        return if $_[0] eq 'tasks.gpu' && $ENV{NO_GPU};
        return ( $_[0], '', 2, 4, map { pack 'C4', split /[.]/ } <$file> );
    };
}
"""
SAYS = "SSH-2.0-OpenSSH_10.0p2 Debian-7+deb13u2"
KEY = "AAAAC3Nza+/1"


class Hostfile:
    """The rendered mpi-hostfile, and a cluster whose containers are addresses of this machine."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.stack, self.port = folder, stack, 0

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
        file = self.folder / "hostfile"
        file.unlink(missing_ok=True)
        text = (self.folder / "mpi-hostfile").read_text()
        for old, new in (
            ("use strict;\n", DNS),
            ("10.77.0.0/24", "127.0.0.0/24"),
            ("2222", str(self.port)),
            ("/etc/mpi/workers", f"{self.folder}/workers"),
            ("/run/mpi/key", f"{self.folder}/key"),
        ):
            assert old in text
            text = text.replace(old, new)
        done = subprocess.run(
            ["perl", "-w", "-", file],
            env={"PATH": os.environ["PATH"], "FOLDER": str(self.folder), **env},
            input=text,
            capture_output=True,
            text=True,
        )
        return done.returncode, file.read_text().splitlines() if file.exists() else [], done.stderr


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Hostfile]:
    """With nobody in DNS."""
    files = sites.artifacts(tmp_path, SITE)
    for name, text in (
        ("workers", files["rootfs/etc/mpi/workers"].text),
        ("mpi-hostfile", files["rootfs/usr/local/bin/mpi-hostfile"].text),
        ("key", f"{KEY}\n"),
    ):
        (tmp_path / name).write_text(text)
    with ExitStack() as stack:
        yield Hostfile(tmp_path, stack)


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
    assert said == "mpi-hostfile: MPI_GROUPS: there is no group tpu; there are: cpu gpu\n"


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
        f"mpi-hostfile: cpu: 127.0.0.{last} is in DNS and no sshd of this cluster answers there"
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
    assert "mpi-hostfile: two containers call themselves cpu-2\n" in said
