"""How fast mpigen renders, against copier and hpccm, and as a site grows.

    .venv/bin/python tests/bench/render.py [--runs N] [--sites N] [--json FILE]

Three tables: whole processes that write the same number of files, the sides in turn; `mpigen
render` of 1 to 1,000 groups of workers; and many sites in one process.
"""

import argparse
import json
import math
import os
import platform
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import renderers
from renderers import Side, Took

from mpigen import site

OVERRIDE = """\
{% extends "builtin/Dockerfile.j2" %}
{% block footer %}
# site {{ cluster.name }}
{% endblock %}
"""


def make(folder: Path, count: int, override: bool) -> list[Path]:
    """`count` sites that differ, each with its keys."""
    configs = []
    for index in range(count):
        own = folder / f"site-{index}"
        (own / "app").mkdir(parents=True)
        config = own / "mpigen.yaml"
        config.write_text(
            f"name: site-{index}\napp: {{source: app, check: hello}}\n"
            f"workers: [{{name: cpu, replicas: {index % 50 + 1}, slots: 2, memory: 1g}}]\n"
        )
        if override:
            (own / "templates").mkdir()
            (own / "templates" / "Dockerfile.j2").write_text(OVERRIDE)
        configs.append(config)
    keys = site.render_site(site.at([configs[0]], None)).files
    for config in configs:
        (config.parent / "output/keys").mkdir(parents=True)
        for path in ("keys/id_ed25519.pub", "keys/ssh_host_ed25519_key.pub"):
            (config.parent / "output" / path).write_text(keys[path].text)
    return configs


