"""The format that `docker stack deploy` accepts: finds every problem of a stack file or a part."""

import difflib
import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

import yaml

from mpigen.untrusted.quoting import LONGEST_REASON, clip, shown

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, ValidationError

Part = Literal["stack", "service", "network"]
Path = tuple[str | int, ...]

_HOMES = {
    "service": "a service",
    "deploy": "deploy, in a service",
    "network": "a network",
    "stack": "the whole file",
}

# docker/cli, cli/compose/types: UnsupportedProperties and DeprecatedProperties. The command
# ignores these keys with a warning that is easily missed.
_IGNORED = {
    "build": "the image is built by scripts/build.sh",
    "cgroup_parent": "",
    "container_name": "Swarm names the containers",
    "depends_on": "services start in any order",
    "devices": "a Swarm service has no devices of its own",
    "domainname": "",
    "expose": "containers of a network reach all of one another's ports",
    "external_links": "",
    "ipc": "",
    "links": "names are resolved on the network",
    "mac_address": "",
    "network_mode": "the overlay is what joins the workers",
    "pid": "",
    "privileged": "a Swarm service cannot be privileged",
    "restart": "write deploy.restart_policy",
    "security_opt": "",
    "shm_size": "set shm in the group",
    "userns_mode": "",
}


def problems(value: object, part: Part, quick: bool = False) -> list[tuple[Path, str]]:
    """Return path and message of all that `docker stack deploy` would refuse or ignore.

    `quick` says that all engines and clients know what came with Docker 25.0.
    """
    validator = _validator(part, quick)
    found = (problem for error in validator.iter_errors(value) for problem in _explain(error))
    return sorted(dict(found).items(), key=lambda problem: [str(step) for step in problem[0]])


@cache
def _validator(part: Part, quick: bool = False) -> "Draft202012Validator":
    # imported here: loading it takes as long as a third of a render, and few sites need it
    from jsonschema import Draft202012Validator, validators

    # jsonschema compares each item with each: minutes for some thousand items
    extend: Any = validators.extend
    linear = extend(Draft202012Validator, {"uniqueItems": _unique_items})
    made: Draft202012Validator = linear({"$defs": definitions(quick), "$ref": f"#/$defs/{part}"})
    return made


def _unique_items(
    _validator: object, wanted: bool, given: object, _schema: object
) -> "Iterator[ValidationError]":
    from jsonschema import ValidationError

    if wanted and isinstance(given, list):
        texts = [json.dumps(item, sort_keys=True, default=str) for item in given]
        if len(set(texts)) < len(texts):
            yield ValidationError(f"{shown(given)} contains an item twice")


def definitions(quick: bool = True) -> dict[str, Any]:
    """Return the JSON Schema of each `Part` of a stack file, and of its components, by name.

    With `quick` it has what came with Docker 25.0.
    """
    text = files(__package__).joinpath("schema.yaml").read_text(encoding="utf-8")
    definitions: dict[str, Any] = yaml.safe_load(text)["$defs"]
    if quick:
        definitions["healthcheck"]["properties"]["start_interval"] = {"$ref": "#/$defs/duration"}
    return definitions


@cache
def keys_of(name: str) -> tuple[str, ...]:
    """Return the keys of a `Part` of a stack file, or of another of its `definitions`."""
    return tuple(definitions()[name]["properties"])


def home_of(key: str, known: Iterable[str]) -> str:
    """Return the definition that has `key`, where a mapping has the `known` keys; or nothing.

    Only what is at the top of stack files, networks and services is looked for.
    """
    known = set(known)
    if key in known or not any(known == set(keys_of(name)) for name in _HOMES):
        return ""
    return next((name for name in _HOMES if key in keys_of(name)), "")


def _explain(error: "ValidationError") -> Iterator[tuple[Path, str]]:
    path: Path = tuple(error.absolute_path)
    if "propertyNames" in list(error.absolute_schema_path)[-3:]:
        path = (*path, str(error.instance))
    given: Any = error.instance
    rule: Any = error.validator_value
    match error.validator:
        case "additionalProperties":
            schema: Any = error.schema
            known = list(schema["properties"])
            for key in given:
                if key not in known and not key.startswith("x-"):
                    yield (*path, key), _unknown(key, known)
        case "anyOf":
            # the branch with the type of the given value explains the fault best
            inner = [each for each in error.context if each.validator != "type" or each.path]
            if inner:
                for each in inner:
                    yield from _explain(each)
            else:
                yield path, f"{shown(given)} is not what docker stack deploy accepts here"
        case "type":
            kinds = [rule] if isinstance(rule, str) else rule
            hint = ": put it in quotes" if "string" in kinds and _is_plain(given) else ""
            if "array" in kinds and isinstance(given, str) and re.fullmatch(r"[\w./-]+", given):
                hint = f": write [{clip(given)}]"
            yield path, f"{shown(given)} must be {' or '.join(map(_type_name, kinds))}{hint}"
        case "enum":
            yield path, f"{shown(given)} must be one of {', '.join(rule)}"
        case "pattern" if rule.endswith("(ns|us|µs|ms|s|m|h))+$"):
            yield path, f"{shown(given)} is not a duration: write it like 30s or 1m30s"
        case "pattern" if form := dict[str, Any](error.schema).get("description"):  # type: ignore[arg-type]
            yield path, f"{shown(given)} {form}"
        case "minimum":
            yield path, f"{shown(given)} is too small: the minimum is {rule}"
        case "maximum":
            yield path, f"{shown(given)} is too large: the maximum is {rule}"
        case "required":
            yield path, f"lacks {', '.join(sorted(set(rule) - set(given)))}"
        case _:
            yield path, clip(error.message, LONGEST_REASON)


def _unknown(key: str, known: list[str]) -> str:
    if key in _IGNORED and "cap_drop" in known:
        why = _IGNORED[key]
        return "docker stack deploy ignores this key" + (f": {why}" if why else "")
    if key == "start_interval":
        return "needs Docker 25.0: set engine: {minimum: '25.0'}"
    first, dot, rest = key.partition(".")
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    if dot and rest and first in known:
        advice = f"write {first}: {{{clip(rest)}: ...}}"
    elif home := home_of(key, known):
        advice = f"it is a key of {_HOMES[home]}"
    else:
        advice = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(sorted(known))}"
    return f"docker stack deploy does not know this key; {advice}"


def _is_plain(value: object) -> bool:
    return isinstance(value, (bool, int, float))


def _type_name(kind: str) -> str:
    words = {
        "string": "text",
        "integer": "a whole number",
        "number": "a number",
        "boolean": "true or false",
        "array": "a list",
        "object": "a mapping",
        "null": "empty",
    }
    return words[kind]
