"""Docker's names of platforms, such as `linux/arm64`, and the kernel's names of their machines."""

# what uname -m prints and Swarm compares as node.platform.arch, by Docker's name: containerd,
# platforms/database.go
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}

PLATFORMS = tuple(f"linux/{name}" for name in _MACHINES.values())
"""The platforms that images can be built for."""


def architecture(platform: str) -> str:
    """Return the processor of a platform: `linux/arm64` -> `arm64`."""
    return platform.partition("/")[2]


def platform_of(machine: str) -> str:
    """Return the platform of a node.platform.arch: `aarch64` -> `linux/arm64`."""
    return f"linux/{_MACHINES.get(machine, machine)}"


def machine_of(platform: str) -> str:
    """Return the node.platform.arch of a platform: `linux/arm64` -> `aarch64`."""
    machines = {docker: machine for machine, docker in _MACHINES.items()}
    return machines.get(architecture(platform), architecture(platform))
