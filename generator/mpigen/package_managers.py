"""Package managers: how each installs, and what the packages are called that every cluster needs.

Only apt has been run by mpigen's tests. The others are rendered, from their distributions' package
pages of November 2026.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class PackageManager:
    """A package manager, as the Dockerfile uses it.

    `images`: parts of the names of images that have it. `refresh`, `install`, `clean`: commands.
    `unpinned`: hadolint's rule that asks for versions, which are those of the base image here.
    `commands`: the packages of the commands that every container needs.
    `compilers`, `python` and `python_build`: packages for programs in C++ and in Python, and `pip`
    what a virtual environment with pip needs. `written`: the form of a package in mpigen.yaml, and
    how to say it.
    """

    name: str
    images: tuple[str, ...]
    refresh: str
    install: str
    clean: str
    unpinned: str
    commands: dict[str, str]
    compilers: tuple[str, ...]
    python: tuple[str, ...]
    python_build: tuple[str, ...]
    pip: tuple[str, ...] = ()
    written: tuple[str, str] = (".+", "name or name=version")

    @property
    def command(self) -> str:
        """Its program, as a base image has it or not."""
        return self.refresh.partition(" ")[0]

    @property
    def needed(self) -> tuple[str, ...]:
        """The packages that every container needs."""
        return tuple(sorted(set(self.commands.values())))


APT = PackageManager(
    name="apt",
    images=("debian", "ubuntu"),
    refresh="apt-get update",
    install="DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends",
    clean="rm -rf /var/lib/apt/lists/* /var/cache/apt/*",
    unpinned="DL3008",
    commands={"/usr/sbin/sshd": "openssh-server", "ssh": "openssh-client", "ip": "iproute2"},
    compilers=("g++", "make"),
    python=("python3",),
    python_build=("python3-dev", "python3-venv"),
    pip=("ca-certificates", "python3-venv"),
    # Debian policy 5.6.1
    written=("[a-z0-9][a-z0-9+.-]+(=[^_]+)?", "name or name=version, the name in lower case"),
)

MANAGERS = {
    each.name: each
    for each in (
        APT,
        PackageManager(
            name="dnf",
            images=(
                *("almalinux", "amazonlinux", "centos", "fedora", "oraclelinux"),
                *("rockylinux", "ubi", "ubi9", "ubi10"),
            ),
            refresh="dnf makecache",
            install="dnf install -y --setopt=install_weak_deps=False",
            clean="dnf clean all",
            unpinned="DL3041",
            commands={
                "/usr/sbin/sshd": "openssh-server",
                "ssh": "openssh-clients",
                "ip": "iproute",
                "awk": "gawk",
                "perl": "perl",
                "setsid": "util-linux",
                "useradd": "shadow-utils",
            },
            compilers=("gcc-c++", "make"),
            python=("python3",),
            python_build=("python3-devel",),
            written=("[^=]+", "name or name-version"),
        ),
        PackageManager(
            name="zypper",
            images=("leap", "opensuse", "tumbleweed"),
            refresh="zypper --non-interactive refresh",
            install="zypper --non-interactive install --no-recommends",
            clean="zypper clean --all",
            unpinned="DL3037",
            commands={
                "/usr/sbin/sshd": "openssh-server",
                "ssh": "openssh-clients",
                "ip": "iproute2",
                "awk": "gawk",
                "perl": "perl",
                "setsid": "util-linux",
                "useradd": "shadow",
            },
            compilers=("gcc-c++", "make"),
            python=("python3",),
            python_build=("python3-devel",),
        ),
        PackageManager(
            name="apk",
            images=("alpine",),
            refresh="apk update",
            install="apk add --no-cache",
            clean="rm -rf /var/cache/apk/*",
            unpinned="DL3018",
            commands={
                "/usr/sbin/sshd": "openssh-server",
                "ssh": "openssh-client",
                "ip": "iproute2",
                "bash": "bash",
                "perl": "perl",
                "useradd": "shadow",
            },
            compilers=("g++", "make"),
            python=("python3",),
            python_build=("python3-dev",),
        ),
    )
}
"""Every package manager, by its name in mpigen.yaml."""


def manager_of(base: str, named: str | None = None) -> PackageManager:
    """Return the package manager `named`, or that of the image `base` by its name, or else apt."""
    if named:
        return MANAGERS[named]
    parts = set(re.split("[/:@]", base))
    for manager in MANAGERS.values():
        if not parts.isdisjoint(manager.images):
            return manager
    return APT
