"""What ails a cluster: facts in, findings out, one line or more a check, in a fixed order."""

from mpigen.doctor import checks_cluster as cluster
from mpigen.doctor import checks_network as network
from mpigen.doctor.facts import Facts
from mpigen.doctor.findings import Finding

# name, check: those that need a manager, then those that need to look into nodes
_SWARM = (
    ("managers", cluster.managers),
    ("nodes", cluster.nodes),
    ("look", cluster.look),
    ("image", cluster.image),
    ("workers", cluster.workers),
    ("disk", cluster.disk),
    ("clock", cluster.clock),
    ("ports", network.ports),
    ("overlay", network.path),
    ("mtu", network.mtu),
    ("subnet", network.subnet),
    ("kernel", network.kernel),
    ("dns", network.names),
)


def examine(facts: Facts) -> list[Finding]:
    """Every check's findings. Where what a check needs is not known, it says so, and why."""
    found = [*cluster.client(facts), *cluster.engine(facts)]
    if not facts.engine:
        return [*found, *_blind("no engine answers", ["swarm", *(name for name, _ in _SWARM)])]
    found += cluster.swarm(facts)
    if not facts.nodes:
        why = "a worker cannot tell" if facts.swarm == "active" else "there is no Swarm"
        if facts.is_manager:
            why = "the Swarm has no leader"
        return [*found, *_blind(why, [name for name, _ in _SWARM])]
    return [*found, *(finding for _, check in _SWARM for finding in check(facts))]


def _blind(why: str, checks: list[str]) -> list[Finding]:
    return [Finding(check, "unknown", why) for check in checks]