def peak() -> float:
    """Peak memory of this process in MiB: getrusage(2) gives KiB on Linux."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def many(count: int, override: bool) -> dict[str, Any]:
    """How fast `count` sites are rendered in this process, and what memory that takes, in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        configs = make(Path(folder), count, override)
        tenth = max(1, count // 10)
        started = time.perf_counter()
        for index, config in enumerate(configs):
            site.render_site(site.at([config], None))
            if index + 1 == tenth:
                early = peak()
        seconds = time.perf_counter() - started
    return {
        "sites": count,
        "override": override,
        "rate": count / seconds,
        "early": early,
        "peak": peak(),
    }


def compare(scratch: Path, runs: int) -> dict[str, list[Took]]:
    """Whole processes of each side, in turn, after one that is not counted."""
    (config,) = make(scratch / "mpigen", 1, override=False)
    ours = renderers.mpigen(config)
    renderers.run(ours)
    texts = {
        path.relative_to(ours.folder).as_posix(): path.read_text(encoding="utf-8")
        for path in renderers.files(ours.folder)
    }
    sides = [ours, renderers.copier(scratch, texts), renderers.hpccm(scratch, len(texts))]
    found = _in_turn(sides, runs)
    for side in sides:
        made = len(renderers.files(side.folder))
        if made != len(texts):
            raise SystemExit(f"{side.name} wrote {made} files, mpigen {len(texts)}")
    return {f"{side.name}, {len(texts)} files": found[side.name] for side in sides}


def grow(scratch: Path, runs: int, sizes: tuple[int, ...] = (1, 10, 100, 1000)) -> dict[str, Any]:
    """Whole renders of sites of so many groups, in turn."""
    sides = []
    for count in sizes:
        (config,) = make(scratch / str(count), 1, override=False)
        groups = "".join(
            f"  - {{name: g{n}, slots: 2, memory: 1g, constraints: [node.labels.rack==r{n}]}}\n"
            for n in range(count)
        )
        config.write_text(f"name: large\nworkers:\n{groups}", encoding="utf-8")
        side = renderers.mpigen(config)
        sides.append(Side(str(count), side.command, side.prepare, side.folder))
    return dict(_in_turn(sides, runs))


def _in_turn(sides: list[Side], runs: int) -> dict[str, list[Took]]:
    found: dict[str, list[Took]] = {side.name: [] for side in sides}
    for number in range(runs + 1):
        for side in sides:
            took = renderers.run(side)
            if number:
                found[side.name].append(took)
    return found


def _seconds(took: list[Took], of: Callable[[Took], float] = lambda each: each.seconds) -> float:
    return median(map(of, took))


def report(found: dict[str, Any]) -> str:
    """The tables."""
    on = found["machine"]
    lines = [f"machine  {on['cores']} cores, Linux {on['kernel']}, load {on['load']:.1f} before"]
    head = f"{'median':>8}{'min':>8}{'max':>8}{'processor':>11}{'ratio':>8}{'by processor':>14}"
    runs = len(next(iter(found["compared"].values())))
    lines += ["", f"Whole processes that write as many files: seconds, {runs} interleaved runs"]
    lines += [f"  {'':30}{head}"]
    ours = next(iter(found["compared"].values()))
    for name, took in found["compared"].items():
        ratio = _seconds(ours) / _seconds(took)
        by = _processor(ours) / _processor(took)
        lines += [f"  {name:30}{_numbers(took)}{ratio:8.2f}{by:14.2f}"]
    lines += ["  The ratio is mpigen's time to that side's; processor: user and system time."]
    runs = len(next(iter(found["grown"].values())))
    lines += ["", f"mpigen render by groups of workers: seconds, {runs} interleaved runs"]
    lines += [f"  {'groups':>8}{head[:35]}{'ms a group':>12}{'slope':>8}"]
    before: tuple[int, float] | None = None
    base = _processor(next(iter(found["grown"].values())))
    for name, took in found["grown"].items():
        count, spent = int(name), _processor(took) - base
        each = f"{1000 * spent / (count - 1):12.2f}" if count > 1 else f"{'':12}"
        slope = f"{'':8}"
        if before and before[0] > 1 and before[1] > 0 and spent > 0:
            rise = math.log(spent / before[1]) / math.log((count - 1) / (before[0] - 1))
            slope = f"{rise:8.2f}"
        lines += [f"  {name:>8}{_numbers(took)}{each}{slope}"]
        before = (count, spent)
    lines += [
        "  ms a group: processor time beyond that of one group; slope: of its logarithm by that of",
        "  the groups, so 1 is linear.",
        "",
    ]
    for each in found["many"]:
        what = "with an override" if each["override"] else "plain"
        lines += [
            f"{each['sites']} sites in one process, {what}: {each['rate']:.0f} a second; peak "
            f"memory {each['early']:.1f} MiB after a tenth, {each['peak']:.1f} MiB after all"
        ]
    return "\n".join(lines)


def _processor(took: list[Took]) -> float:
    return _seconds(took, lambda each: each.processor)


def _numbers(took: list[Took]) -> str:
    times = [each.seconds for each in took]
    numbers = (median(times), min(times), max(times))
    return "".join(f"{n:8.3f}" for n in numbers) + f"{_processor(took):11.3f}"


def main() -> None:
    """Measure, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15, help="of each whole process (15)")
    parser.add_argument("--sites", type=int, default=1000, help="in one process (1000)")
    parser.add_argument("--json", type=Path, help="a file for all that was found")
    wanted = parser.parse_args()
    if min(wanted.runs, wanted.sites) < 1:
        parser.error("--runs and --sites must be at least 1")
    machine = {"cores": os.cpu_count(), "kernel": platform.release(), "load": os.getloadavg()[0]}
    found: dict[str, Any] = {"machine": machine}
    with tempfile.TemporaryDirectory(prefix="mpigen-bench-") as scratch:
        found["compared"] = compare(Path(scratch, "compared"), wanted.runs)
        found["grown"] = grow(Path(scratch, "grown"), max(3, wanted.runs // 3))
    found["many"] = [many(wanted.sites, override) for override in (False, True)]
    print(report(found))
    if wanted.json:
        text = json.dumps(found, indent=2, default=lambda each: vars(each))
        wanted.json.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
