"""/dev/shm, over which ranks of one container talk: how much it needs, and who has too little."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mpigen.notation.sizes import format_bytes

if TYPE_CHECKING:
    from mpigen.cluster.model import Group

DEFAULT = 512 * 1024**2
# the most that a rank of Open MPI takes (btl_sm_segment_size). With less, 16 ranks ended with a
# bus error from 2 to 6 MiB each, and MPICH's could not begin with up to 8 (as measured on 5.0.7
# and on 4.2.1)
_OF_A_RANK = 16 * 1024**2


def size(slots: int, memory: int | None) -> int:
    """Bytes of /dev/shm for so many ranks; they count against `memory`."""
    wanted = max(DEFAULT, slots * _OF_A_RANK)
    return min(wanted, memory // 2) if memory else wanted


def too_small(groups: Iterable["Group"]) -> list[str]:
    """A sentence for each group whose ranks may find no room there. A single rank needs none."""
    found = []
    for group in groups:
        wanted = group.slots * _OF_A_RANK
        if group.slots > 1 and group.shm < wanted:
            found.append(
                f"{group.name}: {format_bytes(group.shm)} of /dev/shm is little for {group.slots} "
                f"slots: a rank takes up to {format_bytes(_OF_A_RANK)}, and where there is no room "
                f"it fails, or ends with a bus error; set shm to {format_bytes(wanted)} or more"
                f"{', which counts against memory' if group.memory else ''}"
            )
    return found
