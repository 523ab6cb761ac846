"""This machine: commands as root, Debian packages, routes, and the folder of mpigen's state."""

import os
import shutil
import sys
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import IO

from mpigen.errors import ClusterError
from mpigen.swarm.processes import Say, run, tail


def state_root() -> Path:
    """The folder of mpigen's state: one folder per lab, and `engine.json`."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "mpigen"


def log_tail(log: str) -> str:
    """The last lines of a dockerd's log above level info, indented."""
    return tail("\n".join(line for line in log.splitlines() if "level=info" not in line))


def run_as_root(command: Sequence[str], what: str, stdout: IO[bytes] | None = None) -> str:
    """Run a command as root: directly, or with sudo (which may ask for a password).

    Raises ClusterError if neither is possible, and as `run` does.
    """
    if os.geteuid() == 0:
        return run(command, what, stdout)
    if shutil.which("sudo"):
        return run(["sudo", *command], what, stdout)
    raise ClusterError(
        f"{what}: this needs root, and there is no sudo",
        "Run it as root, or ask whoever administers this machine to.",
    )


def routed_networks(table: str) -> list[IPv4Network]:
    """The networks of a /proc/net/route, without the default route (proc_net(5))."""
    networks = []
    for line in table.splitlines()[1:]:
        _, destination, *_, mask, _mtu, _window, _irtt = line.split()
        # each is an address in network order, printed as a number in this machine's byte order
        address, netmask = (
            IPv4Address(int(word, 16).to_bytes(4, sys.byteorder)) for word in (destination, mask)
        )
        if int(netmask):
            networks.append(IPv4Network(f"{address}/{netmask}"))
    return networks


def is_debian_like(os_release: str) -> bool:
    """Whether the text of /etc/os-release is that of Debian or of a derivative."""
    pairs = dict(line.split("=", 1) for line in os_release.splitlines() if "=" in line)
    families = f"{pairs.get('ID', '')} {pairs.get('ID_LIKE', '')}".replace('"', "").split()
    return "debian" in families


def install(packages: Sequence[str], say: Say) -> None:
    """Install Debian packages, and say which.

    Raises ClusterError on other distributions, without root, or if apt fails.
    """
    release = Path("/etc/os-release")
    if not (release.exists() and is_debian_like(release.read_text("utf-8"))):
        raise ClusterError(
            f"mpigen installs packages only on Debian and Ubuntu; missing: {' '.join(packages)}",
            "Install them with this machine's package manager, then run the command again.",
        )
    say(f"installing Debian packages: {' '.join(packages)}")
    apt = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y"]
    run_as_root([*apt, "update"], "apt-get update")
    run_as_root([*apt, "install", "--no-install-recommends", *packages], "apt-get install")
