"""Projects in Python: with requirements.txt, with pyproject.toml, or scripts alone."""

import ast
import re
import sys
import tomllib
from pathlib import PurePosixPath
from typing import Any

from mpigen.config.models_image import VENV
from mpigen.config.patterns import PYTHON
from mpigen.config.project_files import Files, Plan
from mpigen.untrusted.faults import DATA_FAULTS

_LONGEST = 200
_MOST = 200
_REQUIREMENTS = "requirements.txt"
_PYPROJECT = "pyproject.toml"
_SETUP = ("setup.py", "setup.cfg")
_PIP = f"{VENV}/bin/pip install --no-cache-dir"
# modules whose package in the index has the same name
_SAME_NAME = {"h5py", "matplotlib", "mpi4py", "numba", "numpy", "pandas", "scipy", "sympy", "torch"}


def described(files: Files) -> Plan | None:
    """Return the plan of a project that lists its packages in a file; None if none does."""
    if _REQUIREMENTS in files.names:
        plan = _requirements(files)
        if _PYPROJECT in files.names and "build-system" in _pyproject(files):
            plan.build = " && ".join([*([plan.build] if plan.build else []), f"{_PIP} ."])
    elif _PYPROJECT in files.names:
        plan = _package(files)
    elif found := [name for name in _SETUP if name in files.names]:
        plan = Plan(f"a Python package ({found[0]})", f"{_PIP} .")
    else:
        return None
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
    return plan


def _requirements(files: Files) -> Plan:
    plan = Plan(f"a Python project with {_REQUIREMENTS}")
    whole = False
    for line in files.text(_REQUIREMENTS).splitlines():
        wanted = re.sub(r"(^|\s)#.*", "", line).strip()
        if wanted and not _take(plan, wanted):
            whole = True
    if whole:
        # options, addresses and conditions are pip's own matter
        plan.build = f"{_PIP} -r {_REQUIREMENTS}"
    if "git+" in files.text(_REQUIREMENTS):
        plan.build_packages.add("git")
    return plan


def _package(files: Files) -> Plan:
    data = _pyproject(files)
    plan = Plan(f"a Python project with {_PYPROJECT}")
    project = data.get("project")
    listed = project.get("dependencies", []) if isinstance(project, dict) else []
    left = [each for each in _texts(listed) if not _take(plan, each)]
    if "build-system" in data:
        plan.build = f"{_PIP} ."
        commands = project.get("scripts") if isinstance(project, dict) else None
        if isinstance(commands, dict) and len(commands) == 1:
            plan.program = next(iter(commands))
        if any("git+" in each for each in left):
            plan.build_packages.add("git")
    elif left:
        plan.notes.append(
            f"{_PYPROJECT} asks for {', '.join(left)}, which is more than a name and versions:"
            " fill in app.python"
        )
    return plan


def _pyproject(files: Files) -> dict[str, Any]:
    try:
        return tomllib.loads(files.text(_PYPROJECT))
    except DATA_FAULTS:  # TOMLDecodeError is a ValueError: pip will say what is wrong
        return {}


def _texts(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


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
