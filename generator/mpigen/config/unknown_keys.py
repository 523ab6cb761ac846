"""What to write instead of a key that mpigen.yaml, or a job's file, does not have."""

import difflib
from typing import Any

from mpigen.config.document import KeyPath
from mpigen.stackfile.keys import Part, keys_of
from mpigen.untrusted.quoting import LONGEST, clip

_GPUS = "GPUs are generic resources: set generic: {GPU: 1} in workers; see docs/workers.md"
_PROXIES = "proxies are set in Docker's ~/.docker/config.json; see docs/servers.md"
# What has no field of its own, although another field has a similar name.
_ELSEWHERE = dict.fromkeys(("gpu", "gpus"), _GPUS) | dict.fromkeys(
    ("http_proxy", "https_proxy", "no_proxy", "proxy", "proxies"), _PROXIES
)
# Docker's keys that a section takes under its own `stack`
_DOCKERS: dict[str, Part] = {"workers": "service", "network": "network"}


def advice(key: str, parent: KeyPath, root: Any) -> str:
    """Return a fix for the unknown `key` of the mapping at `parent`, or all known keys."""
    if elsewhere := _ELSEWHERE.get(key.lower()):
        return elsewhere
    model = model_at(parent, root)
    if nested := _nested(key.split("."), model) or _nested(key.split("."), root):
        return f"write {clip(nested, 2 * LONGEST)}"
    known = list(model.model_fields)
    if key in root.model_fields:
        return f"it belongs to the top level: write {key}: without indentation"
    homes = [name for name in root.model_fields if key in _fields(name, root)]
    if homes:
        line = " or ".join(f"{name}:" for name in homes)
        return (
            f"it belongs to {' or '.join(homes)}: is it indented correctly, or is the line of its "
            f"section ({line}) a comment?"
        )
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    # "networks" of a stack file is hardly what is meant where there is "network"
    is_plural = near == [key.removesuffix("s")]
    if "stack" in known and not is_plural and key in keys_of(_part(parent)):
        return "it is a key of Docker's stack files: put it under stack:"
    return f"did you mean {near[0]}?" if near else f"known keys: {', '.join(known)}"


def _part(parent: KeyPath) -> Part:
    """The part of a stack file that `stack` in the mapping at `parent` stands for."""
    return _DOCKERS.get(str(parent[0]), "stack") if parent else "stack"


def _nested(parts: list[str], model: Any) -> str:
    """Write a dotted path below `model` as YAML on one line; empty if it is none."""
    text, ends = "", ""
    for number, part in enumerate(parts):
        if number and model is None:  # a mapping with any keys
            return f"{text}{'.'.join(parts[number:])}: ...{ends}"
        if part not in model.model_fields:
            return ""
        annotation = model.model_fields[part].annotation
        model = section_of(annotation)
        if number == len(parts) - 1:
            return f"{text}{part}: ...{ends}" if number else ""
        if model is None and "dict" not in str(annotation):
            return ""
        opening, closing = ("[{", "}]") if "list" in str(annotation) else ("{", "}")
        text, ends = f"{text}{part}: {opening}", closing + ends
    return ""


def model_at(path: KeyPath, root: Any) -> Any:
    """Return the model of the section at `path`, or `root` if the path leads to no section."""
    model: Any = root
    for part in path:
        if isinstance(part, str):
            model = section_of(model.model_fields[part].annotation) or root
    return model


def section_of(annotation: Any) -> Any:
    """Return the model of a field that is a section or a list of sections, else None."""
    sections = [annotation, *getattr(annotation, "__args__", ())]
    return next((each for each in sections if hasattr(each, "model_fields")), None)


def _fields(name: str, root: Any) -> Any:
    """The fields of the section `name` of `root`; none if it is no section."""
    section = section_of(root.model_fields[name].annotation)
    return section.model_fields if section else ()
