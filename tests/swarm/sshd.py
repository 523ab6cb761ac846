"""A real sshd on loopback, behind which `docker` talks to an engine, and a user's ssh for it."""

import getpass
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mpigen.lab import machine
from tests.swarm.conftest import check

_SERVER = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
PidFile none
UsePAM no
StrictModes no
PermitRootLogin yes
PasswordAuthentication no
AuthorizedKeysFile {folder}/key.pub
LogLevel VERBOSE
SetEnv PATH={path} DOCKER_HOST={docker_host} DOCKER_CONFIG={folder}
"""
_CLIENT = """\
Host manager alpha
    HostName 127.0.0.1
    Port {port}
    User {user}
    IdentityFile {folder}/key
    IdentitiesOnly yes
    UserKnownHostsFile {folder}/known_hosts
"""


@dataclass(frozen=True)
class Server:
    """A server that ~/.ssh/config calls `manager`, its port included."""

    folder: Path
    port: int

    @property
    def env(self) -> dict[str, str]:
        """What makes `ssh` read that configuration: it looks for it in no other HOME."""
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        return {"PATH": path, "DOCKER_HOST": "", "DOCKER_CONFIG": str(self.folder)}

    def held(self) -> list[str]:
        """The logins that are held open on this side now, by their commands."""
        listed = check("ps", "-ww", "-eo", "pid,ppid,stat,args").splitlines()
        ours = [line for line in listed if f"ssh -F {self.folder}/ssh_config " in line]
        return [line for line in ours if "ControlMaster=yes" in line]

    def logins(self) -> int:
        """How many logins it has accepted so far."""
        return (self.folder / "log").read_text().count("Accepted publickey for")


@contextmanager
def server(folder: Path, docker_host: str) -> Iterator[Server]:
    """Start sshd; installs Debian's openssh-server where it is missing."""
    program = Path("/usr/sbin/sshd")
    if not program.exists():
        machine.install(["openssh-server"], print)
    for name in ("host_key", "key"):
        check("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    host_key = " ".join((folder / "host_key.pub").read_text().split()[:2])
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}\n")
    words = {"folder": folder, "port": port, "docker_host": docker_host}
    words |= {"path": os.environ["PATH"], "user": getpass.getuser()}
    (folder / "sshd_config").write_text(_SERVER.format(**words))
    (folder / "ssh_config").write_text(_CLIENT.format(**words))
    (folder / "bin").mkdir()
    wrapper = folder / "bin" / "ssh"
    wrapper.write_text(
        # the documents' user, who has no account here
        f'#!/bin/sh\nfor word; do shift; [ "$word" != you ] || word={getpass.getuser()}\n'
        'set -- "$@" "$word"; done\n'
        f'exec /usr/bin/ssh -F {folder}/ssh_config "$@"\n'
    )
    wrapper.chmod(0o755)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd confines itself there
    with (folder / "log").open("wb") as log:
        sshd = subprocess.Popen(
            [program, "-D", "-e", "-f", folder / "sshd_config"], stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + 10
        while "Server listening" not in (said := (folder / "log").read_text()):
            assert sshd.poll() is None and time.monotonic() < deadline, said
            time.sleep(0.05)
        yield Server(folder, port)
    finally:
        sshd.terminate()
        sshd.wait()
