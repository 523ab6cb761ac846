"""YAML files with the line and column of each value, and the merging of layers."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple, cast

import yaml

from mpigen.config.yaml_errors import explain, explain_value, misread
from mpigen.errors import Fault, InputError
from mpigen.untrusted.faults import DATA_FAULTS
from mpigen.untrusted.quoting import clip, shown
from mpigen.untrusted.yaml_limits import Loader, refuse_bomb

KeyPath = tuple[str | int, ...]

EMPTY = "is empty: give it a value, or leave the key out"
NOTHING_WRITTEN = "Nothing was written."
MOST_PROBLEMS = 50
"""The most problems that one error lists."""

_MERGE_TAG = "tag:yaml.org,2002:merge"
_APPEND_TAG = "!append"
_PLAIN_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


class Mark(NamedTuple):
    """A place in a file: line and column, both counted from 1."""

    file: str
    line: int
    column: int


class Problem(NamedTuple):
    """One fault and its place.

    `path` leads to the value, as in `("workers", 0, "replicas")`. `mark`, if given, is the exact
    place: the second of two equal keys has no path of its own.
    """

    path: KeyPath
    message: str
    mark: Mark | None = None


@dataclass
class Source:
    """The plain data of YAML files, and the marks of its keys and list items.

    `appends` has the paths of lists that extend the lower layer's: `!append [...]`.
    """

    files: tuple[str, ...]
    data: object = None
    marks: dict[KeyPath, Mark] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    appends: set[KeyPath] = field(default_factory=set)

    def mark(self, path: KeyPath) -> Mark:
        """Return the mark of `path`, or of its nearest parent in the file."""
        while path not in self.marks and path:
            path = path[:-1]
        return self.marks.get(path, Mark(self.files[0], 1, 1))

    def first_mark(self, paths: Iterable[KeyPath]) -> Mark | None:
        """Return the mark of the first of `paths` that is itself in the file, or None."""
        return next((self.marks[path] for path in paths if path in self.marks), None)

    def error(self, problems: list[Problem], hint: str = "") -> InputError:
        """Combine `problems` into one error, one line each, in the order of the files.

        The first `MOST_PROBLEMS` are listed, and the others counted.
        """
        unique = dict.fromkeys(problems)
        placed = [(problem.mark or self.mark(problem.path), problem) for problem in unique]
        placed.sort(key=lambda pair: self.order(pair[0]))
        faults = [
            Fault(mark.file, mark.line, mark.column, dotted(problem.path), problem.message)
            for mark, problem in placed[:MOST_PROBLEMS]
        ]
        more = len(placed) - len(faults)
        lines = [*map(str, faults), *([f"and {more:,} more mistakes"] if more else [])]
        return InputError("\n".join(lines), hint, faults)

    def order(self, mark: Mark) -> tuple[int, int, int]:
        """Return the position of `mark` in the files, for sorting."""
        return self.files.index(mark.file), mark.line, mark.column


def dotted(path: KeyPath) -> str:
    """Format a path as users write it: `workers[0].replicas`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{clip(part)}" for part in path)
    return text.removeprefix(".")


def parse(text: str, file: str, hint: str = NOTHING_WRITTEN) -> Source:
    """Parse YAML `text` into a `Source`; duplicate keys are added to its `problems`.

    Raises InputError with `hint` if the text is not valid YAML, since nothing else can be checked.
    """
    source = Source((file,))
    try:
        loader = Loader(text)
        node = loader.get_single_node()
        if node is not None:
            refuse_bomb(node)
            source.data = _build(loader, node, (), source)
    except yaml.MarkedYAMLError as error:
        reason, place = explain(error, text)
        mark = Mark(file, place.line + 1, place.column + 1) if place else Mark(file, 1, 1)
        raise source.error([Problem((), f"not valid YAML: {reason}", mark)], hint) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        column = error.position - (text.rfind("\n", 0, error.position) + 1) + 1
        message = f"not valid YAML: the character {chr(error.character)!a} is not allowed"
        raise source.error([Problem((), message, Mark(file, line, column))], hint) from error
    return source


