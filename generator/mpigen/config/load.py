"""mpigen.yaml, in one or more layers, -> Config; reports all problems at once with places."""

import copy
import difflib
import functools
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from mpigen.config.checks import conflicts
from mpigen.config.document import (
    EMPTY,
    MOST_PROBLEMS,
    NOTHING_WRITTEN,
    KeyPath,
    Mark,
    Problem,
    Source,
    parse,
)
from mpigen.config.layers import overlay
from mpigen.config.models import Config
from mpigen.errors import InputError
from mpigen.untrusted.places import root_of
from mpigen.untrusted.quoting import LONGEST_REASON, clip, foreign, shown
from mpigen.untrusted.reading import MEBIBYTE, read_bytes

_HINT = f"{NOTHING_WRITTEN} The fields are described in docs/configuration.md."

# the largest mpigen.yaml, in bytes; one with 100 groups has some 50,000
_MOST_BYTES = MEBIBYTE
# the most conflicts that are looked for
_MOST_CONFLICTS = 10 * MOST_PROBLEMS

# the reasons for minimum values that are not obvious
_REASONS = {
    "port": ", since sshd runs as an unprivileged user",
    "uid": ", since 0 is root and those up to 100 are Debian's own",
    "gid": ", since 0 is root and those up to 100 are Debian's own",
}


def load(*paths: Path) -> Config:
    """Load `paths`, later ones over earlier ones, and check the fields singly and together.

    The folder of the first path is the site's. Raises InputError with one line per problem:
    FILE:LINE:COLUMN: FIELD: MESSAGE.
    """
    source = functools.reduce(overlay, [_layer(path, paths[0].parent) for path in paths])
    config, details = _validate(cast(dict[str, Any], source.data))
    # a message takes a search for what was meant: only those that are listed get one
    details.sort(key=lambda detail: source.order(source.mark(_path(detail))))
    problems = [_problem(detail) for detail in details[:MOST_PROBLEMS]]
    problems += [Problem(_path(detail), "") for detail in details[MOST_PROBLEMS:]]
    if config is not None:
        bad = {problem.path for problem in problems}
        above = {path[:length] for path in bad for length in range(len(path) + 1)}
        problems += [
            Problem(conflict.paths[0], conflict.message, source.first_mark(conflict.paths))
            for conflict in islice(conflicts(config, paths[0].parent), _MOST_CONFLICTS)
            if not any(at in above or _is_below(at, bad) for at in conflict.paths)
        ]
    problems += source.problems
    if problems or config is None:
        raise source.error(problems, _HINT)
    return config


def _layer(path: Path, site: Path) -> Source:
    source = parse(_read(path, site), str(path))
    if source.data is None:
        source.data = {}
    if not isinstance(source.data, dict):
        message = f"must be keys and values, as in name: mycluster, not {_kind(source.data)}"
        raise source.error([Problem((), message)], _HINT)
    return source


def _read(path: Path, site: Path) -> str:
    try:
        text = read_bytes(path, _MOST_BYTES, root_of(path, site)).decode()
        return text.replace("\r\n", "\n").replace("\r", "\n")
    except (FileNotFoundError, NotADirectoryError) as error:
        hint = "Start a site with mpigen init, or name the file with -c FILE. The least that works "
        hint += "is one line: name: mycluster"
        raise InputError(f"{path}: no such file", hint) from error
    except UnicodeDecodeError as error:
        before = error.object[: error.start].split(b"\n")
        mark = Mark(str(path), len(before), len(before[-1].decode()) + 1)
        problem = Problem((), "not UTF-8 text: save the file in that encoding", mark)
        raise Source((str(path),)).error([problem], NOTHING_WRITTEN) from error


def _validate(data: dict[str, Any]) -> tuple[Config | None, list[ErrorDetails]]:
    """Return the config and pydantic's errors of single fields.

    Invalid fields are removed and the rest is validated again, so that it can still be checked
    together; the config is None if that fails as well.
    """
    try:
        return Config.model_validate(data), []
    except ValidationError as error:
        details = error.errors(include_url=False)
    rest = copy.deepcopy(data)
    for detail in details:
        _remove(rest, _path(detail))
    rest.setdefault("name", "unnamed")
    try:
        return Config.model_validate(rest), details
    except ValidationError:
        return None, details


