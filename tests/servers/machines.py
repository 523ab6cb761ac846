"""Servers with kernels of their own, emulated by QEMU: switched on, asked by ssh, switched off."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.disks import ALPHA, BETA, Disk, Server
from tests.swarm.conftest import Done, check

BOOT_SECONDS = 900
_EVERY_SECONDS = 2
_KERNEL = (
    "root=/dev/vda rw console=ttyS0 TERM=dumb quiet panic=-1 mitigations=off systemd.getty_auto=no"
)


@dataclass
class Machine:
    """An emulated server; its disk holds what was written to it while it is off, too."""

    server: Server
    disk: Disk
    folder: Path
    other: Server
    ssh: tuple[str, ...]
    port: int = field(default_factory=lambda: _free_port())
    qemu: "subprocess.Popen[bytes] | None" = None

    @property
    def name(self) -> str:
        return self.server.name

    @property
    def console(self) -> Path:
        """All that the kernel and systemd have printed."""
        return self.folder / f"{self.name}.console"

    def switch_on(self) -> None:
        """Start it. It has booted once `wait` returns."""
        overlay = self.folder / f"{self.name}.qcow2"
        if not overlay.exists():
            base = ("-F", "raw", "-b", self.disk.image.resolve())
            check("qemu-img", "create", "-q", "-f", "qcow2", *base, overlay)
        with (self.folder / f"{self.name}.qemu").open("ab") as log:
            self.qemu = subprocess.Popen(
                # it ends with the tests, also if they are killed
                ["setpriv", "--pdeathsig", "KILL", *self._words(overlay)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _words(self, overlay: Path) -> list[str]:
        ours, theirs = (self.folder / f"{end.name}.cable" for end in (self.server, self.other))
        return [
            *["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot"],
            *["-display", "none", "-serial", f"file:{self.console}", "-name", self.name],
            *["-machine", "pc", "-accel", "tcg,thread=multi,tb-size=512"],
            # without five levels of page tables, which emulation would walk through
            *["-cpu", "max,la57=off", "-smp", "2", "-m", "3072"],
            *["-kernel", str(self.disk.kernel), "-initrd", str(self.disk.initrd)],
            *["-append", _KERNEL],
            *["-drive", f"file={overlay},if=virtio,format=qcow2,cache=unsafe"],
            *["-device", "virtio-rng-pci"],
            # nothing reaches anything outside, and only this machine reaches sshd
            *["-netdev", f"user,id=outside,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-:22"],
            *["-device", "virtio-net-pci,netdev=outside,mac=52:54:00:00:00:01"],
            *["-netdev", "dgram,id=cable"
              f",local.type=unix,local.path={ours},remote.type=unix,remote.path={theirs}"],
            *["-device", f"virtio-net-pci,netdev=cable,mac={self.server.mac}"],
        ]  # fmt: skip

    def wait(self) -> None:
        """Wait until it has booted, with Docker running."""
        end = time.monotonic() + BOOT_SECONDS
        while (done := self.call("systemctl is-system-running --wait; docker --version")).code:
            assert self.qemu and self.qemu.poll() is None, f"{self.name} ended: {self.words()}"
            assert time.monotonic() < end, f"{self.name}: {done.err}{self.words()}"
            time.sleep(_EVERY_SECONDS)

    def words(self) -> str:
        """What QEMU has said, and the end of what the console has shown."""
        console = self.console.read_text("utf-8", "replace") if self.console.exists() else ""
        return (self.folder / f"{self.name}.qemu").read_text() + console[-2000:]

    def call(self, script: str, timeout: float = 300) -> Done:
        """Run a script of sh there, as the user `you`."""
        done = subprocess.run(
            [*self.ssh, f"you@{self.name}", script],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def check(self, script: str, timeout: float = 300) -> str:
        """What a script prints there; it must end well."""
        done = self.call(script, timeout)
        assert done.code == 0, f"{self.name}: {script!r} ended with {done.code}\n{done.err}"
        return done.out

    def switch_off(self) -> None:
        """Cut its power; nothing of it is left running."""
        if self.qemu is None:
            return
        if self.qemu.poll() is None:
            os.killpg(self.qemu.pid, signal.SIGKILL)
        self.qemu.wait()
        self.qemu = None


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def ssh_files(machines: Sequence[Machine], key: str) -> dict[str, str]:
    """The texts of `config` and `known_hosts`: the servers by name, their host keys checked.

    `key` is the path of the private key, and `known_hosts` lies beside `config`.
    """
    known, config = [], []
    for each in machines:
        known.append(f"[127.0.0.1]:{each.port} {each.disk.host_key}")
        config += [f"Host {each.name}", "  HostName 127.0.0.1", f"  Port {each.port}"]
    config += ["Host *", f"  IdentityFile {key}", "  IdentitiesOnly yes"]
    config += [f"  UserKnownHostsFile {Path(key).parent}/known_hosts"]
    config += ["  StrictHostKeyChecking yes"]
    return {"known_hosts": "\n".join([*known, ""]), "config": "\n".join([*config, ""])}


@contextmanager
def two_servers(disks: tuple[Disk, Disk], folder: Path, key: Path) -> Iterator[list[Machine]]:
    """Two servers with a cable between them, booted; switched off at the end, whatever happens."""
    shutil.copy(key, folder / "key")
    ssh = ("ssh", "-F", str(folder / "config"))
    first, second = ALPHA, BETA
    machines = [
        Machine(first, disks[0], folder, second, ssh),
        Machine(second, disks[1], folder, first, ssh),
    ]
    for name, text in ssh_files(machines, str(folder / "key")).items():
        (folder / name).write_text(text)
    try:
        for each in machines:
            each.switch_on()
        for each in machines:
            each.wait()
        yield machines
    finally:
        for each in machines:
            each.switch_off()
