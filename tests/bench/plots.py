"""Plots of what the benches found: plots.py FOLDER FILE..., an SVG for each question.

A JSON file is one of limits.py, collectives.py or launch.py, as its keys show; that of mpis.py is
not drawn. Of a Markdown file the ratios of its first table are drawn: that is docs/performance.md.
"""

import json
import re
import sys
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib

matplotlib.use("svg")
# the same figures give the same bytes
matplotlib.rcParams["svg.hashsalt"] = "mpigen"
from matplotlib import pyplot  # noqa: E402

PARTS = {"container": "one container", "near": "2 containers, one node", "far": "2 nodes"}


def bars(axes: Any, groups: list[str], sides: dict[str, list[list[float]]]) -> None:
    """Medians as bars, with lines from the least to the most."""
    width = 0.8 / len(sides)
    for number, (side, values) in enumerate(sides.items()):
        places = [group + number * width for group in range(len(groups))]
        tops = [median(each) for each in values]
        least = [top - min(each) for top, each in zip(tops, values, strict=True)]
        most = [max(each) - top for top, each in zip(tops, values, strict=True)]
        axes.bar(places, tops, width, yerr=[least, most], label=side, capsize=2)
    axes.set_xticks([n + 0.4 - width / 2 for n in range(len(groups))], groups)
    axes.legend(fontsize="small")


def save(figure: Any, folder: Path, name: str) -> None:
    """Write the SVG, without a date."""
    figure.tight_layout()
    figure.savefig(folder / name, metadata={"Date": None})
    pyplot.close(figure)
    print(folder / name)


def limits(found: dict[str, Any], folder: Path) -> None:
    """Latency of 8 bytes, and bandwidth, of each part."""
    for part in (each for each in PARTS if each in found):
        sides = {side: values for side, values in found[part].items() if side != "stock"}
        every = list(dict.fromkeys(point for values in sides.values() for point in values))
        large = [point for point in every if int(point.partition(":")[2]) >= 1 << 20]
        figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4), width_ratios=(1, 3))
        bars(left, ["8 bytes"], {side: [values["pingpong:8"]] for side, values in sides.items()})
        left.set_ylabel("µs one way")
        left.set_title(PARTS[part])
        speeds = {
            side: [[int(p.partition(":")[2]) / us / 1000 for us in values[p]] for p in large]
            for side, values in sides.items()
            if all(point in values for point in large)
        }
        names = [f"{p.partition(':')[0]}\n{int(p.partition(':')[2]) >> 20} MiB" for p in large]
        bars(right, names, speeds)
        right.set_ylabel("GB/s")
        save(figure, folder, f"bench-{part}.svg")


def collectives(found: dict[str, Any], folder: Path) -> None:
    """Time by size, a picture for each collective."""
    figure, places = pyplot.subplots(1, 3, figsize=(12, 4), sharey=True)
    for axes, what in zip(places, ("allreduce", "bcast", "alltoall"), strict=True):
        for side, values in found["us"].items():
            points = [point for point in values if point.startswith(what)]
            sizes = [int(point.partition(":")[2]) for point in points]
            axes.plot(sizes, [median(values[point]) for point in points], marker="o", label=side)
        axes.set(xscale="log", yscale="log", xlabel="bytes", title=f"{what}, 8 ranks")
    places[0].set_ylabel("µs a call")
    places[0].legend(fontsize="small")
    save(figure, folder, "bench-collectives.svg")


def launch(found: dict[str, Any], folder: Path) -> None:
    """Seconds of `mpirun true` by the number of containers."""
    counts = sorted(found["counts"], key=int)
    sides = {
        side: [found["counts"][count][side]["seconds"] for count in counts]
        for side in ("plain", "mpigen, first", "mpigen, again")
    }
    figure, axes = pyplot.subplots(figsize=(6, 4))
    bars(axes, counts, sides)
    axes.set(xlabel="containers", ylabel="seconds", title="mpirun true (60 s: had not ended)")
    axes.set_yscale("log")
    save(figure, folder, "bench-launch.svg")


def ratios(page: str) -> dict[str, tuple[float, bool]]:
    """Question and opponent to the ratio, and whether it is said to lose, of a page's first table.

    A row without a question has that of the row above; one without a ratio is left out.
    """
    found: dict[str, tuple[float, bool]] = {}
    question = ""
    for line in page[page.index("\n| --- |") :].splitlines()[2:]:
        if not line.startswith("|"):
            break
        asked, _, opponent, ratio, _ = (cell.strip() for cell in line[1:].split("|")[:5])
        question = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", asked).replace("`", "") or question
        number = re.fullmatch(r"\**(\d+\.\d+)(, loses\**)?", ratio)
        if number:
            against = opponent.partition(":")[0].replace("`", "")
            if against[:1].isdigit():
                against = "raw TCP"
            found[f"{question} / {against}"] = float(number.group(1)), bool(number.group(2))
    return found


def summary(page: str, folder: Path) -> None:
    """Every ratio of the page's first table; a loss is to the right of 1, in red."""
    found = ratios(page)
    figure, axes = pyplot.subplots(figsize=(9, 0.27 * len(found) + 1))
    places = range(len(found))
    colours = ["tab:red" if loses else "tab:blue" for _, loses in found.values()]
    # bars that begin at 1
    axes.barh(places, [ratio - 1 for ratio, _ in found.values()], left=1, color=colours)
    axes.set_yticks(places, list(found), fontsize="x-small")
    for place, (ratio, _) in zip(places, found.values(), strict=True):
        side = "left" if ratio > 1 else "right"
        axes.text(ratio, place, f" {ratio:g} ", va="center", ha=side, fontsize="x-small")
    axes.invert_yaxis()
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set(xscale="log", xlim=(0.0015, 8), xlabel="mpigen's time or size to the other's")
    save(figure, folder, "bench-summary.svg")


def main() -> None:
    """Every file's plots."""
    folder = Path(sys.argv[1])
    for name in sys.argv[2:]:
        if name.endswith(".md"):
            summary(Path(name).read_text("utf-8"), folder)
            continue
        found = json.loads(Path(name).read_text("utf-8"))
        if "scale" in found:
            launch(found["scale"], folder)
        elif "us" in found:
            collectives(found, folder)
        elif "mpis" not in found:
            limits(found, folder)


if __name__ == "__main__":
    main()
