"""Which nodes Swarm's placement constraints allow: swarmkit, manager/constraint/constraint.go."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from mpigen.artifacts.folder import Artifacts


def rendered(artifacts: Artifacts, variant: str = "") -> list[tuple[str, ...]]:
    """What services ask of their nodes, as stack.yml says: each set of constraints once.

    They are the groups that have the image `variant`; without one, every group and the launcher.
    """
    services = yaml.safe_load(artifacts.stack_file.read_text("utf-8"))["services"]
    names = [group.name for group in artifacts.groups if variant in ("", group.variant)]
    if not variant:
        own = artifacts.image
        names += [name for name, service in services.items() if service.get("image") == own]
    found = [constraints_of(services.get(name, {})) for name in names]
    return list(dict.fromkeys(found))


def constraints_of(service: Mapping[str, Any]) -> tuple[str, ...]:
    """What a service of stack.yml asks of its nodes."""
    placement = service.get("deploy", {}).get("placement", {})
    return tuple(placement.get("constraints") or ())


def allows(node: Mapping[str, Any], constraints: Iterable[str]) -> bool:
    """Whether a node meets placement constraints; one that is not understood counts as met."""
    described = node.get("Description") or {}
    platform = described.get("Platform") or {}
    known = {
        "node.id": node["ID"],
        "node.hostname": described.get("Hostname", ""),
        "node.role": node["Spec"]["Role"],
        "node.platform.os": platform.get("OS", ""),
        "node.platform.arch": platform.get("Architecture", ""),
    }
    for constraint in constraints:
        parts = re.fullmatch(r"\s*(\S+?)\s*(==|!=)\s*(.*?)\s*", constraint)
        if not parts:
            continue
        key, operator, wanted = parts.groups()
        if key.startswith("node.labels."):
            value = (node["Spec"].get("Labels") or {}).get(key[12:], "")
        elif key.startswith("engine.labels."):
            value = (described.get("Engine", {}).get("Labels") or {}).get(key[14:], "")
        elif key in known:
            value = known[key]
        else:
            continue
        if (value.lower() == wanted.lower()) != (operator == "=="):
            return False
    return True
