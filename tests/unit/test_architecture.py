"""docs/architecture.md is the map of what is there."""

import re

from tests.conftest import ROOT

PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
PACKAGE = ROOT / "generator/mpigen"


def test_the_tree_lists_every_package_and_module_of_the_top_and_no_other() -> None:
    rows = re.findall(r"(?m)^\| `([a-z_]+(?:/|\.py))` \|", PAGE)
    here = {f"{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py")}
    here |= {path.name for path in PACKAGE.glob("*.py")} - {"__init__.py"}
    assert sorted(rows) == sorted(here)


def test_every_decision_that_the_code_refers_to_is_there() -> None:
    decisions = set(re.findall(r"(?m)\*\*(.+?)\*\*", PAGE.replace("`", "")))
    named = []
    for folder in (PACKAGE, ROOT / "templates"):
        for path in folder.rglob("*"):
            if path.is_file() and path.suffix not in (".pyc", ".cache"):
                text = path.read_text(encoding="utf-8")
                named += re.findall(r"architecture\.md: (.+)", text)
                joined = re.sub(r"\n\s*#", " ", text)
                named += re.findall(r'architecture\.md,\s+decision\s+"([^"]+)"', joined)
    assert len(named) >= 10
    assert {re.sub(r"\s+", " ", name).replace("`", "") for name in named} <= decisions


def test_no_module_is_long() -> None:
    long = {
        path.relative_to(PACKAGE).as_posix(): count
        for path in PACKAGE.rglob("*.py")
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > 250
    }
    assert long == {}
    assert len([path for path in PACKAGE.glob("*.py") if path.name != "__init__.py"]) <= 8
