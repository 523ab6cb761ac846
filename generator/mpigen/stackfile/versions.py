"""The versions of stack files, and the release of Docker whose client is the first to take each."""

Release = tuple[int, ...]

# docker/cli, cli/compose/schema/data: the same file in every client that has it, apart from 3.13,
# which got oom_score_adj in 27.1. Compared in clients of 20.10, 24.0, 26.1, 27.5, 28.5 and 29.1.
VERSIONS: dict[str, Release] = {
    "3.8": (19, 3),
    "3.9": (20, 10),  # limits.pids
    "3.10": (23, 0),  # `version` may be missing; x-cluster-spec, which deploys nothing
    "3.11": (24, 0),  # any key in build, which is ignored
    "3.12": (25, 0),  # start_interval of health checks
    "3.13": (27, 0),  # driver_opts of a service's networks, and oom_score_adj
}
OPTIONAL_VERSION: Release = (23, 0)
"""The first client that takes a stack file without a version: as its newest."""


def release(text: str) -> Release:
    """The numbers of a version of Docker, such as `25.0`."""
    return tuple(map(int, text.split(".")))


def newest(engine: Release) -> str:
    """The newest version that clients from `engine` on take."""
    return [version for version, first in VERSIONS.items() if first <= engine][-1]


def needs(engine: Release) -> str:
    """The advice for what came with `engine`."""
    text = ".".join(map(str, engine))
    return f"needs Docker {text}: set engine: {{minimum: '{text}'}}"
