"""probes/tcp.pl: what it says of a server that is slow, and of one that is not there."""

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mpigen.swarm import probe

PROGRAM = (Path(probe.__file__).parent / "probes/tcp.pl").read_text("utf-8")


# where QEMU emulates a processor there is no TCP_INFO: no answer is as long as this wants it
EMULATED = PROGRAM.replace("(2, 0x5411, 28)", "(2, 0x5411, 1 << 20)")


def ask(what: str, port: int, patience: int = 2, program: str = PROGRAM) -> str:
    command = ["perl", "-e", program, what, "127.0.0.1", str(port), str(patience)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.stderr == ""
    return done.stdout.rstrip("\n")


@contextmanager
def server(greeting: bytes | None) -> Iterator[int]:
    """A server that greets, or, without a greeting, is too busy to do anything."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with listening.accept()[0] as client:
                client.sendall(greeting or b"")
                if greeting:
                    client.recv(1 << 20)

        thread = threading.Thread(target=serve, daemon=True)
        if greeting is not None:
            thread.start()
        yield listening.getsockname()[1]
        if greeting is not None:
            thread.join(10)


@pytest.mark.parametrize("what", ["connect", "sizes"])
def test_nobody_listens(what: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    assert ask(what, port) == "refused Connection refused"


def test_packets_of_full_size_pass_to_a_server_that_does_not_read_them() -> None:
    with server(b"SSH-2.0-x\r\n") as port:
        assert ask("sizes", port) == "full"


def test_a_server_that_is_too_busy_is_open_and_slow() -> None:
    with server(None) as port:
        assert ask("connect", port) == "open"
        assert ask("sizes", port) == "slow greeting 2"


def test_what_is_no_ssh_server_is_told() -> None:
    with server(b"hello\n") as port:
        assert ask("sizes", port) == "refused it is not an ssh server"
    with server(b"") as port:
        assert ask("sizes", port) == "refused it closes the connection"


def test_without_tcp_info_the_rest_tells_as_much() -> None:
    assert EMULATED != PROGRAM
    with server(b"SSH-2.0-x\r\n") as port:
        assert ask("sizes", port, program=EMULATED) == "full"
    with server(None) as port:
        assert ask("connect", port, program=EMULATED) == "open"
        assert ask("sizes", port, program=EMULATED) == "slow greeting 2"
    assert ask("connect", port, program=EMULATED) == "refused Connection refused"
