"""mpi-daemon, with a daemon of ours: when it lets go of it, and when it ends it."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.runtime.conftest import BIN, Root

DAEMON = """\
#!{python}
import os, pathlib, signal, socket, sys, time
assert "--daemonize" not in sys.argv

def end_ranks(*_):
    # its first process stops late, or goes on: mpi-daemon is told, and is to wait all the same
    time.sleep(0.1)
    os.kill(os.getppid(), signal.SIGCONT)
    time.sleep(0.4)
    pathlib.Path("{folder}/ended").touch()
    sys.exit(1)

if "fails" in sys.argv:
    print("prted: no room", file=sys.stderr)
    sys.exit(7)
time.sleep(0.5)
if "alone" in sys.argv:
    if os.fork():
        os.wait()  # as PRRTE's first process, for a second one in its own session
    os.setsid()
    signal.signal(signal.SIGTERM, end_ranks)
pathlib.Path("{folder}/pid").write_text(str(os.getpid()))
if "alone" in sys.argv:
    time.sleep(60)
connection = socket.create_connection(("127.0.0.1", int(sys.argv[-1].split(":")[2])))
connection.recv(1)
"""


@pytest.fixture(params=["prted", "orted"])
def daemon(
    request: pytest.FixtureRequest, root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[str | Path]:
    """The words that start a daemon as ssh does: of Open MPI 5, and of 4."""
    for file, parameter in (("prte", "prte_launch_agent"), ("openmpi", "orte_launch_agent")):
        said = root.read(f"etc/mpi/{file}-mca-params.conf")
        assert f"{parameter} = /usr/local/bin/mpi-daemon\n" in said
    root.write(f"usr/bin/{request.param}", DAEMON.format(python=sys.executable, folder=tmp_path))
    monkeypatch.setenv("MPIGEN_ROOT", str(root.folder))
    monkeypatch.setenv("PATH", f"{root.folder}/usr/bin:{os.environ['PATH']}")
    return [BIN / "mpi-daemon", "--daemonize"]


def test_a_daemon_is_let_go_once_it_has_joined_its_job(
    daemon: list[str | Path], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mpirun:
        uri = f"prterun-x@0.0;tcp://127.0.0.1:{mpirun.getsockname()[1]}:24"
        done = subprocess.run([*daemon, "fails", uri], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (7, "prted: no room\n")
        # it ends, and so do the pipes that it was given, and leaves the daemon in its own session
        done = subprocess.run([*daemon, "joins", uri], capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        joined = int((tmp_path / "pid").read_text())
        assert os.getsid(joined) == joined
        mpirun.accept()[0].close()


def test_a_daemon_that_cannot_join_ends_with_its_login(
    daemon: list[str | Path], tmp_path: Path
) -> None:
    """A job that has just begun is interrupted: mpirun is gone before its daemons are there."""
    pid = tmp_path / "pid"
    with subprocess.Popen(
        [*daemon, "alone", "x;tcp://127.0.0.1:1"], stderr=subprocess.PIPE
    ) as login:
        deadline = time.monotonic() + 30
        while not (pid.exists() and pid.read_text()) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert login.poll() is None
        assert login.stderr
        login.stderr.close()
        assert login.wait(timeout=30) == 1
    # it has had the time to end its ranks
    assert (tmp_path / "ended").exists()
    # it may be dead and not yet waited for by init
    stat = Path(f"/proc/{pid.read_text()}/stat")
    assert not stat.exists() or ") Z " in stat.read_text()
