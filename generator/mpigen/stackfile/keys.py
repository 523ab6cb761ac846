"""The keys of a stack file, from schema.yaml: which there are, and what each belongs to."""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml

Part = Literal["stack", "service", "network"]

HOMES = {
    "service": "a service",
    "deploy": "deploy, in a service",
    "network": "a network",
    "stack": "the whole file",
}

# keywords of schema.yaml beyond JSON Schema: what came with a version, or with a release
SINCE = ("since_version", "since_engine")


def definitions() -> dict[str, Any]:
    """Return the JSON Schema of each `Part` of a stack file, and of its components, by name.

    It has the keys of every version.
    """

    def plain(schema: Any) -> Any:
        if isinstance(schema, dict):
            return {key: plain(value) for key, value in schema.items() if key not in SINCE}
        return [plain(value) for value in schema] if isinstance(schema, list) else schema

    found: dict[str, Any] = plain(definitions_by_release())
    return found


@cache
def definitions_by_release() -> dict[str, Any]:
    """Return `definitions` with the keywords of `SINCE`."""
    text = files(__package__).joinpath("schema.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)["$defs"]
    return found


@cache
def keys_of(name: str) -> tuple[str, ...]:
    """Return the keys of a `Part` of a stack file, or of another of its `definitions`."""
    return tuple(definitions()[name]["properties"])


def home_of(key: str, known: Iterable[str]) -> str:
    """Return the definition that has `key`, where a mapping has the `known` keys; or nothing.

    Only what is at the top of stack files, networks and services is looked for.
    """
    known = set(known)
    if key in known or not any(known == set(keys_of(name)) for name in HOMES):
        return ""
    return next((name for name in HOMES if key in keys_of(name)), "")
