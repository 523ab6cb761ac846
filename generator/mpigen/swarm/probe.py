"""Run a script on every node through a Swarm service, without the address of any node's engine.

A probe is a global service of the cluster's own image, so nodes need nothing else. It runs once,
answers in its log, and is removed.
"""

import secrets
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from mpigen.notation.timestamps import parse_timestamp
from mpigen.swarm import leftovers, nodes, processes
from mpigen.swarm.engine import Engine, blame
from mpigen.swarm.placement import allows
from mpigen.swarm.state import ENDED

# The parts that differ between two images of a cluster: keys, scripts, programs, packages. Private
# keys are left out, since many people can read a container's output. Images for other processors
# differ in all programs, so their fingerprints end with the machine.
FINGERPRINT = (
    '{ find /etc/mpi /etc/ssh /opt /usr/local -type f ! -name "id_*" ! -name "*_key"'
    " -exec sha256sum {} + 2>/dev/null; cat /var/lib/dpkg/status.main 2>/dev/null"
    " || cat /var/lib/dpkg/status; }"
    ' | sort | sha256sum | cut -c 1-12 | sed "s/$/-$(uname -m)/"'
)

_LOG_SECONDS = 60
_SILENCE_SECONDS = 5.0
_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Probe:
    """A script of `probes/` to run on the nodes that the placement `constraints` allow.

    `container` is merged into its ContainerSpec. Without `output` its log is not read: exit code 0
    is the answer.
    """

    script: str
    network: str
    image: str
    environment: Mapping[str, str]
    container: Mapping[str, Any] = field(default_factory=dict)
    constraints: Sequence[str] = ()
    output: bool = True


@dataclass(frozen=True)
class Answer:
    """A probe's output on one node, or the reason why there is none.

    `late`: nothing failed, and its end or its output was not waited for any longer. `clock` has
    the least and the most that the node's clock can be ahead of the leader's, in seconds, or is
    None: the node stamps when its task ended, and the leader when it made the task and when it
    learned of its end, which a slow server reports late.
    """

    lines: tuple[str, ...] = ()
    error: str = ""
    late: bool = False
    clock: tuple[float, float] | None = None


def run(engine: Engine, probes: Sequence[Probe], seconds: float) -> list[dict[str, Answer]]:
    """Run probes in parallel; return for each the answers of the ready nodes, by node id.

    Waits at most `seconds`; the error of a node that is late is the state of its task. The
    services are removed however this ends, and those that a killed command left are removed
    first. Raises ClusterError if the manager is silent.
    """
    leftovers.sweep(engine)
    # chosen first, so that an interrupt can remove a service whose creation is still under way
    names = [f"mpigen-probe-{secrets.token_hex(6)}" for _ in probes]
    try:
        with blame("checking the nodes"):
            # an interrupt waits for these
            processes.in_parallel(
                lambda pair: _create(engine, *pair, seconds),
                list(zip(names, probes, strict=True)),
            )
            tasks = _wait(engine, dict(zip(names, probes, strict=True)), seconds)
            return [
                _answers(engine, name, probe, tasks[name], seconds)
                for name, probe in zip(names, probes, strict=True)
            ]
    finally:
        processes.in_parallel(lambda name: leftovers.remove(engine, name), names)


def _create(engine: Engine, name: str, probe: Probe, seconds: float) -> None:
    script = _program(f"{probe.script}.sh")
    environment = {"NODE": "{{.Node.ID}}", **probe.environment}
    if probe.output:
        environment["TCP"] = _program("tcp.pl")
    engine.client.api.create_service(  # type: ignore[no-untyped-call]
        {
            "ContainerSpec": {
                **probe.container,
                "Image": probe.image,
                "Command": ["/bin/sh", "-c", script],
                "Env": [f"{key}={value}" for key, value in environment.items()],
                "CapabilityDrop": ["ALL"],
                # a shell that is process 1 ignores SIGTERM
                "Init": True,
                "StopGracePeriod": 1_000_000_000,
            },
            "RestartPolicy": {"Condition": "none"},
            "Placement": {"Constraints": list(probe.constraints)},
            "Networks": [{"Target": probe.network}],
            # the engine's default driver may be one whose logs cannot be read
            "LogDriver": {"Name": "json-file"},
        },
        name=name,
        labels=leftovers.labels(seconds),
        mode={"Global": {}},
        endpoint_spec={"Mode": "dnsrr"},
    )


