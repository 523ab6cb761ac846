"""Placement constraints, evaluated as Swarm does: swarmkit, manager/constraint/constraint.go."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from mpigen.artifacts.folder import Artifacts
from mpigen.notation.platforms import platform_of
from mpigen.swarm.nodes import Node


def constraint_sets(artifacts: Artifacts, variant: str = "") -> list[tuple[str, ...]]:
    """The placement constraints of the services in stack.yml, each distinct set once.

    With `variant`, only of the groups with that image; without, of every group and the launcher.
    """
    services = yaml.safe_load(artifacts.stack_file.read_text("utf-8"))["services"]
    names = [group.name for group in artifacts.groups if variant in ("", group.variant)]
    if not variant:
        own = artifacts.image
        names += [name for name, service in services.items() if service.get("image") == own]
    found = [constraints_of(services.get(name, {})) for name in names]
    return list(dict.fromkeys(found))


def constraints_of(service: Mapping[str, Any]) -> tuple[str, ...]:
    """The placement constraints of a service in stack.yml."""
    placement = service.get("deploy", {}).get("placement", {})
    return tuple(placement.get("constraints") or ())


def misfit(node: Node, platforms: Sequence[str]) -> str:
    """Why a node's processor cannot run an image for `platforms`, by itself; empty if it can."""
    if not node.machine or not platforms or platform_of(node.machine) in platforms:
        return ""
    return f"its processor is {node.machine}, and the image is for {' and '.join(platforms)}"


def allows(node: Node, constraints: Iterable[str]) -> bool:
    """Whether a node meets all constraints; one that mpigen cannot parse counts as met."""
    for constraint in constraints:
        parts = re.fullmatch(r"\s*(\S+?)\s*(==|!=)\s*(.*?)\s*", constraint)
        if not parts:
            continue
        key, operator, wanted = parts.groups()
        is_label = key.startswith(("node.labels.", "engine.labels."))
        if key not in node.attributes and not is_label:
            continue
        value = node.attributes.get(key, "")
        if (value.lower() == wanted.lower()) != (operator == "=="):
            return False
    return True
