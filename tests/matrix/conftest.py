"""Every cell of base image, MPI and engine, on a real Swarm; and the table of what was seen."""

from collections.abc import Iterator

import pytest

from mpigen.lab import engine, lab
from tests import tables
from tests.matrix import table
from tests.matrix.cells import CELLS, EMULATED, ENGINES, SAMPLES, Cell
from tests.swarm.conftest import ROOT, own_lab

LAB = own_lab("matrix")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--sample", type=int, help="One cell alone: this number, round and round.")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "cell" in metafunc.fixturenames:
        sample = metafunc.config.getoption("--sample")
        cells = CELLS if sample is None else [SAMPLES[sample % len(SAMPLES)]]
        metafunc.parametrize("cell", cells, ids=str, indirect=True, scope="module")


@pytest.fixture(scope="module")
def cell(request: pytest.FixtureRequest) -> Cell:
    found: Cell = request.param
    return found


@pytest.fixture(scope="session")
def labs() -> Iterator[dict[str, lab.Lab]]:
    """The labs that are up, by their engines: one at a time."""
    up: dict[str, lab.Lab] = {}
    engine.ensure(print)
    try:
        yield up
    finally:
        lab.down(LAB, print)


@pytest.fixture(scope="module")
def the_lab(cell: Cell, labs: dict[str, lab.Lab]) -> lab.Lab:
    """Three engines of the cell's kinds, and one manager of the first kind."""
    return _only(labs, cell.engines)


@pytest.fixture(scope="module")
def newest(labs: dict[str, lab.Lab]) -> lab.Lab:
    """Three engines of the newest kind."""
    return _only(labs, ENGINES[0])


@pytest.fixture(scope="module")
def stores(labs: dict[str, lab.Lab]) -> lab.Lab:
    """An engine with containerd's image store, which is the manager, and two with Docker's own."""
    return _only(labs, f"{ENGINES[0]}-containerd,{ENGINES[0]},20.10")


def _only(labs: dict[str, lab.Lab], engines: str) -> lab.Lab:
    if engines not in labs:
        lab.down(LAB, print)
        labs.clear()
        labs[engines] = lab.up(LAB, 3, print, engines=engines.split(","))
    return labs[engines]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table of all cells; it goes into the documents once all of them were run."""
    seen: dict[str, set[str]] = {}
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.stats.get(outcome, []):
            for name, value in getattr(report, "user_properties", []):
                if name == "cell":
                    seen.setdefault(value, set()).add(outcome)
    if not seen:
        return
    ran = {
        cell: table.RAN if outcomes == {"passed"} else table.FAILED
        for cell, outcomes in seen.items()
    }
    lines = table.whole(ran)
    terminalreporter.section("cells")
    for line in lines:
        terminalreporter.write_line(line)
    if ran.keys() == {str(cell) for cell in (*CELLS, EMULATED)}:
        last = ["", f"All cells were last run on {tables.when()}."]
        tables.write(ROOT / "docs" / "support.md", "test-matrix", lines + last)
        tables.write(ROOT / "README.md", "test-matrix", table.short(ran) + last)
