"""The walk-through's image and mpigen's: how large they are, and how long they take to build.

    .venv/bin/python tests/bench/image.py [--runs N] [--json FILE]

Both stand on one base image and are built by one engine, in turn: cold (no layer is taken from
before), warm (nothing has changed) and, ours, after one source file has changed. Exit code 0:
measured; 3: not measured.
"""

import argparse
import os
import platform
import re
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import harness
from sides import call, make_site, must, say

from mpigen.errors import ClusterError
from mpigen.lab import base, engine

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BASE = "debian:trixie-slim"
RECIPE, OURS = "mpigen-bench-image-recipe:latest", "mpigen-bench-image:latest"
WITH_GPU = "mpigen-bench-image-gpu:latest"
SIDES = {"walk-through": RECIPE, "mpigen": OURS, "mpigen, gpu_runtimes: true": WITH_GPU}


class Builder:
    """One engine, and what its builds have left there."""

    def __init__(self, docker: str) -> None:
        self.docker = docker
        self.left: set[str] = set()

    def build(self, tag: str, *command: str | Path) -> float:
        """Seconds that a build took. What it took the tag from is to be removed."""
        before = call(self.docker, "docker", "image", "inspect", "--format", "{{.Id}}", tag)
        done = call(self.docker, *command)
        if done.code:
            raise ClusterError(f"building {tag} ended with {done.code}:\n{done.text[-2000:]}")
        if not before.code:
            self.left.add(before.text.strip())
        # the classic builder keeps the last image of each stage, with no name
        self.left |= set(
            re.findall(r"(?<!Using cache\n )---> ([0-9a-f]{12})\nStep \S+ : FROM", done.text)
        )
        return done.seconds

    def identity(self, tag: str) -> str:
        """The image's id."""
        return must(self.docker, "docker", "image", "inspect", "--format", "{{.Id}}", tag)

    def size(self, tag: str) -> int:
        """Bytes of all its layers, the base's too, as docker counts them."""
        return int(must(self.docker, "docker", "image", "inspect", "--format", "{{.Size}}", tag))

    def tidy(self) -> None:
        """Remove what the builds made; the base images have names of their own, and stay."""
        for image in (*SIDES.values(), *self.left):
            call(self.docker, "docker", "rmi", image)


def rendered(scratch: Path, tag: str, more: str = "") -> Path:
    """The reference site, rendered, with an image of that name."""
    text = (ROOT / "mpigen.yaml").read_text("utf-8") + f'image: {{tag: "{tag}"{more}}}\n'
    site = make_site(scratch / tag.partition(":")[0], text, ROOT / "app")
    must("", sys.executable, "-m", "mpigen", "render", "-c", site / "mpigen.yaml")
    return site


def measure(runs: int) -> dict[str, Any]:
    """Seconds of each kind of build and bytes of each image. Raises ClusterError."""
    load = os.getloadavg()[0]
    client = engine.ensure(say)
    base.ensure(client, BASE, say)
    builder = Builder(engine.local_endpoint().url)
    found: dict[str, Any] = {"walk-through": {}, "mpigen": {}}
    try:
        with tempfile.TemporaryDirectory(prefix="mpigen-bench-") as scratch:
            site = rendered(Path(scratch), OURS)
            script = ("sh", site / "output" / "scripts" / "build.sh")
            recipe = ("docker", "build", "--tag", RECIPE, HERE / "recipe")
            times: dict[tuple[str, str], list[float]] = {}

            def note(side: str, kind: str, seconds: float) -> None:
                say(f"{side}, {kind}: {seconds:.1f} s")
                times.setdefault((side, kind), []).append(seconds)

            for number in range(1, runs + 1):
                say(f"run {number} of {runs}")
                note("walk-through", "cold", builder.build(RECIPE, *recipe, "--no-cache"))
                note("mpigen", "cold", builder.build(OURS, *script, "--no-cache"))
                note("walk-through", "warm", builder.build(RECIPE, *recipe))
                note("mpigen", "warm", builder.build(OURS, *script))
                with (site / "app" / "hello.cpp").open("a", encoding="utf-8") as source:
                    # one that the program keeps, so that another image must come of it
                    source.write(f'extern const char built_{number}[] = "{time.time_ns()}";\n')
                before = builder.identity(OURS)
                note("mpigen", "one source file changed", builder.build(OURS, *script))
                if builder.identity(OURS) == before:
                    raise ClusterError("the image is the same after its program has changed")
            other = rendered(Path(scratch), WITH_GPU, ", gpu_runtimes: true")
            builder.build(WITH_GPU, "sh", other / "output" / "scripts" / "build.sh")
        found = {
            "machine": {
                "cores": os.cpu_count(),
                "kernel": platform.release(),
                "load": load,
                "engine": must(
                    builder.docker, "docker", "version", "--format", "{{.Server.Version}}"
                ),
            },
            "base": builder.size(BASE),
            "bytes": {side: builder.size(tag) for side, tag in SIDES.items()},
            "seconds": [
                {"side": side, "build": kind, "seconds": each}
                for (side, kind), each in times.items()
            ],
        }
    finally:
        builder.tidy()
    return found


def report(found: dict[str, Any]) -> str:
    """The tables."""
    on, sizes = found["machine"], found["bytes"]
    lines = [
        f"machine  {on['cores']} cores, Linux {on['kernel']}, load {on['load']:.1f} before",
        f"engine   {on['engine']}; base {BASE}, {found['base'] / 1e6:.0f} MB",
        "",
        "Size of the image that containers run: MB, of that beyond the base, and the ratio of all",
        f"  {'':28}{'MB':>8}{'beyond':>8}{'ratio':>8}",
    ]
    for side, size in sizes.items():
        beyond = size - found["base"]
        lines += [
            f"  {side:28}{size / 1e6:8.0f}{beyond / 1e6:8.0f}{size / sizes['walk-through']:8.3f}"
        ]
    runs = len(found["seconds"][0]["seconds"])
    cold = {
        each["side"]: median(each["seconds"])
        for each in found["seconds"]
        if each["build"] == "cold"
    }
    lines += [
        "",
        f"Time of a build: seconds, {runs} runs, sides in turn; ratio to that side's cold",
        f"  {'':14}{'':26}{'median':>8}{'min':>8}{'max':>8}{'ratio':>8}",
    ]
    for each in found["seconds"]:
        took = each["seconds"]
        numbers = "".join(f"{n:8.1f}" for n in (median(took), min(took), max(took)))
        ratio = median(took) / cold[each["side"]]
        lines += [f"  {each['side']:14}{each['build']:26}{numbers}{ratio:8.3f}"]
    ratio = cold["mpigen"] / cold["walk-through"]
    return "\n".join([*lines, f"  Cold, mpigen to walk-through: {ratio:.2f}; ours compiles too."])


def main() -> None:
    """Build, measure, report; remove what was built, however it ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="of each kind of build (3)")

    def wanted(asked: argparse.Namespace) -> dict[str, Any]:
        if asked.runs < 1:
            parser.error("--runs must be at least 1")
        return measure(asked.runs)

    harness.main(parser, wanted, lambda found: [report(found)])


if __name__ == "__main__":
    main()
