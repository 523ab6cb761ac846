"""README, walked by a plain user from `git clone` to results: each block as it is pasted."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpigen.lab import base, engine, lab
from tests.figures import figure
from tests.swarm.conftest import ROOT, check
from tests.swarm.terminal import Terminal, plain_user

# a virtual environment with all that checks mpigen, a demo, and two images
pytestmark = pytest.mark.long

BLOCKS = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.M | re.S)
CLONE = r"https://\S+?/mpigen\.git"


@pytest.fixture(scope="module")
def reader() -> Iterator[Terminal]:
    """A plain user; the address of README leads to the last commit of this checkout."""
    base.ensure(engine.local(), "debian:trixie-slim", print)
    with plain_user() as user:
        (address,) = set(re.findall(CLONE, "".join(BLOCKS)))
        origin = user.home / "origin.git"
        check("git", "clone", "--quiet", "--bare", ROOT, origin)
        check("chown", "-R", f"{user.user}:{user.group}", origin)
        user.run("git", "config", "--global", f"url.{origin}.insteadOf", address)
        try:
            yield user
        finally:
            with pytest.MonkeyPatch.context() as patch:  # after a failure there are some
                patch.setenv("XDG_STATE_HOME", str(user.home / ".local/state"))
                for name in ("demo", "lab"):
                    lab.down(name, print)


def _trust(user: Terminal, folder: Path) -> None:
    """Trust the certificates of this machine in a build, where a proxy opens TLS connections.

    As the error of a build says then: by image.ca.
    """
    if bundle := os.environ.get("PIP_CERT"):
        user.run("tee", folder / "ca.pem", given=Path(bundle).read_text())
        text = (folder / "mpigen.yaml").read_text()
        assert "\n  #ca: ca.pem\n" in text
        text = text.replace("\n#image:\n", "\nimage:\n").replace("\n  #ca: ", "\n  ca: ")
        user.run("tee", folder / "mpigen.yaml", given=text)


def _heat(cells: int, steps: int) -> list[float]:
    """The temperatures that heat.c has to find."""
    rod = [0.0] * cells
    rod[cells // 2] = 1000.0
    for _ in range(steps):
        beside = [rod[0], *rod, rod[-1]]
        rod = [t + 0.25 * (beside[i] - 2 * t + beside[i + 2]) for i, t in enumerate(rod)]
    return rod


def test_from_a_clone_to_results(reader: Terminal) -> None:
    demo, install, heat, result, stats, last = BLOCKS
    home = reader.home

    shown = reader.paste(demo, 1500)
    ranks = re.findall(r"^Size: 8, Rank: (\d), Host: worker-\d, Node: node-\d$", shown, re.M)
    assert ranks == list("01234567"), shown
    assert re.search(r"^8 ranks on 4 hosts on 3 nodes: all correct$", shown, re.M)
    reader.paste(install, 600)

    shown = reader.paste(heat, 1200)
    figure(f"README, C:\n{shown}")
    shown = reader.paste(result, 30)
    assert "\n0," in shown and "\n2," in shown
    rows = [line.split(",") for line in (home / "heat/heat.csv").read_text().split()]
    assert [int(number) for number, _ in rows] == list(range(1000))
    right = _heat(1000, 2000)
    assert all(abs(float(t) - right[int(i)]) < 1e-6 for i, t in rows)

    before, init, after = stats.partition("mpigen init\n")
    reader.paste(before + init, 120)
    _trust(reader, home / "stats")
    shown = reader.paste(after, 1200)
    figure(f"README, Python:\n{shown}")
    shown = reader.paste(last, 120)
    found = json.loads((home / "stats/result.json").read_text())
    data = (home / "samples.bin").read_bytes()
    assert found["bytes"] == len(data) == 50 * 1024 * 1024
    assert abs(found["mean"] - sum(data) / len(data)) < 1e-6
    assert "the lab lab is gone" in shown
    assert shutil.which("docker")
    assert "mpigen-" not in reader.run("docker", "context", "ls")
