"""mpigen.yaml, in one or more layers, -> Config; reports all problems at once with places."""

import copy
import functools
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from mpigen.config.checks import conflicts
from mpigen.config.document import (
    MOST_PROBLEMS,
    NOTHING_WRITTEN,
    KeyPath,
    Mark,
    Problem,
    Source,
    parse,
)
from mpigen.config.layers import overlay
from mpigen.config.messages import kind_of, path_of, problem_of
from mpigen.config.models import Config
from mpigen.errors import InputError
from mpigen.untrusted.places import root_of
from mpigen.untrusted.reading import MEBIBYTE, read_bytes

_HINT = f"{NOTHING_WRITTEN} The fields are described in docs/configuration.md."

_START = (
    "Start a site with mpigen init, or name the file with -c FILE. The smallest file that "
    "works is one line: name: mycluster"
)

# the largest mpigen.yaml, in bytes; one with 100 groups has some 50,000
_MOST_BYTES = MEBIBYTE
# the most conflicts that are looked for
_MOST_CONFLICTS = 10 * MOST_PROBLEMS


def load(*paths: Path) -> Config:
    """Load `paths`, later ones over earlier ones, and check the fields singly and together.

    The folder of the first path is the site's. Raises InputError with one line per problem:
    FILE:LINE:COLUMN: FIELD: MESSAGE.
    """
    layers = [read_document(path, paths[0].parent, _HINT, _START) for path in paths]
    source = functools.reduce(overlay, layers)
    config, details = _validate(cast(dict[str, Any], source.data))
    # a message takes a search for what was meant: only those that are listed get one
    details.sort(key=lambda detail: source.order(source.mark(path_of(detail))))
    problems = [problem_of(detail, Config) for detail in details[:MOST_PROBLEMS]]
    problems += [Problem(path_of(detail), "") for detail in details[MOST_PROBLEMS:]]
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


def read_document(
    path: Path, site: Path, hint: str, missing: str, example: str = "name: mycluster"
) -> Source:
    """The YAML file `path`, a mapping, which may not lead out of the folder `site`.

    Raises InputError with `hint`, or its first sentence if it is no YAML; with `missing` if there
    is no such file.
    """
    nothing = hint.partition(".")[0] + "."
    source = parse(_read(path, site, missing, nothing), str(path), nothing)
    if source.data is None:
        source.data = {}
    if not isinstance(source.data, dict):
        message = f"must be keys and values such as {example}, not {kind_of(source.data)}"
        raise source.error([Problem((), message)], hint)
    return source


def _read(path: Path, site: Path, missing: str, nothing: str) -> str:
    try:
        text = read_bytes(path, _MOST_BYTES, root_of(path, site)).decode()
        return text.replace("\r\n", "\n").replace("\r", "\n")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"{path}: no such file", missing) from error
    except UnicodeDecodeError as error:
        before = error.object[: error.start].split(b"\n")
        mark = Mark(str(path), len(before), len(before[-1].decode()) + 1)
        problem = Problem((), "not UTF-8 text: save the file in that encoding", mark)
        raise Source((str(path),)).error([problem], nothing) from error


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
        _remove(rest, path_of(detail))
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
