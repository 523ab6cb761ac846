"""Scripts run on every node, without knowing where the nodes' engines are: as a Swarm service.

A probe is a global service of the cluster's own image, so that nothing else has to be on a node.
It runs once, answers in its log, and is removed again.
"""

import secrets
import subprocess
import time
from calendar import timegm
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from docker.errors import NotFound

from mpigen.swarm import processes
from mpigen.swarm.engine import Engine, blame
from mpigen.swarm.placement import allows

LABEL = "mpigen.probe"
_ENDED = ("complete", "failed", "rejected", "shutdown", "orphaned")
_LOG_SECONDS = 30
_SILENCE_SECONDS = 5
_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Probe:
    """A script of `probes/`, and where it runs. `container` adds to its ContainerSpec.

    `constraints` are of placement, as in stack.yml: it runs on the nodes that they allow. One that
    has no `output` answers by ending well, and its log is not asked for.
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
    """What a probe said on one node: the lines, or why there are none.

    `clock` is the node's clock against the leader's, in seconds, or None: the node writes down
    when its task ended, and the leader when it heard of that, some tenths of a second later.
    """

    lines: tuple[str, ...] = ()
    error: str = ""
    clock: float | None = None


def run(engine: Engine, probes: Sequence[Probe], seconds: float) -> list[dict[str, Answer]]:
    """Run probes at the same time; for each, the answer of each node that is ready, by its id.

    Waits `seconds` at most: a node that has not ended by then has its task's state for an error.
    The services are removed however this ends. Raises ClusterError if the manager is silent.
    """
    # known before they are made: an interrupt must find what a request under way has made
    names = [f"mpigen-probe-{secrets.token_hex(6)}" for _ in probes]
    try:
        with blame("looking into the nodes"):
            # an interrupt waits for these
            processes.each(
                lambda pair: _create(engine, *pair), list(zip(names, probes, strict=True))
            )
            tasks = _wait(engine, dict(zip(names, probes, strict=True)), seconds)
            return [
                _answers(engine, name, probe, tasks[name])
                for name, probe in zip(names, probes, strict=True)
            ]
    finally:
        processes.each(lambda name: _remove(engine, name), names)


def _create(engine: Engine, name: str, probe: Probe) -> None:
    script = files(__package__).joinpath("probes", f"{probe.script}.sh").read_text("utf-8")
    environment = {"NODE": "{{.Node.ID}}", **probe.environment}
    engine.client.api.create_service(  # type: ignore[no-untyped-call]
        {
            "ContainerSpec": {
                **probe.container,
                "Image": probe.image,
                "Command": ["/bin/sh", "-c", script],
                "Env": [f"{key}={value}" for key, value in environment.items()],
                "CapabilityDrop": ["ALL"],
                # a shell as the first process does not hear SIGTERM
                "Init": True,
                "StopGracePeriod": 1_000_000_000,
            },
            "RestartPolicy": {"Condition": "none"},
            "Placement": {"Constraints": list(probe.constraints)},
            "Networks": [{"Target": probe.network}],
            # an engine's own driver may be one that nobody can read
            "LogDriver": {"Name": "json-file"},
        },
        name=name,
        labels={LABEL: ""},
        mode={"Global": {}},
        endpoint_spec={"Mode": "dnsrr"},
    )


def _remove(engine: Engine, name: str) -> None:
    hint = f"It is left: docker service rm {name}"
    with blame(f"removing the service {name}", hint), suppress(NotFound):
        engine.client.api.remove_service(name)  # type: ignore[no-untyped-call]


def _wait(
    engine: Engine, probes: Mapping[str, Probe], seconds: float
) -> dict[str, dict[str, dict[str, Any]]]:
    """The task of each service on each node that is ready, once all have ended or time is up.

    `probes` are by the name of their service. A node on which there is no task yet has an empty
    one; one that a probe's constraints leave out has none.
    """
    deadline = time.monotonic() + seconds
    while True:
        ready = [
            node
            for node in engine.client.api.nodes()
            if (node["Status"]["State"], node["Spec"]["Availability"]) == ("ready", "active")
        ]
        tasks: dict[str, dict[str, dict[str, Any]]] = {
            name: {node["ID"]: {} for node in ready if allows(node, probe.constraints)}
            for name, probe in probes.items()
        }
        for name in probes:
            for task in engine.client.api.tasks({"service": name}):  # type: ignore[no-untyped-call]
                if task.get("NodeID") in tasks[name]:
                    tasks[name][task["NodeID"]] = task
        found = [task for each in tasks.values() for task in each.values()]
        if all(task and task["Status"]["State"] in _ENDED for task in found):
            return tasks
        if time.monotonic() > deadline:
            return tasks
        time.sleep(_POLL_SECONDS)


def _answers(
    engine: Engine, name: str, probe: Probe, tasks: Mapping[str, dict[str, Any]]
) -> dict[str, Answer]:
    if not probe.output:
        return {node: _end(task) for node, task in tasks.items()}
    complete = {node for node, task in tasks.items() if _state(task) == "complete"}
    lines = _log(engine, name, complete)
    return {node: _answer(task, lines.get(node, ())) for node, task in tasks.items()}


def _answer(task: dict[str, Any], lines: Sequence[str]) -> Answer:
    if _state(task) != "complete":
        return _end(task)
    if "end=yes" in lines:
        return Answer(tuple(lines), clock=_clock(task))
    return Answer(error="the log of the container that looked cannot be read")


def _end(task: dict[str, Any]) -> Answer:
    state = _state(task)
    if state == "complete":
        return Answer(clock=_clock(task))
    said = task.get("Status", {}).get("Err", "") if task else ""
    return Answer(error=said or f"the container that is to look is {state}")


def _state(task: dict[str, Any]) -> str:
    return str(task["Status"]["State"]) if task else "not made yet"


def _clock(task: dict[str, Any]) -> float:
    # a node stamps the state that it reports, and the leader stamps what it stores
    return seconds_of(task["Status"]["Timestamp"]) - seconds_of(task["UpdatedAt"])


def seconds_of(timestamp: str) -> float:
    """Seconds since 1970 of a time as Docker writes it: RFC 3339, UTC, with up to 9 decimals."""
    whole, _, fraction = timestamp.rstrip("Z").partition(".")
    return timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float(f"0.{fraction or 0}")


def _log(engine: Engine, service: str, nodes: set[str]) -> dict[str, list[str]]:
    """What each of the nodes has printed, read until they all have said that it was all.

    Read again where something is missing: Swarm gives a log short now and then, right after its
    container has ended.
    """
    deadline = time.monotonic() + _LOG_SECONDS
    while True:
        said = _read(engine, service) if nodes else {}
        if all("end=yes" in said.get(node, ()) for node in nodes) or time.monotonic() > deadline:
            return said
        time.sleep(_POLL_SECONDS)


def _read(engine: Engine, service: str) -> dict[str, list[str]]:
    # not by the SDK, which waits for a silent stream for ever, whatever its client's timeout
    command = engine.command("service", "logs", "--raw", service)
    try:
        log = subprocess.run(command, capture_output=True, timeout=_SILENCE_SECONDS).stdout
    except subprocess.TimeoutExpired as late:
        # a node that is gone can keep the stream of all open
        log = late.stdout or b""
    said: dict[str, list[str]] = {}
    for line in log.decode("utf-8", "replace").splitlines():
        node, _, text = line.partition(" ")
        said.setdefault(node, []).append(text)
    return said
