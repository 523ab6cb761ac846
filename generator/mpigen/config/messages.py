"""pydantic's errors about a file, in the words of its author."""

import re
import shlex
from typing import Any

from pydantic_core import ErrorDetails

from mpigen.config.document import EMPTY, KeyPath, Problem
from mpigen.config.unknown_keys import advice, model_at, section_of
from mpigen.untrusted.quoting import LONGEST, LONGEST_REASON, clip, foreign, shown

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
            return f"unknown key{foreign(key)}; " + advice(key, path[:-1], root)
        case "missing":
            about = model_at(path[:-1], root).model_fields[str(path[-1])].description
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
            return f"must be text, not {kind_of(given)}{_text_hint(given, path)}"
        case "int_type" | "int_parsing" | "int_from_float":
            quoted = isinstance(given, str) and given.isdecimal()
            hint = f": write {int(given)}, without quotes" if quoted else ""
            return f"must be a whole number, not {kind_of(given)}{hint}"
        case "bool_type" | "bool_parsing":
            return f"must be true or false, not {kind_of(given)}"
        case "list_type":
            hint = _list_hint(given, path, root)
            return f"must be a list (each item after a dash), not {kind_of(given)}{hint}"
        case "model_type" | "model_attributes_type":
            known = ", ".join(model_at(path, root).model_fields)
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


def _text_hint(value: object, path: KeyPath) -> str:
    """How to write a value that is no text as one."""
    if isinstance(value, bool):
        return " (YAML reads yes, no, on and off as true or false): put it in quotes"
    if not isinstance(value, (list, dict)):
        return ": put it in quotes"
    words = value if isinstance(value, list) else []
    if not words or not all(isinstance(each, str) for each in words):
        return ""
    if path == ("app", "build"):
        return ": join the commands with &&"
    is_command = path == ("app", "check")
    if sum(map(len, words)) > LONGEST or not (is_command or len(words) == 1):
        return ""
    return f": write {_inline(shlex.join(words) if is_command else words[0])}"


def _list_hint(value: object, path: KeyPath, root: Any) -> str:
    """How to write a value that is no list as one."""
    if section_of(model_at(path[:-1], root).model_fields[str(path[-1])].annotation):
        return ": put a dash before its first key" if isinstance(value, dict) else ""
    if not isinstance(value, str) or not value.strip() or len(value) > LONGEST:
        return ""
    # a mount has commas, a constraint may have spaces around its sign
    text = _inline(re.split(r",\s+" if "=" in value else r"[,\s]+", value.strip(", ")))
    return f": write {text}"


def _inline(value: object) -> str:
    # imported here: it loads what makes the JSON Schema, and only mistakes need it
    from mpigen.config.docs import inline_yaml

    return inline_yaml(value)
