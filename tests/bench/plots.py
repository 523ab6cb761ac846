"""Plots of what the benches found: plots.py FOLDER FILE.json..., an SVG for each question.

What a file is of is seen by its keys: limits.py, collectives.py or launch.py.
"""

import json
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
        left.set_ylabel("us one way")
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
    places[0].set_ylabel("us a call")
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


def main() -> None:
    """Every file's plots."""
    folder = Path(sys.argv[1])
    for name in sys.argv[2:]:
        found = json.loads(Path(name).read_text("utf-8"))
        if "scale" in found:
            launch(found["scale"], folder)
        elif "us" in found:
            collectives(found, folder)
        else:
            limits(found, folder)


if __name__ == "__main__":
    main()
