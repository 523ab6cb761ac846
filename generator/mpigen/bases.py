"""The base images that are known: which MPI each release brings, and which does not work."""

import re
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Release:
    """A release of Debian or Ubuntu, known by its image's name.

    `versions` maps implementations to the version that its packages have (the distributions'
    package pages, looked up in November 2026), `broken` those that cannot be used to the reason.
    """

    name: str
    image: str
    versions: dict[str, str]
    broken: dict[str, str] = field(default_factory=dict)


RELEASES = (
    Release("Debian 12", "debian:(bookworm|12)", {"openmpi": "4.1.4", "mpich": "4.0.2"}),
    Release("Debian 13", "debian:(trixie|13)", {"openmpi": "5.0.7", "mpich": "4.2.1"}),
    Release("Ubuntu 22.04", r"ubuntu:(jammy|22\.04)", {"openmpi": "4.1.2", "mpich": "4.0"}),
    Release(
        "Ubuntu 24.04",
        r"ubuntu:(noble|24\.04)",
        {"openmpi": "4.1.6", "mpich": "4.2.0"},
        {
            "mpich": "Ubuntu 24.04's MPICH (4.2.0-5build3) starts every rank as a job of its own: "
            "take openmpi, or debian:trixie-slim"
        },
    ),
)


def release_of(base: str) -> Release | None:
    """The release that an image is of, by its name; None for a site's own image."""
    name = base.partition("@")[0]
    for release in RELEASES:
        if re.fullmatch(rf"(.*/)?{release.image}([.-].*)?", name):
            return release
    return None
