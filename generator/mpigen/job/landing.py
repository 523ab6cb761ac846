"""Where files from hosts land: complete in a folder beside the target, then in their places."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from mpigen.errors import InputError
from mpigen.job.arrival import Arrived
from mpigen.swarm import scratch


@contextmanager
def beside(target: Path) -> Iterator[Path]:
    """A new folder on the target's disk, which need not be there yet; gone after the block.

    What a killed command has left there is removed first.
    """
    parent = target
    while not parent.exists() and parent != parent.parent:
        parent = parent.parent
    if not parent.is_dir():
        raise InputError(f"{parent} is a file: files are pulled into a folder")
    with scratch.folder("pull", str(parent)) as made:
        (made / "files").mkdir()
        yield made / "files"


def places(files: Sequence[Arrived], by_host: bool | None) -> dict[Arrived, Path]:
    """Where each file is to lie below the target: in a folder of its host, if `by_host`.

    None: only if two hosts have sent a file of the same name.
    """
    if by_host is None:
        by_host = any(count > 1 for count in Counter(each.name for each in files).values())
    return {each: Path(each.host, each.name) if by_host else Path(each.name) for each in files}


def land(landed: Path, target: Path, where: Mapping[Arrived, Path]) -> int:
    """Move complete files from `landed`/HOST to their places below `target`.

    Returns how many of them replaced another file. Raises InputError, before any is moved, if one
    of them cannot be.
    """
    device = landed.stat().st_dev
    problems = []
    for place in where.values():
        if (target / place).is_dir():
            problems.append(f"{target / place} is a folder, but a file of that name has arrived")
        for parent in list((target / place).parents)[: len(place.parts)]:
            if parent.exists() and not parent.is_dir():
                problems.append(f"{parent} is a file, but a folder of that name has arrived")
            elif parent.is_dir() and parent.stat().st_dev != device:
                problems.append(f"{parent} is on another disk: pull into it")
    if problems:
        raise InputError("\n".join(dict.fromkeys(problems)), "Nothing was written.")
    replaced = sum(os.path.lexists(target / place) for place in where.values())
    for place in where.values():
        (target / place).parent.mkdir(parents=True, exist_ok=True)
    for arrived, place in where.items():
        (landed / arrived.host / arrived.name).replace(target / place)
    return replaced