def _remove(data: Any, path: KeyPath) -> None:
    """Remove the value at `path`; a list is removed as a whole, except `workers`."""
    for position, part in enumerate(path):
        last = position == len(path) - 1
        if isinstance(data, dict) and part in data:
            nested = data[part]
            is_list_of_scalars = isinstance(nested, list) and part != "workers"
            if last or is_list_of_scalars:
                del data[part]
                return
            data = nested
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            if last or not isinstance(data[part], dict):
                data[part] = {"name": f"unnamed-{part}"}
                return
            data = data[part]
        else:
            return


def _is_below(at: KeyPath, paths: Iterable[KeyPath]) -> bool:
    """Whether one of `paths` contains `at`."""
    return any(at[:length] in paths for length in range(len(at)))


def _path(detail: ErrorDetails) -> KeyPath:
    path = tuple(part for part in detail["loc"] if part != "[key]")
    return path + getattr(detail.get("ctx", {}).get("error"), "path", ())


def _problem(detail: ErrorDetails) -> Problem:
    path = _path(detail)
    return Problem(path, _message(detail, path))


def _message(detail: ErrorDetails, path: KeyPath) -> str:
    given, context, kind = detail["input"], detail.get("ctx", {}), detail["type"]
    if given is None and kind != "missing":
        return EMPTY
    match kind:
        case "extra_forbidden":
            return f"unknown key{foreign(str(path[-1]))}; " + _suggestion(str(path[-1]), path[:-1])
        case "missing":
            about = _model(path[:-1]).model_fields[str(path[-1])].description
            return f"must be given: {about[0].lower()}{about[1:].rstrip('.')}"
        case "value_error":
            return str(context["error"])
        case "literal_error":
            return f"{shown(given)} is not supported: it must be {context['expected']}"
        case "greater_than_equal":
            reason = _REASONS.get(str(path[-1]), "")
            return f"{shown(given)} is too small: {context['ge']} is the least{reason}"
        case "less_than_equal":
            return f"{shown(given)} is too large: {context['le']} is the most"
        case "too_short":
            return "must not be empty"
        case "too_long":
            return f"has {context['actual_length']:,} items: {context['max_length']} is the most"
        case "string_too_long":
            return f"has {len(given):,} characters: {context['max_length']:,} is the most"
        case "string_unicode":
            return "holds characters that are no Unicode text"
        case "string_type":
            return f"must be text, not {_kind(given)}{_quote_hint(given)}"
        case "int_type" | "int_parsing" | "int_from_float":
            quoted = isinstance(given, str) and given.isdecimal()
            hint = f": write {int(given)}, without quotes" if quoted else ""
            return f"must be a whole number, not {_kind(given)}{hint}"
        case "bool_type" | "bool_parsing":
            return f"must be true or false, not {_kind(given)}"
        case "list_type":
            return f"must be a list (each item after a dash), not {_kind(given)}"
        case "model_type" | "model_attributes_type":
            known = ", ".join(_model(path).model_fields)
            return f"must be a mapping (keys: {known}), not {_kind(given)}"
        case "dict_type":
            return f"must be a mapping of names to values, not {_kind(given)}"
    return clip(detail["msg"], LONGEST_REASON)


def _kind(value: object) -> str:
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
        return " (YAML reads yes, no, on and off so): put it in quotes"
    return "" if isinstance(value, (list, dict)) else ": put it in quotes"


_GPUS = "GPUs are generic resources: workers take generic: {GPU: 1}; see docs/operating.md"
_PROXIES = "proxies are set in Docker's ~/.docker/config.json; see docs/operating.md"
# What has no field of its own, although another field has a similar name.
_ELSEWHERE = dict.fromkeys(("gpu", "gpus"), _GPUS) | dict.fromkeys(
    ("http_proxy", "https_proxy", "no_proxy", "proxy", "proxies"), _PROXIES
)


def _suggestion(key: str, parent: KeyPath) -> str:
    """Suggest a fix for an unknown `key`: its section, the closest known key, or all keys."""
    known = list(_model(parent).model_fields)
    homes = [name for name in Config.model_fields if key in _model((name,)).model_fields]
    if advice := _ELSEWHERE.get(key.lower()):
        return advice
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    if homes:
        return f"it belongs to {' or '.join(homes)}: is it indented right?"
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"


def _model(path: KeyPath) -> Any:
    """Return the model of the section at `path`, or Config if the path leads to no section."""
    model: Any = Config
    for part in path:
        if isinstance(part, str):
            annotation: Any = model.model_fields[part].annotation
            sections = [annotation, *getattr(annotation, "__args__", ())]
            model = next((each for each in sections if hasattr(each, "model_fields")), Config)
    return model
