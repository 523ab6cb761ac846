"""Services of probes that a killed command has left, told from those of one that runs."""

import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from docker.errors import NotFound

from mpigen.notation.timestamps import parse_timestamp
from mpigen.swarm.engine import Engine, blame

LABEL = "mpigen.probe"
"""The label of a probe's service; its value is how many seconds the probe is waited for."""
OWNER_LABEL = "mpigen.probe.owner"
_MARGIN_SECONDS = 300.0
_DEFAULT_SECONDS = 600.0


def labels(seconds: float) -> dict[str, str]:
    """The labels of a probe's service that this process waits for, at most `seconds`."""
    return {LABEL: f"{seconds:.0f}", OWNER_LABEL: f"{_machine()} {os.getpid()} {_start('self')}"}


def sweep(engine: Engine, network: str = "") -> list[str]:
    """Remove the probes that nobody waits for any more; return their services' names.

    With `network`, also all that are attached to it, whoever waits for them.
    """
    with blame("looking for services that were left behind"):
        api = engine.client.api
        there: list[dict[str, Any]] = api.services(filters={"label": LABEL})  # type: ignore[no-untyped-call]
        if not there:
            return []
        now = parse_timestamp(engine.client.info()["SystemTime"])
        own = set()
        if network:
            with suppress(NotFound):
                own = {network, str(api.inspect_network(network)["Id"])}
    found = [each for each in there if own & _networks(each) or is_left(each, now)]
    names = [str(each["Spec"]["Name"]) for each in found]
    for name in names:
        remove(engine, name)
    return names


def remove(engine: Engine, name: str) -> None:
    """Remove the service of a probe, if it is there."""
    hint = f"It is left behind; remove it: docker service rm {name}"
    with blame(f"removing the service {name}", hint), suppress(NotFound):
        engine.client.api.remove_service(name)  # type: ignore[no-untyped-call]


def is_left(service: Mapping[str, Any], now: datetime) -> bool:
    """Whether a probe's service was left behind; `now` is by the engine's clock.

    Of a process of this machine it is known; others' are left once they are far too old.
    """
    told: Mapping[str, str] = service["Spec"]["Labels"]
    machine, pid, start = (told.get(OWNER_LABEL, "").split() + [""] * 3)[:3]
    if machine and machine == _machine():
        return _start(pid) != start
    waited = told.get(LABEL, "")
    patience = float(waited) if waited.isdecimal() else _DEFAULT_SECONDS
    age = (now - parse_timestamp(service["CreatedAt"])).total_seconds()
    return bool(age > patience + _MARGIN_SECONDS)


def _networks(service: Mapping[str, Any]) -> set[str]:
    attached = service["Spec"]["TaskTemplate"].get("Networks") or []
    return {str(each.get("Target", "")) for each in attached}


def _machine() -> str:
    """This machine since its last start, and the container in which this process counts pids."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return ""


def _start(pid: str) -> str:
    """When a process was started, in ticks since the machine was; empty if it is gone."""
    try:
        # the name, in brackets, may hold anything
        words = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if words[0] == "Z" else words[19]
