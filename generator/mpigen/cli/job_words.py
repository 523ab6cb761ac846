"""What `mpigen run` and `mpigen shell` say before a job begins."""

from typing import TYPE_CHECKING

from mpigen.cli.progress import say
from mpigen.notation.counts import counted

if TYPE_CHECKING:
    from mpigen.job.hosts import Hosts
    from mpigen.job.spec import JobSpec
    from mpigen.swarm.deployment import Deployment


def say_shared(cluster: "Deployment", hosts: "Hosts", job: "JobSpec") -> None:
    """Say which jobs have the slots on which a job begins: it runs beside them."""
    from mpigen.job import listing, slots

    if not hosts.known:
        return
    known = listing.every(cluster)
    found = slots.shared(slots.taken(job, hosts), known)
    found += [f"{each} may also be a job" for each in listing.foreign(cluster, known)]
    if found:
        say(f"mpigen: slots in use: {'; '.join(found)}; this job shares them")


def greeting(cluster: "Deployment", hosts: "Hosts") -> str:
    """The hosts and slots of a shell, and how to leave it."""
    parts = ", ".join(
        f"{group} {count} x {counted(hosts.slots[group], 'slot')}"
        for group, count in hosts.counts.items()
    )
    count = sum(hosts.counts.values())
    return (
        f"{cluster.stack}: {counted(count, 'host')}, {counted(hosts.total, 'slot')} "
        f"({parts}); their names are in /run/mpi/hostfile.names\n"
        "mpirun CMD runs on all slots, ssh HOST logs in to a host; leave with exit or Ctrl-D"
    )
