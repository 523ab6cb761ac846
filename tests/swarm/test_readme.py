"""Every command of the README is run: block by block, as it is written."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpigen.lab import base, engine, lab
from tests.swarm.conftest import ROOT, call, check

BLOCKS = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.M | re.S)


def _block(first: str) -> str:
    (block,) = [block for block in BLOCKS if block.startswith(first)]
    return block


@pytest.fixture(scope="module")
def one_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """A copy of the reference site, and a Swarm of one node that has the base image."""
    site = tmp_path_factory.mktemp("readme") / "site"
    site.mkdir()
    for name in ("mpigen.yaml", "app"):
        check("cp", "-R", ROOT / name, site / name)
    base.ensure(engine.local(), "debian:trixie-slim", print)
    try:
        here = lab.up("readme", 1, print)
        lab.load(here, "debian:trixie-slim", print)
        yield site, {"DOCKER_HOST": here.docker_host}
    finally:
        lab.down("readme", print)


def _run(block: str, folder: Path, env: dict[str, str]) -> str:
    """What a block prints when a shell runs it whole, stopping at the first failure."""
    path = f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-ec", block],
        cwd=folder,
        env={**os.environ, "PATH": path, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_block_is_run_by_a_test() -> None:
    firsts = [block.split("\n", 1)[0] for block in BLOCKS]
    assert firsts == [
        "make demo",
        "make test",
        "mpigen render",
        "mpigen build",
        "mpigen lab up --nodes 3",
    ]


def test_the_two_make_targets_are_there() -> None:
    """What they do is run elsewhere: the demo below, and this is `make test`."""
    for target in ("demo", "test"):
        assert check("make", "--dry-run", "-C", ROOT, target)


def test_the_sites_own_yaml_is_the_one_shown() -> None:
    shown = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.M | re.S)
    own = [
        line
        for line in (ROOT / "mpigen.yaml").read_text("utf-8").splitlines(keepends=True)
        if not line.startswith("#")
    ]
    assert shown[0] == "".join(own)


def test_the_way_of_ones_own_program(one_node: tuple[Path, dict[str, str]]) -> None:
    printed = _run(_block("mpigen render"), *one_node)
    assert len(re.findall(r"^Size: 8, Rank: \d, Host: worker-\d$", printed, re.M)) == 8
    assert "Allreduce over 8 ranks: correct" in printed
    assert " passed" in printed


def test_the_way_of_the_verbs(one_node: tuple[Path, dict[str, str]]) -> None:
    printed = _run(f"mpigen render\n{_block('mpigen build')}", *one_node)
    ranks = re.findall(r"^Size: 8, Rank: \d, Host: worker-\d$", printed, re.M)
    assert len(ranks) == 2 * 8  # of the job, and of the batch job's log
    assert "0 bad" in printed
    assert printed.endswith("the stack mpi is gone\n")


def test_the_way_of_a_lab(tmp_path: Path) -> None:
    printed = _run(_block("mpigen lab up"), tmp_path, {})
    assert len(re.findall(r"^node-[123] ", printed, re.M)) >= 3
    assert "mpigen-lab" not in check("docker", "context", "ls")


def test_the_demo_ends_with_every_rank_and_leaves_nothing() -> None:
    before = check("git", "-C", ROOT, "status", "--porcelain")
    done = call(
        ROOT / ".venv" / "bin" / "mpigen", "lab", "demo", "-c", ROOT / "mpigen.yaml", timeout=900
    )
    assert done.code == 0, done.out + done.err
    rows = re.findall(r"^Size: 8, Rank: (\d), Host: (worker-\d), Node: (node-\d)$", done.out, re.M)
    assert [rank for rank, _, _ in rows] == list("01234567")
    assert len({host for _, host, _ in rows}) == 4
    assert len({node for _, _, node in rows}) == 3
    assert check("git", "-C", ROOT, "status", "--porcelain") == before
    assert check("docker", "ps", "-aq", "--filter", "label=mpigen.lab=demo") == ""
