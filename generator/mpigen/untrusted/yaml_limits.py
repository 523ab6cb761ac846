"""YAML with bounded nesting and a bounded number of values, aliases and merges expanded.

Anchors make YAML small and its content large: nine lines of aliases in aliases stand for
millions of values. The count is made on the parsed graph, where each anchor is counted once.
"""

from typing import Any

import yaml

from mpigen.errors import InputError
from mpigen.untrusted.faults import DATA_FAULTS
from mpigen.untrusted.quoting import LONGEST_REASON, clip

DEPTH = 50
"""The deepest nesting; a large site has ten levels."""
VALUES = 20_000
"""The most values of mpigen.yaml, aliases expanded; a site of 100 groups has some 6,000."""
ARTIFACT_VALUES = 200_000
"""The most values of a rendered YAML file: stack.yml repeats some for every group."""

_TOO_DEEP = f"nested more than {DEPTH} levels deep"

# libyaml's loader is ten times as fast; PyYAML may be built without it
_FAST: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Loader(yaml.SafeLoader):
    """PyYAML's loader with marks, which stops early in a document that is too deep or too large."""

    _depth = 0
    _values = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Return the next node, unless it is one too many."""
        self._depth += 1
        self._values += 1
        if self._depth > DEPTH or self._values > VALUES:
            reason = _TOO_DEEP if self._depth > DEPTH else f"more than {VALUES:,} values"
            place: Any = self.peek_event()  # type: ignore[no-untyped-call]
            raise _error(reason, place.start_mark)
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


def refuse_bomb(node: yaml.Node, most: int = VALUES) -> None:
    """Raise MarkedYAMLError if `node` expands to more than `most` values, or holds itself."""
    _expanded(node, most, {})


def _expanded(node: yaml.Node, most: int, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """Return the number of values that `node` stands for, and the levels below it.

    An alias comes after its anchor, so its node is in `known`, or is one that is being counted.
    """
    if not isinstance(node, yaml.CollectionNode):
        return 1, 0
    if id(node) in known:
        if known[id(node)] == (0, 0):
            raise _error("this anchor contains itself", node.start_mark)
        return known[id(node)]
    known[id(node)] = (0, 0)
    values, levels = 1, 0
    for child in node.value:
        for each in child if isinstance(child, tuple) else (child,):
            more, deeper = _expanded(each, most, known)
            values, levels = values + more, max(levels, deeper + 1)
    if values > most:
        raise _error(f"its aliases expand to more than {most:,} values", node.start_mark)
    if levels > DEPTH:
        raise _error(f"its aliases are {_TOO_DEEP}", node.start_mark)
    known[id(node)] = (values, levels)
    return values, levels


def load_artifact(text: str, origin: str) -> Any:
    """Return the data of a rendered YAML file; `origin` names its template in errors.

    Raises InputError if it is not valid YAML, or too large.
    """
    try:
        _refuse_deep(text)
        loader = _FAST(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            refuse_bomb(node, ARTIFACT_VALUES)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except (yaml.YAMLError, *DATA_FAULTS) as error:
        reason = clip(str(error), LONGEST_REASON)
        raise InputError(f"{origin} does not give valid YAML: {reason}") from error


def _refuse_deep(text: str) -> None:
    """Raise MarkedYAMLError if `text` is nested too deeply for the loader, which is recursive."""
    depth = 0
    for values, event in enumerate(yaml.parse(text, Loader=_FAST)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEPTH:
            raise _error(_TOO_DEEP, event.start_mark)
        if values > 2 * ARTIFACT_VALUES:
            raise _error(f"more than {ARTIFACT_VALUES:,} values", event.start_mark)


def _error(problem: str, mark: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(None, None, problem, mark)
