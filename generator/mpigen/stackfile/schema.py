"""The format that `docker stack deploy` accepts: finds every problem of a stack file or a part."""

import difflib
import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from mpigen.stackfile.keys import HOMES, Part, definitions_by_release, home_of
from mpigen.stackfile.versions import OPTIONAL_VERSION, VERSIONS, Release, needs, newest, release
from mpigen.untrusted.quoting import LONGEST_REASON, clip, shown

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, ValidationError

Path = tuple[str | int, ...]

# docker/cli, cli/compose/types: UnsupportedProperties and DeprecatedProperties. The command
# ignores these keys with a warning that is easily missed.
_IGNORED = {
    "build": "the image is built by scripts/build.sh",
    "cgroup_parent": "",
    "cgroupns_mode": "",
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


def problems(
    value: object, part: Part, engine: Release, version: str = ""
) -> list[tuple[Path, str]]:
    """Return path and message of all that `docker stack deploy` would refuse or ignore.

    `engine` is the oldest release of all engines and clients, `version` that of the stack file;
    the default is the newest that they take.
    """
    validator = _validator(part, engine, version or newest(engine))
    found = (problem for error in validator.iter_errors(value) for problem in _explain(error))
    return sorted(dict(found).items(), key=lambda problem: [str(step) for step in problem[0]])


def file_problems(document: object, engine: Release) -> list[tuple[Path, str]]:
    """Return the problems of a whole stack file, whose keys are those of its own version."""
    if not isinstance(document, dict):
        return problems(document, "stack", engine)
    found: list[tuple[Path, str]] = []
    version = document.get("version")
    if version is None and engine < OPTIONAL_VERSION:
        message = "is missing: clients before Docker 23.0 refuse a file without it"
        found.append((("version",), message))
    if not isinstance(version, str) or version not in VERSIONS:
        version = newest(engine)
    if VERSIONS[version] > engine:
        found.append((("version",), f"{version} {needs(VERSIONS[version])}"))
    return found + problems(document, "stack", engine, version)


def needed_version(parts: Iterable[tuple[object, Part]], engine: Release) -> str:
    """Return the version to write for a site's own keys `parts`, which have no problems.

    It is the newest that all clients take; 3.9 only if keys need it, so that sites without them
    keep the stack file that they have.
    """
    if newest(engine) == "3.9" and not any(
        problems(value, part, engine, "3.8") for value, part in parts if value
    ):
        return "3.8"
    return newest(engine)


@cache
def _validator(part: Part, engine: Release, version: str) -> "Draft202012Validator":
    # imported here: loading it takes as long as a third of a render, and few sites need it
    from jsonschema import Draft202012Validator, ValidationError, validators

    def since_version(
        _validator: object, since: dict[str, str], given: object, _schema: object
    ) -> "Iterator[ValidationError]":
        for path, needed in _named(given, since):
            if VERSIONS[needed] > engine:
                yield ValidationError(needs(VERSIONS[needed]), path=path)
            elif VERSIONS[needed] > VERSIONS[version]:
                yield ValidationError(f"needs a stack file of version {needed}", path=path)

    def since_engine(
        _validator: object, since: dict[str, str], given: object, _schema: object
    ) -> "Iterator[ValidationError]":
        for path, needed in _named(given, since):
            if release(needed) > engine:
                yield ValidationError(needs(release(needed)), path=path)

    # jsonschema compares each item with each: minutes for some thousand items
    keywords = {
        "uniqueItems": _unique_items,
        "since_version": since_version,
        "since_engine": since_engine,
    }
    extend: Any = validators.extend
    extended = extend(Draft202012Validator, keywords)
    made: Draft202012Validator = extended(
        {"$defs": definitions_by_release(), "$ref": f"#/$defs/{part}"}
    )
    return made


def _named(given: object, since: dict[str, str]) -> Iterator[tuple[Path, str]]:
    """Path and value in `since` of each key of a mapping, or of a text."""
    names = given if isinstance(given, dict) else [given] if isinstance(given, str) else []
    for name in names:
        if name in since:
            yield ((name,) if isinstance(given, dict) else ()), since[name]


def _unique_items(
    _validator: object, wanted: bool, given: object, _schema: object
) -> "Iterator[ValidationError]":
    from jsonschema import ValidationError

    if wanted and isinstance(given, list):
        texts = [json.dumps(item, sort_keys=True, default=str) for item in given]
        if len(set(texts)) < len(texts):
            yield ValidationError(f"{shown(given)} contains an item twice")


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
        case "since_version" | "since_engine":
            yield path, error.message
        case _:
            yield path, clip(error.message, LONGEST_REASON)


def _unknown(key: str, known: list[str]) -> str:
    if key in _IGNORED and "cap_drop" in known:
        why = _IGNORED[key]
        return "docker stack deploy ignores this key" + (f": {why}" if why else "")
    first, dot, rest = key.partition(".")
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    if dot and rest and first in known:
        advice = f"write {first}: {{{clip(rest)}: ...}}"
    elif home := home_of(key, known):
        advice = f"it is a key of {HOMES[home]}"
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
