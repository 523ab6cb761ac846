"""pydantic's errors about a file, in the words of its author."""

import difflib
from typing import Any

from pydantic_core import ErrorDetails

from mpigen.config.document import EMPTY, KeyPath, Problem
from mpigen.untrusted.quoting import LONGEST_REASON, clip, foreign, shown

# the reasons for minimum values that are not obvious
_REASONS = {
    "port": ", since sshd runs as an unprivileged user",
    "uid": ", since 0 is root and those up to 100 are Debian's own",
    "gid": ", since 0 is root and those up to 100 are Debian's own",
}


def path_of(detail: ErrorDetails) -> KeyPath:
    """The path of the value that one of pydantic's errors is about."""
    path = tuple(part for part in detail["loc"] if part != "[key]")
    return path + getattr(detail.get("ctx", {}).get("error"), "path", ())


def problem_of(detail: ErrorDetails, root: Any) -> Problem:
    """One of pydantic's errors about the model `root`, in words."""
    path = path_of(detail)
    return Problem(path, _message(detail, path, root))


def _message(detail: ErrorDetails, path: KeyPath, root: Any) -> str:
    given, context, kind = detail["input"], detail.get("ctx", {}), detail["type"]
    if given is None and kind != "missing":
        return EMPTY
    match kind:
        case "extra_forbidden":
            key = str(path[-1])
            return f"unknown key{foreign(key)}; " + _suggestion(key, path[:-1], root)
        case "missing":
            about = _model(path[:-1], root).model_fields[str(path[-1])].description
            return f"must be given: {about[0].lower()}{about[1:].rstrip('.')}"
        case "value_error":
            return str(context["error"])
        case "literal_error":
            return f"{shown(given)} is not supported: it must be {context['expected']}"
        case "greater_than_equal":
            reason = _REASONS.get(str(path[-1]), "")
            return f"{shown(given)} is too small: the minimum is {context['ge']}{reason}"
        case "less_than_equal":
            return f"{shown(given)} is too large: the maximum is {context['le']}"
        case "too_short":
            return "must not be empty"
        case "too_long":
            return f"has {context['actual_length']:,} items: the maximum is {context['max_length']}"
        case "string_too_long":
            return f"has {len(given):,} characters: the maximum is {context['max_length']:,}"
        case "string_unicode":
            return "contains characters that are not Unicode text"
        case "string_type":
            return f"must be text, not {kind_of(given)}{_quote_hint(given)}"
        case "int_type" | "int_parsing" | "int_from_float":
            quoted = isinstance(given, str) and given.isdecimal()
            hint = f": write {int(given)}, without quotes" if quoted else ""
            return f"must be a whole number, not {kind_of(given)}{hint}"
        case "bool_type" | "bool_parsing":
            return f"must be true or false, not {kind_of(given)}"
        case "list_type":
            return f"must be a list (each item after a dash), not {kind_of(given)}"
        case "model_type" | "model_attributes_type":
            known = ", ".join(_model(path, root).model_fields)
            return f"must be a mapping (keys: {known}), not {kind_of(given)}"
        case "dict_type":
            return f"must be a mapping of names to values, not {kind_of(given)}"
    return clip(detail["msg"], LONGEST_REASON)


def kind_of(value: object) -> str:
    """A value of YAML in words, such as "the text 'a'"."""
    match value:
        case None:
            return "empty"
        case bool():
            return str(value).lower()
        case str():
            return f"the text {shown(value)}"
        case int() | float():
            return f"the number {shown(value)}"
        case list():
            return "a list"
        case dict():
            return "a mapping"
    return f"the {type(value).__name__} {clip(str(value))}"


def _quote_hint(value: object) -> str:
    if isinstance(value, bool):
        return " (YAML reads yes, no, on and off as true or false): put it in quotes"
    return "" if isinstance(value, (list, dict)) else ": put it in quotes"


_GPUS = "GPUs are generic resources: set generic: {GPU: 1} in workers; see docs/workers.md"
_PROXIES = "proxies are set in Docker's ~/.docker/config.json; see docs/servers.md"
# What has no field of its own, although another field has a similar name.
_ELSEWHERE = dict.fromkeys(("gpu", "gpus"), _GPUS) | dict.fromkeys(
    ("http_proxy", "https_proxy", "no_proxy", "proxy", "proxies"), _PROXIES
)


def _suggestion(key: str, parent: KeyPath, root: Any) -> str:
    """Suggest a fix for an unknown `key`: its section, the closest known key, or all keys."""
    known = list(_model(parent, root).model_fields)
    homes = [name for name in root.model_fields if key in _model((name,), root).model_fields]
    if advice := _ELSEWHERE.get(key.lower()):
        return advice
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    if homes:
        return f"it belongs to {' or '.join(homes)}: is it indented correctly?"
    return f"did you mean {near[0]}?" if near else f"known keys: {', '.join(known)}"


def _model(path: KeyPath, root: Any) -> Any:
    """Return the model of the section at `path`, or `root` if the path leads to no section."""
    model: Any = root
    for part in path:
        if isinstance(part, str):
            annotation: Any = model.model_fields[part].annotation
            sections = [annotation, *getattr(annotation, "__args__", ())]
            model = next((each for each in sections if hasattr(each, "model_fields")), root)
    return model
