"""Disks of servers: Debian with Docker and a kernel, made once and kept in build/servers."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mpigen.lab import machine
from tests.swarm.conftest import ROOT
from tests.swarm.terminal import PROMPT

KEPT = ROOT / "build" / "servers"
SETUP = Path(__file__).with_name("setup.sh")
SIZE = "8G"  # as a server sees it; the file has a tenth of it
PACKAGES = (
    *("linux-image-amd64", "initramfs-tools", "zstd", "kmod", "systemd-sysv", "dbus", "udev"),
    *("iproute2", "openssh-server", "sudo", "ca-certificates"),
)
# all that the initrd needs to find the disk
_INITRD = (
    'mkdir -p "$1/etc/initramfs-tools/conf.d"',
    'echo MODULES=list > "$1/etc/initramfs-tools/conf.d/few"',
    'printf "virtio_pci\\nvirtio_blk\\next4\\n" > "$1/etc/initramfs-tools/modules"',
)


@dataclass(frozen=True)
class Server:
    """A server to be made: a suite of Debian, and its place on the cable."""

    name: str
    suite: str
    address: str
    mac: str


ALPHA = Server("alpha", "trixie", "10.90.0.1", "52:54:00:00:01:01")
BETA = Server("beta", "forky", "10.90.0.2", "52:54:00:00:01:02")


@dataclass(frozen=True)
class Disk:
    """The folder of a server's disk, which is never written to, and what boots it."""

    folder: Path

    @property
    def image(self) -> Path:
        return self.folder / "disk.raw"

    @property
    def kernel(self) -> Path:
        return self.folder / "vmlinuz"

    @property
    def initrd(self) -> Path:
        return self.folder / "initrd.img"

    @property
    def host_key(self) -> str:
        """The server's public host key, as known_hosts has it."""
        return " ".join((self.folder / "host_key.pub").read_text().split()[:2])


def user_key() -> Path:
    """The private key of the user `you`, which the disks know."""
    key = KEPT / "key"
    if not key.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "you", "-f", str(key)]
        subprocess.run(words, check=True)
    return key


def disk(server: Server, say: Callable[[str], None]) -> Disk:
    """The disk of a server; it is made if none was made of the same things."""
    public = user_key().with_suffix(".pub").read_text().strip()
    script = SETUP.read_text()
    made_of = repr((server, public, script, PROMPT, SIZE, PACKAGES, _INITRD))
    name = f"{server.name}-{server.suite}-{hashlib.sha256(made_of.encode()).hexdigest()[:12]}"
    folder = KEPT / name
    if not folder.exists():
        say(f"making the disk of {server.name}, Debian {server.suite}: some two minutes")
        for old in KEPT.glob(f"{server.name}-*"):
            machine.run_as_root(["rm", "-rf", str(old)], "removing an old disk")
        part = KEPT / f"{name}.part"
        try:
            _make(server, part, public)
            part.rename(folder)
        finally:
            machine.run_as_root(["rm", "-rf", str(part)], "removing what was not finished")
    return Disk(folder)


def _make(server: Server, part: Path, public: str) -> None:
    part.mkdir()
    root = part / "root"
    setup = {
        "NAME": server.name,
        "ADDRESS": server.address,
        "MAC": server.mac,
        "PUBLIC": public,
        "PROMPT": PROMPT,
    }
    environment = [f"{name}={value}" for name, value in setup.items()]
    machine.run_as_root(
        [
            *["env", *environment],
            *["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase"],
            # a frozen mirror's list of a suite that is not released has expired
            '--aptopt=Acquire::Check-Valid-Until "false"',
            *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "locale")),
            *(f"--essential-hook={line}" for line in _INITRD),
            f"--include={','.join(PACKAGES)}",
            f'--customize-hook=sh {SETUP} "$1"',
            *[server.suite, str(root)],
        ],
        f"mmdebstrap {server.suite}",
    )
    boot = {"vmlinuz": "boot/vmlinuz-*", "initrd.img": "boot/initrd.img-*"}
    boot["host_key.pub"] = "etc/ssh/ssh_host_ed25519_key.pub"
    for name, pattern in boot.items():
        (found,) = root.glob(pattern)
        shutil.copyfile(found, part / name)
    image = part / "disk.raw"
    machine.run_as_root(["mke2fs", "-q", "-t", "ext4", "-d", str(root), str(image), SIZE], "mke2fs")
    machine.run_as_root(["chown", f"{os.getuid()}", str(image)], "chown")
    machine.run_as_root(["rm", "-rf", str(root)], "removing the folder of the disk")
