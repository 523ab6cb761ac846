"""Diagnose a cluster: facts in, findings out, at least one per check, in a fixed order."""

from mpigen.doctor import checks_cluster as cluster
from mpigen.doctor import checks_engine as engine
from mpigen.doctor import checks_image, checks_storage
from mpigen.doctor import checks_network as network
from mpigen.doctor.facts import Facts
from mpigen.doctor.findings import Finding

# name, check: first the checks that ask a manager, then those that need the probes; `storage` only
# where some is said to be shared
_SWARM = (
    ("managers", cluster.managers),
    ("nodes", cluster.nodes),
    ("look", cluster.look),
    ("image", checks_image.image),
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
    checks = [*_SWARM, *([("storage", checks_storage.storage)] if facts.shared else [])]
    names = [name for name, _ in checks]
    if not facts.engine:
        return [*found, *_unknown("no engine answers", ["swarm", *names])]
    found += cluster.swarm(facts)
    if not facts.nodes:
        why = "a worker does not know this" if facts.swarm == "active" else "there is no Swarm"
        if facts.is_manager:
            why = "its manager has not answered"
        return [*found, *_unknown(why, names)]
    return [*found, *(finding for _, check in checks for finding in check(facts))]


def _unknown(why: str, checks: list[str]) -> list[Finding]:
    return [Finding(check, "unknown", why) for check in checks]
