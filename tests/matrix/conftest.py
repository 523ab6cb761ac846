"""Every cell of base image, MPI and engine, on a real Swarm; and the table of what was seen."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from mpigen.distros import RELEASES
from mpigen.lab import engine, lab
from tests import tables
from tests.swarm.conftest import ROOT, own_lab

LAB = own_lab("matrix")
# without Debian 14, a preview, whose Open MPI 6 is a release candidate: docs/support.md
BASES = {"Debian 12": "debian:bookworm-slim", "Debian 13": "debian:trixie-slim"}
ENGINES = ("28.5", "26.1", "20.10", "28.5,20.10")
TABLES = (ROOT / "docs" / "support.md", ROOT / "README.md")


@dataclass(frozen=True)
class Cell:
    """What a cluster stands on: a release, an MPI, and the engines of the nodes, in turn."""

    release: str
    mpi: str
    engines: str

    def __str__(self) -> str:
        return f"{self.release}, {self.mpi}, Docker {self.engines}"


CELLS = [
    Cell(release.name, mpi, each)
    for each in ENGINES
    for release in RELEASES
    for mpi in release.versions
    if release.name in BASES and mpi not in release.broken
]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--sample", type=int, help="One cell alone: this number, round and round.")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "cell" in metafunc.fixturenames:
        sample = metafunc.config.getoption("--sample")
        cells = CELLS if sample is None else [CELLS[sample % len(CELLS)]]
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
    ran = {cell: "ran" if outcomes == {"passed"} else "FAILED" for cell, outcomes in seen.items()}
    lines = _table(ran)
    terminalreporter.section("cells")
    for line in lines:
        terminalreporter.write_line(line)
    if len(ran) == len(CELLS):
        _write(lines)


def _table(ran: dict[str, str]) -> list[str]:
    lines = [
        "| base | MPI | " + " | ".join(f"Docker {engines}" for engines in ENGINES) + " |",
        "| --- | --- |" + " --- |" * len(ENGINES),
    ]
    for release in RELEASES:
        for mpi, version in release.versions.items():
            if mpi in release.broken:
                cells = ["refused"] * len(ENGINES)
            elif release.name in BASES:
                cells = [ran.get(str(Cell(release.name, mpi, each)), "-") for each in ENGINES]
            else:
                cells = ["rendered"] * len(ENGINES)
            lines.append(f"| {release.name} | {mpi} {version} | {' | '.join(cells)} |")
    return lines


def _write(lines: list[str]) -> None:
    last = f"All cells were last run on {tables.when()}."
    for file in TABLES:
        tables.write(file, "test-matrix", [*lines, "", last])
