"""The size of /dev/shm, over which ranks of one container communicate, and a check of it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mpigen.notation.sizes import format_bytes

if TYPE_CHECKING:
    from mpigen.cluster.model import Group

DEFAULT = 512 * 1024**2
# Open MPI's btl_sm_segment_size, the most that a rank needs. docs/architecture.md: Size of /dev/shm
_PER_RANK = 16 * 1024**2


def size(slots: int, memory: int | None) -> int:
    """Bytes of /dev/shm for `slots` ranks: at most half of `memory`, which they count against."""
    wanted = max(DEFAULT, slots * _PER_RANK)
    return min(wanted, memory // 2) if memory else wanted


def too_small(groups: Iterable["Group"]) -> list[str]:
    """One sentence per group with too little /dev/shm for its ranks. A single rank needs none."""
    found = []
    for group in groups:
        wanted = group.slots * _PER_RANK
        if group.slots > 1 and group.shm < wanted:
            found.append(
                f"{group.name}: {format_bytes(group.shm)} of /dev/shm is small for {group.slots} "
                f"slots: a rank uses up to {format_bytes(_PER_RANK)}, and where there is no room "
                f"it fails, or ends with a bus error; set shm to {format_bytes(wanted)} or more"
                f"{', which counts against memory' if group.memory else ''}"
            )
    return found
