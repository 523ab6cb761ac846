"""The merging of layers of mpigen.yaml: each value keeps the mark of the file that sets it."""

from mpigen.config.document import KeyPath, Source


def overlay(lower: Source, upper: Source) -> Source:
    """Merge `upper` over `lower`: mappings merge, `!append` lists extend, all else is replaced."""
    replaced: set[KeyPath] = set()
    extended: dict[KeyPath, int] = {}
    data = _overlay(lower.data, upper.data, (), upper.appends, replaced, extended)
    marks = {at: mark for at, mark in lower.marks.items() if not _is_within(at, replaced)}
    for at, mark in upper.marks.items():
        if _is_within(at, replaced):
            marks[at] = mark
        else:
            marks.setdefault(_shifted(at, extended), mark)
    return Source(
        (*lower.files, *upper.files), data, marks, problems=lower.problems + upper.problems
    )


def _overlay(
    low: object,
    up: object,
    path: KeyPath,
    appends: set[KeyPath],
    replaced: set[KeyPath],
    extended: dict[KeyPath, int],
) -> object:
    """Return `up` over `low`; add its path to `replaced`, or to `extended` with a list's length."""
    if isinstance(low, dict) and isinstance(up, dict):
        added = {
            key: _overlay(low.get(key), value, (*path, key), appends, replaced, extended)
            for key, value in up.items()
        }
        return low | added
    if isinstance(low, list) and isinstance(up, list) and path in appends:
        extended[path] = len(low)
        return low + up
    replaced.add(path)
    return up


def _is_within(at: KeyPath, paths: set[KeyPath]) -> bool:
    """Whether one of `paths` is `at` or contains it."""
    return any(at[:length] in paths for length in range(len(at) + 1))


def _shifted(at: KeyPath, extended: dict[KeyPath, int]) -> KeyPath:
    """Return the path of `at` in the merged data, where items of `extended` lists moved."""
    for length in range(len(at)):
        index = at[length]
        if isinstance(index, int) and at[:length] in extended:
            return (*at[:length], extended[at[:length]] + index, *at[length + 1 :])
    return at
