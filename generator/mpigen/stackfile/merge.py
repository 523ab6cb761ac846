"""Merges a site's own keys deeply into the text of stack.yml, and keeps its comments."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from io import StringIO
from typing import Any

import yaml

from mpigen.artifacts.paths import STACK
from mpigen.errors import InputError
from mpigen.untrusted.faults import DATA_FAULTS
from mpigen.untrusted.quoting import LONGEST_REASON, clip, shown

Path = tuple[str, ...]

# command lines, which a site's value replaces as a whole
_REPLACED = ("command", "entrypoint", "test")


@dataclass(frozen=True)
class Addition:
    """Keys for the mapping at `path` of stack.yml; `source` is the field that they come from."""

    path: Path
    value: dict[str, Any]
    source: str


def merge(text: str, additions: Iterable[Addition]) -> str:
    """Return `text` with `additions` merged in.

    Mappings are merged, lists get more items, all else is replaced. A list of names that meets a
    mapping becomes one, since keys such as `networks` may be either. Raises InputError if a mapping
    or a list meets anything else, or if the text lacks the mapping that an addition is for.
    """
    # imported here since few sites need it; unlike PyYAML it keeps comments
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    editor = YAML()
    editor.preserve_quotes = True
    editor.width = 2**31
    editor.indent(mapping=2, sequence=4, offset=2)
    try:
        document = editor.load(text)
    except (YAMLError, *DATA_FAULTS) as error:  # stricter than PyYAML, as with a key that is twice
        reason = clip(str(error), LONGEST_REASON)
        raise InputError(f"the site's own {STACK} cannot be read: {reason}") from error
    for addition in additions:
        target = document
        for step in addition.path:
            target = target.get(step) if isinstance(target, dict) else None
        if not isinstance(target, dict):
            where = ".".join(addition.path)
            raise InputError(f"{addition.source}: the site's own stack.yml has no {where}")
        for key, value in addition.value.items():
            _merge_value(target, key, value, (*addition.path, key), addition.source)
    merged = StringIO()
    editor.dump(document, merged)
    return merged.getvalue()


def _merge_value(target: Any, key: str, value: Any, path: Path, source: str) -> None:
    old = None if key in _REPLACED else target.get(key)
    if isinstance(old, list) and isinstance(value, dict) and all(isinstance(i, str) for i in old):
        old = target[key] = {str(name): None for name in old}
    if isinstance(old, dict) and isinstance(value, list) and not any(old.values()):
        value = dict.fromkeys(value)
    if isinstance(old, dict) and isinstance(value, dict):
        for inner, added in value.items():
            _merge_value(old, inner, added, (*path, inner), source)
    elif isinstance(old, list) and isinstance(value, list):
        old.extend(item for item in map(_quoted, value) if item not in old)
    elif isinstance(old, (dict, list)) and not isinstance(value, type(old)) and value is not None:
        kind = "a mapping" if isinstance(old, dict) else "a list"
        raise InputError(
            f"{source}: {clip('.'.join(path))} is {kind} in stack.yml, and {shown(value)} is none",
            f"Write {kind}; to replace what is there, override its block: docs/customising.md.",
        )
    else:
        target[_key(key)] = _quoted(value)


def _key(key: str) -> str:
    """Return `key`, quoted unless every YAML parser reads it as that text."""
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", key) and yaml.safe_load(key) == key
    # Docker's YAML library reads these as booleans, PyYAML does not
    return key if plain and key not in ("y", "Y", "n", "N") else DoubleQuotedScalarString(key)


def _quoted(value: Any) -> Any:
    """Return `value` as YAML that every parser reads alike: text double-quoted, `$` doubled."""
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    if isinstance(value, str):
        return DoubleQuotedScalarString(value.replace("$", "$$"))
    if isinstance(value, list):
        return [_quoted(item) for item in value]
    if isinstance(value, dict):
        return {_key(key): _quoted(item) for key, item in value.items()}
    return value