def _build(
    loader: Loader,
    node: yaml.Node,
    path: KeyPath,
    source: Source,
) -> object:
    """Return the plain value of `node`, and record the marks of its content in `source`."""
    source.marks.setdefault(path, _mark(node, source))
    if isinstance(node, yaml.SequenceNode) and node.tag == _APPEND_TAG:
        source.appends.add(path)
    elif isinstance(node, yaml.CollectionNode) and node.tag not in _PLAIN_TAGS:
        raise yaml.MarkedYAMLError(None, None, _unsupported(node.tag), node.start_mark)
    if isinstance(node, yaml.SequenceNode):
        return [
            _build(loader, item, (*path, index), source) for index, item in enumerate(node.value)
        ]
    if isinstance(node, yaml.MappingNode):
        merged, places = _build_merged(loader, node, path, source)
        own = _build_mapping(loader, node, path, source)
        for at, mark in places.items():
            if at != path and at[len(path)] not in own:
                source.marks.setdefault(at, mark)
        return merged | own
    if node.tag == _APPEND_TAG:
        raise yaml.MarkedYAMLError(None, None, _unsupported(node.tag), node.start_mark)
    value = _construct(loader, node)
    if not isinstance(node, yaml.ScalarNode):
        return value
    # a file's mode is octal by custom, and Docker reads it so too
    if path[-1:] != ("mode",) and (why := misread(node, value)):
        source.problems.append(Problem(path, why, _mark(node, source)))
    if path and not {"stack", "params"} & {*path} and value is None and node.value == "":
        source.problems.append(Problem(path, EMPTY))
    return value


def _construct(loader: Loader, node: yaml.Node) -> object:
    """Return the value of a scalar. Raises MarkedYAMLError if its tag does not fit its text."""
    try:
        return loader.construct_object(node)
    except DATA_FAULTS as error:
        reason = explain_value(node, error)
        raise yaml.MarkedYAMLError(None, None, reason, node.start_mark) from error


def _unsupported(tag: str) -> str:
    return f"{tag} is for lists" if tag == _APPEND_TAG else f"the tag {clip(tag)} is not supported"


def _build_merged(
    loader: Loader,
    node: yaml.MappingNode,
    path: KeyPath,
    source: Source,
) -> tuple[dict[str, object], dict[KeyPath, Mark]]:
    """Return the keys that `<<` merges into `node`, and their marks; the first base wins."""
    merged: dict[str, object] = {}
    places: dict[KeyPath, Mark] = {}
    for key_node, value_node in node.value:
        if key_node.tag != _MERGE_TAG:
            continue
        bases = value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
        for base in bases:
            if isinstance(base, yaml.MappingNode):
                brought = replace(source, marks={})
                inherited = _build(loader, base, path, brought)
                places = brought.marks | places
                merged = cast(dict[str, object], inherited) | merged
            else:
                message = "<< takes a mapping, for example <<: *anchor, or a list of them"
                source.problems.append(Problem(path, message, _mark(base, source)))
    return merged, places


def _build_mapping(
    loader: Loader,
    node: yaml.MappingNode,
    path: KeyPath,
    source: Source,
) -> dict[str, object]:
    """Return the keys of the mapping `node` itself, without those merged by `<<`."""
    mapping: dict[str, object] = {}
    for key_node, value_node in node.value:
        if key_node.tag == _MERGE_TAG:
            continue
        key = _construct(loader, key_node) if _is_scalar(key_node) else None
        if not isinstance(key, str):
            subject = f"the key {shown(key_node.value)}" if _is_scalar(key_node) else "a key"
            message = f"{subject} must be text: put it in quotes"
            source.problems.append(Problem(path, message, _mark(key_node, source)))
            continue
        if not key.isprintable():
            message = f"the key {shown(key)} has characters that cannot be printed"
            source.problems.append(Problem(path, message, _mark(key_node, source)))
            continue
        at = (*path, key)
        if key in mapping:
            message = f"this key is defined twice, first on line {source.marks[at].line}"
            source.problems.append(Problem(at, message, _mark(key_node, source)))
        else:
            source.marks[at] = _mark(key_node, source)
            mapping[key] = _build(loader, value_node, at, source)
    return mapping


def _is_scalar(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode)


def _mark(node: yaml.Node, source: Source) -> Mark:
    return Mark(source.files[0], node.start_mark.line + 1, node.start_mark.column + 1)
