"""Diagnose a cluster: facts in, findings out, at least one per check, in a fixed order."""

from mpigen.doctor import checks_cluster as cluster
from mpigen.doctor import checks_engine as engine
from mpigen.doctor import checks_network as network
from mpigen.doctor.facts import Facts
from mpigen.doctor.findings import Finding

# name, check: first the checks that ask a manager, then those that need the probes
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
    """The findings of all checks. A check without its facts returns `unknown` and the reason."""
    found = [*engine.client(facts), *engine.engine(facts)]
    if not facts.engine:
        return [*found, *_unknown("no engine answers", ["swarm", *(name for name, _ in _SWARM)])]
    found += cluster.swarm(facts)
    if not facts.nodes:
        why = "a worker cannot tell" if facts.swarm == "active" else "there is no Swarm"
        if facts.is_manager:
            why = "its manager has not answered"
        return [*found, *_unknown(why, [name for name, _ in _SWARM])]
    return [*found, *(finding for _, check in _SWARM for finding in check(facts))]


def _unknown(why: str, checks: list[str]) -> list[Finding]:
    return [Finding(check, "unknown", why) for check in checks]
