"""Which slots a job takes, and which other jobs have them."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from mpigen.job.spec import JobSpec

if TYPE_CHECKING:
    from mpigen.job.describe import Job
    from mpigen.job.hosts import Hosts


def taken(job: JobSpec, hosts: "Hosts") -> dict[str, int]:
    """The number of slots that a job takes of each group of `hosts`.

    mpirun fills the groups in their order, each from its first host on. Options of mpirun on the
    job's command line may spread the ranks: then it is as many of each group as may be.
    """
    left = hosts.total if job.ranks is None else job.ranks
    found = {}
    for group, count in hosts.counts.items():
        found[group] = min(left, count * hosts.slots[group])
        left -= 0 if job.places else found[group]
    return {group: count for group, count in found.items() if count}


def label(slots: Mapping[str, int]) -> str:
    """The value of SLOTS_LABEL."""
    return " ".join(f"{group}={count}" for group, count in slots.items())


def from_label(text: str) -> dict[str, int]:
    """What `label` has written."""
    pairs = (pair.partition("=") for pair in text.split())
    return {group: int(count) for group, _, count in pairs if count.isdigit()}


def in_use(jobs: Iterable["Job"]) -> dict[str, int]:
    """The slots of each group that running jobs have.

    Every job begins with the first host, so jobs share slots, and the largest has all of them.
    """
    found: dict[str, int] = {}
    for job in jobs:
        if job.state == "running":
            for group, count in job.slots.items():
                found[group] = max(found.get(group, 0), count)
    return found


def shared(wanted: Mapping[str, int], jobs: Iterable["Job"]) -> list[str]:
    """What running jobs have of the slots that another one wants, as "heat has 4 of worker"."""
    found = []
    for job in jobs:
        groups = [group for group in job.slots if group in wanted]
        if job.state == "running" and groups:
            parts = (f"{job.slots[group]} of {group}" for group in groups)
            found.append(f"{job.name} has {', '.join(parts)}")
    return found
