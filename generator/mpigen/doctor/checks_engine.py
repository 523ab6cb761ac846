"""The doctor's checks of the docker command and the engines: whether they are new enough."""

from dataclasses import dataclass

from mpigen.doctor.facts import Facts
from mpigen.doctor.findings import Finding, names_by_text
from mpigen.swarm.engine_faults import parse_version, split_encryption


@dataclass(frozen=True)
class Need:
    """A feature that the artifacts use, the version of Docker that introduced it, and its source.

    Features newer than engine.minimum are not rendered.
    """

    version: str
    what: str
    source: str


NEEDS = (
    Need("27.1", "oom_score_adj in services", "docker/cli#5274"),
    Need("27.0", "stack files of version 3.13", "docker/cli#5125"),
    Need("25.0", "stack files of version 3.12", "docker/cli#4611"),
    Need("25.0", "start_interval of health checks", "docs.docker.com, compose file versions: 3.12"),
    Need("24.0", "stack files of version 3.11", "docker/cli#4214"),
    Need("23.0", "stack files of version 3.10", "compared with clients of 20.10 and 24.0"),
    Need("23.0", "job modes of services", "docker/cli#2907"),
    Need("20.10", "host names such as worker-1 that resolve", "measured; moby/moby#39204"),
    Need("20.10", "cap_drop in services", "docs.docker.com/reference/api/engine/version-history"),
    Need("19.03", "stack files of version 3.8", "docs.docker.com, compose file versions"),
    Need("18.06", "init in services", "docs.docker.com, compose file versions: 3.7"),
    Need("17.09", "start_period of health checks", "docs.docker.com, compose file versions: 3.4"),
    Need("1.13", "attachable overlays", "github.com/moby/moby/releases/tag/v1.13.0"),
)
_SHARED_MEMORY = "23.0"
"""From this version on, MPI may copy between processes: moby/moby#42083, and measured."""


def client(facts: Facts) -> list[Finding]:
    """Check that the docker command is new enough to deploy the artifacts."""
    if not facts.client:
        todo = "Install it: https://docs.docker.com/engine/install/"
        return [Finding("client", "bad", facts.client_error, todo)]
    return _version("client", {"the docker command": facts.client}, facts.minimum)


def engine(facts: Facts) -> list[Finding]:
    """Check that the engine answers, and that all engines of the Swarm are new enough."""
    if not facts.engine:
        return [Finding("engine", "bad", facts.engine_error, facts.engine_hint)]
    known = {node.name: node.engine for node in facts.nodes if node.engine}
    found = _version("engine", known or {facts.where: facts.engine}, facts.minimum)
    if facts.encrypted and (fault := split_encryption(facts.nodes)):
        found.append(Finding("engine", "bad", fault.what, f"{fault.todo.capitalize()}."))
    return found


def _version(check: str, versions: dict[str, str], minimum: str) -> list[Finding]:
    found = []
    for version, names in names_by_text(versions.items()).items():
        numbers = parse_version(version)
        if not numbers:
            what = f"{version} of {names} cannot be compared with {minimum}"
            found.append(Finding(check, "unknown", what))
        elif numbers < parse_version(minimum):
            lacks = [
                need.what
                for need in NEEDS
                if numbers < parse_version(need.version) <= parse_version(minimum)
            ]
            what = f"{names}: {version} is older than {minimum}"
            what += f", without {', '.join(lacks)}" if lacks else ""
            found.append(Finding(check, "bad", what, f"Install Docker {minimum} or newer."))
        else:
            what = f"{version}: {names} ({minimum} is needed)"
            if check == "engine" and numbers < parse_version(_SHARED_MEMORY):
                what += f"; from {_SHARED_MEMORY} on, MPI is quicker between ranks of a container"
            found.append(Finding(check, "ok", what))
    return found
