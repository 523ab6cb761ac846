"""Have this machine's kernel run programs of another processor, by QEMU, in containers as well."""

import os
import shutil
from pathlib import Path

from mpigen.errors import ClusterError
from mpigen.lab import machine
from mpigen.notation.platforms import architecture
from mpigen.swarm.processes import Say

_BINFMT = Path("/proc/sys/fs/binfmt_misc")
# the names of QEMU's programs, by Docker's of processors
_QEMU = {"amd64": "x86_64", "arm64": "aarch64"}
_FORMATS = Path("/usr/lib/binfmt.d")
_FIXED = "F"
"""The flag that has the kernel open the emulator at once: containers do not have its file."""


def ensure(platform: str, say: Say) -> None:
    """Make sure that containers of `platform` run on this machine, until it is restarted.

    Packages are installed if need be, as root or with sudo. Raises ClusterError if that fails, or
    if another program has registered the format so that containers cannot use it.
    """
    name = f"qemu-{_QEMU[architecture(platform)]}"
    if os.uname().machine == _QEMU[architecture(platform)]:
        return
    if not (_BINFMT / "register").exists():
        say("mounting binfmt_misc")
        command = ["mount", "-t", "binfmt_misc", "binfmt_misc", str(_BINFMT)]
        machine.run_as_root(command, "mount")
    if not (_BINFMT / name).exists():
        _register(name, platform, say)
    if _FIXED not in flags((_BINFMT / name).read_text("utf-8")):
        raise ClusterError(
            f"{_BINFMT / name} is for programs outside of containers: it lacks the flag {_FIXED}",
            f"Remove it as root (echo -1 > {_BINFMT / name}), then run this again.",
        )


def flags(entry: str) -> str:
    """The flags in the kernel's description of a registered format: binfmt-misc.rst."""
    lines = (line.partition("flags: ") for line in entry.splitlines())
    return next((found for _, key, found in lines if key), "")


def _register(name: str, platform: str, say: Say) -> None:
    format_ = _FORMATS / f"{name}.conf"
    if not format_.exists() or not shutil.which(f"{name}-static"):
        machine.install(["qemu-user-static"], say)
    if (_BINFMT / name).exists():  # by the installation
        return
    if not format_.exists():
        raise ClusterError(
            f"qemu-user-static has no {format_}, which says how to run {platform}",
            "Register it by hand: docker run --privileged --rm tonistiigi/binfmt --install "
            f"{architecture(platform)}",
        )
    say(f"registering QEMU for {platform}")
    command = ["sh", "-c", f"cat {format_} > {_BINFMT / 'register'}"]
    machine.run_as_root(command, "registering QEMU")
