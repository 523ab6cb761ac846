"""What a run of the matrix has seen, as tables: a whole one and a short one."""

from dataclasses import replace

from mpigen.distros import RELEASES
from tests.matrix.cells import BASES, CELLS, EMULATED, ENGINES, OTHERS, PREVIEW, Cell

RAN, FAILED = "ran", "FAILED"


def whole(ran: dict[str, str]) -> list[str]:
    """Every combination that there is, with what became of it on each kind of engines."""
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
    cells = [_of(ran, replace(EMULATED, engines=each)) for each in ENGINES]
    mpi = f"{EMULATED.mpi} {version_of(EMULATED)}"
    lines.append(f"| {EMULATED.release}, arm64 emulated | {mpi} | {' | '.join(cells)} |")
    return lines


def short(ran: dict[str, str]) -> list[str]:
    """What ran, a line for each kind of base; a last sentence names what failed."""
    rows: dict[tuple[str, str], list[Cell]] = {}
    for cell in (*CELLS, EMULATED):
        if ran.get(str(cell)) == RAN:
            rows.setdefault((_base(cell), cell.processor or "amd64"), []).append(cell)
    lines = ["| base | MPI | Docker | processor |", "| --- | --- | --- | --- |"]
    for (base, processor), cells in sorted(rows.items()):
        mpis = list(dict.fromkeys(f"{cell.mpi} {version_of(cell)}" for cell in cells))
        on_all = [
            each.replace(",", " with ")
            for each in ENGINES
            if sum(cell.engines == each for cell in cells) == len(mpis)
        ]
        engines = ", ".join(on_all) or f"one each of {', '.join(_engines(cells))}"
        where = processor if processor == "amd64" else f"{processor}, emulated"
        lines.append(
            f"| {base} | {', '.join(sorted(mpis, key=_as_numbers))} | {engines} | {where} |"
        )
    if failed := sorted(cell for cell, outcome in ran.items() if outcome == FAILED):
        lines += ["", f"Failed: {'; '.join(failed)}."]
    return lines


def version_of(cell: Cell) -> str:
    """The version of its MPI: from PyPI, or that of the base's package."""
    (release,) = [each for each in RELEASES if each.name == cell.release]
    return cell.version or release.versions[cell.mpi]


def _base(cell: Cell) -> str:
    if cell.own:
        return f"{cell.release}, MPI in the image"
    if cell.version:
        return f"{cell.release}, MPI from PyPI"
    return f"{cell.release} (preview)" if cell.release == PREVIEW else cell.release


def _engines(cells: list[Cell]) -> list[str]:
    there = {cell.engines for cell in cells}
    return [each.replace(",", " with ") for each in ENGINES if each in there]


def _as_numbers(mpi: str) -> tuple[str, list[int]]:
    name, _, version = mpi.partition(" ")
    return name, [int(part) for part in version.partition("~")[0].split(".")]


def _of(ran: dict[str, str], cell: Cell) -> str:
    return ran.get(str(cell), "-")
