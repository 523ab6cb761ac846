"""Projects in Python: with requirements.txt, with pyproject.toml, or scripts alone."""

import ast
import re
import sys
import tomllib
from pathlib import PurePosixPath
from typing import Any

from mpigen.config import project_lists
from mpigen.config.models_image import VENV
from mpigen.config.patterns import PYTHON
from mpigen.config.project_files import Files, Plan, is_test
from mpigen.untrusted.faults import DATA_FAULTS

_LONGEST = 200
_MOST = 200
_REQUIREMENTS = "requirements.txt"
_PYPROJECT = "pyproject.toml"
_SETUP = ("setup.py", "setup.cfg")
_CONDA = ("environment.yml", "environment.yaml")
_PIP = f"{VENV}/bin/pip install --no-cache-dir"
# modules whose package in the index has the same name
_SAME_NAME = {"h5py", "matplotlib", "mpi4py", "numba", "numpy", "pandas", "scipy", "sympy", "torch"}


def packaged(files: Files) -> Plan | None:
    """Return the plan of a package that pip can install, by pyproject.toml or setup.py; or None.

    It may have parts in C, which its own build system builds.
    """
    data = _pyproject(files)
    found = next((name for name in _SETUP if name in files.names), "")
    if "build-system" in data and project_lists.is_package(data):
        found = _PYPROJECT
    if not found:
        return None
    plan = Plan(f"a Python package ({found})")
    left = _take_all(plan, project_lists.of_pyproject(data) or [])
    if _REQUIREMENTS in files.names:
        left += _requirements(files, plan)
    plan.build = " && ".join([*([plan.build] if plan.build else []), f"{_PIP} ."])
    if any("git+" in each for each in left):
        plan.build_packages.add("git")
    commands = project_lists.table(data, "project").get("scripts")
    if isinstance(commands, dict) and len(commands) == 1:
        plan.program = next(iter(commands))
    return _with_program(plan, files)


def listed(files: Files) -> Plan | None:
    """Return the plan of scripts whose packages a file lists: pip's, Python's or conda's; or None.

    A pyproject.toml with settings of tools alone lists none.
    """
    if _REQUIREMENTS in files.names:
        plan = Plan(f"a Python project with {_REQUIREMENTS}")
        if any("git+" in each for each in _requirements(files, plan)):
            plan.build_packages.add("git")
        return _with_program(plan, files)
    name, wanted = _PYPROJECT, project_lists.of_pyproject(_pyproject(files))
    if wanted is None and files.ending(".py"):
        name = next((each for each in _CONDA if each in files.names), "")
        wanted = project_lists.of_conda(files.text(name)) if name else None
    if wanted is None:
        return None
    plan = Plan(f"a Python project with {name}")
    if left := _take_all(plan, wanted):
        plan.notes.append(
            f"{name} asks for {', '.join(left)}, which is more than names and versions:"
            " fill in app.python"
        )
    if name in _CONDA:
        plan.notes.append(
            f"{name} lists conda packages, and pip may not have all of them under the same names:"
            " check app.python"
        )
    return _with_program(plan, files)


def bare(files: Files) -> Plan | None:
    """Return the plan of Python scripts alone; None if there are none."""
    if not files.ending(".py"):
        return None
    imported = _imported(files)
    known = sorted(imported & _SAME_NAME)
    plan = _with_program(Plan("Python scripts without a list of packages", python=known), files)
    if others := sorted(imported - _SAME_NAME):
        plan.notes.append(
            f"they also import {', '.join(others)}: add what pip calls them to app.python"
        )
    if _PYPROJECT in files.names:
        plan.notes.append(f"{_PYPROJECT} has no [project] table: add its packages to app.python")
    return plan


def _requirements(files: Files, plan: Plan) -> list[str]:
    """Take the packages of requirements.txt; return the lines that are more than that."""
    lines = [re.sub(r"(^|\s)#.*", "", each) for each in files.text(_REQUIREMENTS).splitlines()]
    left = _take_all(plan, [line.strip() for line in lines if line.strip()])
    if left:
        # options, addresses and conditions are pip's own matter
        plan.build = f"{_PIP} -r {_REQUIREMENTS}"
    return left


def _pyproject(files: Files) -> dict[str, Any]:
    try:
        return tomllib.loads(files.text(_PYPROJECT)) if _PYPROJECT in files.names else {}
    except DATA_FAULTS:  # TOMLDecodeError is a ValueError: pip will say what is wrong
        return {}


def _take_all(plan: Plan, wanted: list[str]) -> list[str]:
    """Add packages to app.python; return those that are more than a name and versions."""
    return [each for each in wanted if not _take(plan, each)]


def _take(plan: Plan, wanted: str) -> bool:
    """Add a package to app.python; return false if it is more than a name and versions."""
    if len(wanted) > _LONGEST:
        return False
    plain = re.sub(r"\s*(==|>=|<=|~=|!=|<|>|,)\s*", r"\1", wanted.strip())
    if not re.fullmatch(PYTHON, plain):
        return False
    plan.python += [plain] if plain not in plan.python else []
    return True


def _with_program(plan: Plan, files: Files) -> Plan:
    """Add mpi4py, which every Python program here needs, and the script that is run."""
    names = {re.split(r"[^A-Za-z0-9._-]", each)[0].lower() for each in plan.python}
    if "mpi4py" not in names:
        plan.python.insert(0, "mpi4py")
    scripts = [name for name in files.top if name.endswith(".py") and name != "setup.py"][:_MOST]
    scripts = [name for name in scripts if not is_test(name)] or scripts
    main = [name for name in scripts if name == "main.py"] or [
        name for name in scripts if "mpi4py" in _modules(files, name)
    ]
    if not plan.program and len(main or scripts) == 1:
        plan.program = f"python {(main or scripts)[0]}"
    return plan


def _imported(files: Files) -> set[str]:
    """The modules that the scripts import, without Python's own and those of the project."""
    own = {PurePosixPath(name).stem for name in files.ending(".py")}
    own |= {part for name in files.ending(".py") for part in PurePosixPath(name).parts[:-1]}
    found = {each for name in files.ending(".py")[:_MOST] for each in _modules(files, name)}
    return found - own - set(sys.stdlib_module_names)


def _modules(files: Files, name: str) -> set[str]:
    try:
        tree = ast.parse(files.text(name))
    except (SyntaxError, MemoryError, *DATA_FAULTS):
        return set()
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found
