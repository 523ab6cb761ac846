"""One YAML source over another: the layers of a site, as in `-c base.yaml -c production.yaml`."""

from typing import cast

from mpigen.config.document import KeyPath, Source


def overlay(lower: Source, upper: Source) -> Source:
    """`upper` laid over `lower`: mappings are merged, all else is replaced, or appended to.

    Each value keeps the place where it was said.
    """
    merged = Source(
        (*lower.files, *upper.files),
        marks=dict(lower.marks),
        problems=lower.problems + upper.problems,
    )
    merged.data = _overlay(lower.data, upper.data, (), upper, merged)
    return merged


def _overlay(low: object, up: object, path: KeyPath, upper: Source, merged: Source) -> object:
    if isinstance(low, dict) and isinstance(up, dict):
        merged.marks.setdefault(path, upper.mark(path))
        added = {
            key: _overlay(low.get(key), value, (*path, key), upper, merged)
            for key, value in up.items()
        }
        return low | added
    if isinstance(low, list) and isinstance(up, list) and path in upper.appends:
        for at in [at for at in upper.marks if at[: len(path)] == path and at != path]:
            index = cast(int, at[len(path)])
            merged.marks[(*path, len(low) + index, *at[len(path) + 1 :])] = upper.marks[at]
        return low + up
    for at in [at for at in merged.marks if at[: len(path)] == path]:
        del merged.marks[at]
    merged.marks |= {at: mark for at, mark in upper.marks.items() if at[: len(path)] == path}
    return up
