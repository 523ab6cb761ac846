"""The Python packages that pyproject.toml or conda's environment.yml lists, as pip writes them.

What has no such form is returned in words, which no package name matches.
"""

import re
from typing import Any

from mpigen.config.document import parse
from mpigen.errors import InputError

# conda's names of Python, and of the MPI that the image has
_IN_IMAGE = {"python", "pip", "openmpi", "mpich"}


def table(data: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return a table of a TOML file; empty if there is none."""
    found: Any = data
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def is_package(data: dict[str, Any]) -> bool:
    """Whether a project with a build system can be installed: Poetry can be told that it cannot."""
    return table(data, "tool", "poetry").get("package-mode") is not False


def of_pyproject(data: dict[str, Any]) -> list[str] | None:
    """Return the packages of pyproject.toml, in Python's or Poetry's table; None without either."""
    poetry = table(data, "tool", "poetry").get("dependencies")
    if "project" not in data and not isinstance(poetry, dict):
        return None
    wanted = table(data, "project").get("dependencies")
    listed = [each for each in wanted if isinstance(each, str)] if isinstance(wanted, list) else []
    names = poetry if isinstance(poetry, dict) else {}
    return listed or [_of_poetry(*each) for each in names.items() if each[0] != "python"]


def _of_poetry(name: str, wanted: object) -> str:
    extras = ""
    if isinstance(wanted, dict):
        if more := sorted(set(wanted) - {"version", "extras"}):
            return f"{name} with {' and '.join(more)}"
        given = wanted.get("extras")
        extras = f"[{','.join(map(str, given))}]" if isinstance(given, list) and given else ""
        wanted = wanted.get("version")
    if not isinstance(wanted, str):
        return f"{name} with several versions"
    return name + extras + ",".join(filter(None, map(_version, wanted.split(","))))


def _version(wanted: str) -> str:
    """A version of Poetry's, `^1.2`, `~1.2`, `1.2` or `*`, as pip writes it."""
    wanted = wanted.strip()
    if wanted == "*":
        return ""
    ranged = re.fullmatch(r"([~^])\s*(([0-9]+)(\.[0-9]+)*)", wanted)
    if not ranged:
        return f"=={wanted}" if wanted[:1].isdigit() else wanted
    numbers = [int(part) for part in ranged[2].split(".")]
    # the number that must not change: the first that is not 0, or for ~ the second
    kept = next((n for n, number in enumerate(numbers) if number), len(numbers) - 1)
    if ranged[1] == "~":
        kept = min(1, len(numbers) - 1)
    above = [*numbers[:kept], numbers[kept] + 1]
    return f">={ranged[2]},<{'.'.join(map(str, above))}"


def of_conda(text: str) -> list[str] | None:
    """Return the packages of environment.yml, with those of its pip list; None if it has none."""
    try:
        data = parse(text, "environment.yml").data
    except InputError:  # conda will say what is wrong
        return None
    wanted = data.get("dependencies") if isinstance(data, dict) else None
    if not isinstance(wanted, list):
        return None
    found = [_of_conda(each) for each in wanted if isinstance(each, str)]
    for each in wanted:
        more = each.get("pip") if isinstance(each, dict) else None
        found += [each for each in more if isinstance(each, str)] if isinstance(more, list) else []
    return [each for each in found if each]


def _of_conda(wanted: str) -> str:
    """A package as conda writes it, `numpy=1.26`, `numpy 1.26.*` or `conda-forge::numpy`."""
    split = re.fullmatch(r"([^\s=<>!~]+)\s*(.*)", wanted.rpartition("::")[2].strip())
    if not split:
        return wanted
    name, version = split[1], split[2]
    if name in _IN_IMAGE:
        return ""
    fuzzy = re.fullmatch(r"=?\s*([0-9][0-9.]*[0-9]|[0-9])(\.?\*)?([ =].*)?", version)
    return f"{name}=={fuzzy[1]}.*" if fuzzy else f"{name}{version}"