def _program(name: str) -> str:
    return files(__package__).joinpath("probes", name).read_text("utf-8")


def _wait(
    engine: Engine, probes: Mapping[str, Probe], seconds: float
) -> dict[str, dict[str, dict[str, Any]]]:
    """Wait for all tasks to end, at most `seconds`; return them by service name and node id.

    `probes` are by service name. A node without a task yet has an empty one; a node that the
    probe's constraints exclude has none.
    """
    deadline = time.monotonic() + seconds
    while True:
        ready = [node for node in nodes.listed(engine.client) if node.is_ready]
        tasks: dict[str, dict[str, dict[str, Any]]] = {
            name: {node.id: {} for node in ready if allows(node, probe.constraints)}
            for name, probe in probes.items()
        }
        for name in probes:
            for task in engine.client.api.tasks({"service": name}):  # type: ignore[no-untyped-call]
                if task.get("NodeID") in tasks[name]:
                    tasks[name][task["NodeID"]] = task
        found = [task for each in tasks.values() for task in each.values()]
        if all(task and task["Status"]["State"] in ENDED for task in found):
            return tasks
        if time.monotonic() > deadline:
            return tasks
        time.sleep(_POLL_SECONDS)


def _answers(
    engine: Engine, name: str, probe: Probe, tasks: Mapping[str, dict[str, Any]], seconds: float
) -> dict[str, Answer]:
    if not probe.output:
        return {node: _end(task, seconds) for node, task in tasks.items()}
    complete = {node for node, task in tasks.items() if _state(task) == "complete"}
    lines = _log(engine, name, complete)
    return {node: _answer(task, lines.get(node, ()), seconds) for node, task in tasks.items()}


def _answer(task: dict[str, Any], lines: Sequence[str], seconds: float) -> Answer:
    if _state(task) != "complete":
        return _end(task, seconds)
    if "end=yes" in lines:
        return Answer(tuple(lines), clock=_clock(task))
    return Answer(error=f"no output has arrived within {_LOG_SECONDS} s", late=True)


def _end(task: dict[str, Any], seconds: float) -> Answer:
    state = _state(task)
    if state == "complete":
        return Answer(clock=_clock(task))
    reason = task.get("Status", {}).get("Err", "") if task else ""
    if reason or state in ENDED:
        return Answer(error=reason or f"its container is {state}")
    return Answer(error=f"its container is {state} after {seconds:.0f} s", late=True)


def _state(task: dict[str, Any]) -> str:
    return str(task["Status"]["State"]) if task else "not made yet"


def _clock(task: dict[str, Any]) -> tuple[float, float]:
    # the node stamps the state that it reports, the leader stamps the changes that it stores
    ended = parse_timestamp(task["Status"]["Timestamp"])
    made, learned = (parse_timestamp(task[key]) for key in ("CreatedAt", "UpdatedAt"))
    return (ended - learned).total_seconds(), (ended - made).total_seconds()


def _log(engine: Engine, service: str, expected: set[str]) -> dict[str, list[str]]:
    """The output of the `expected` nodes, by node id, read until each has printed its last line.

    Right after a container has ended, Swarm sometimes returns its log incomplete: then it is read
    again, for at most _LOG_SECONDS.
    """
    deadline = time.monotonic() + _LOG_SECONDS
    silence = _SILENCE_SECONDS
    while True:
        lines = _read(engine, service, silence) if expected else {}
        complete = all("end=yes" in lines.get(node, ()) for node in expected)
        if complete or time.monotonic() > deadline:
            return lines
        # a slow server needs longer for its first line than a lost one is to be waited for
        silence *= 2
        time.sleep(_POLL_SECONDS)


def _read(engine: Engine, service: str, seconds: float) -> dict[str, list[str]]:
    # not with the SDK: it waits for ever on a silent stream, whatever its client's timeout
    command = engine.command("service", "logs", "--raw", service)
    try:
        log = subprocess.run(command, capture_output=True, timeout=seconds).stdout
    except subprocess.TimeoutExpired as late:
        # a lost node can keep the stream of all nodes open
        log = late.stdout or b""
    found: dict[str, list[str]] = {}
    for line in log.decode("utf-8", "replace").splitlines():
        node, _, text = line.partition(" ")
        found.setdefault(node, []).append(text)
    return found
