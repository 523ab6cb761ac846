"""The files and folders of a site that mpigen.yaml names."""

from collections.abc import Callable
from pathlib import Path

from mpigen.untrusted.faults import DATA_FAULTS
from mpigen.untrusted.places import leads_out
from mpigen.untrusted.quoting import LONGEST, clip


def missing(path: str, site: Path, exists: Callable[[Path], bool], what: str) -> str:
    """Return why `path`, in the folder `site`, cannot be used; empty if it can.

    It must exist, as `exists` tells, and lie in the site once symlinks are followed.
    """
    place = site / path
    name = clip(str(place), 2 * LONGEST)
    try:
        if leads_out(place, site):
            return f"{name} is a link that leads out of the site: replace it with a copy"
        there = exists(place)
    except DATA_FAULTS:  # the path is too long
        there = False
    return "" if there else f"there is no {what} {name}: the path is relative to this file's folder"
