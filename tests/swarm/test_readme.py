"""Every command of the README is run: block by block, as it is written."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpigen.lab import base, engine, lab
from tests.swarm.conftest import ROOT, call, check

README = (ROOT / "README.md").read_text("utf-8")
_ROW = re.compile(r"^\| [a-z, ]+ \| (`.*`) \| (`.*`)? ?\|$", re.M)


def _column(number: int) -> list[str]:
    """The commands of the table of every day, mpigen's (0) or plain Docker's (1), in its order."""
    section = README.partition("\n## Every day\n")[2].partition("\n## ")[0]
    cells = [row[number] for row in _ROW.findall(section)]
    return [command for cell in cells for command in re.findall(r"`([^`]+)`", cell)]


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


def _run(commands: list[str], folder: Path, env: dict[str, str]) -> str:
    """What commands print when a shell runs them, stopping at the first failure."""
    path = f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-ec", "\n".join(commands)],
        cwd=folder,
        env={**os.environ, "PATH": path, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_table_has_what_one_does_every_day() -> None:
    assert len(_column(0)) == 12
    assert len(_column(1)) == 7


def test_the_sites_own_yaml_is_the_one_shown() -> None:
    shown = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.M | re.S)
    own = [
        line
        for line in (ROOT / "mpigen.yaml").read_text("utf-8").splitlines(keepends=True)
        if not line.startswith("#")
    ]
    assert shown[0] == "".join(own)


def test_every_day_by_plain_docker(one_node: tuple[Path, dict[str, str]]) -> None:
    printed = _run(["mpigen render", *_column(1)], *one_node)
    assert len(re.findall(r"^Size: 8, Rank: \d, Host: worker-\d$", printed, re.M)) == 8
    assert "Allreduce over 8 ranks: correct" in printed
    assert re.search(r"^mpi_worker scaled to 6$", printed, re.M)
    assert " passed" in printed and " failed" not in printed


def test_every_day_by_mpigen(one_node: tuple[Path, dict[str, str]]) -> None:
    printed = _run(["mpigen render", *_column(0)], *one_node)
    ranks = re.findall(r"^Size: 8, Rank: \d, Host: worker-\d$", printed, re.M)
    assert len(ranks) == 2 * 8  # of the job, and of the batch job's log
    assert re.search(r"^nightly 0$", printed, re.M)
    assert "0 failed" in printed
    assert printed.endswith("the stack mpi is gone\n")


def test_a_demo_that_is_kept_names_what_to_do_with_it() -> None:
    """`make demo` itself is walked by test_first_half_hour.py."""
    assert "make demo KEEP=1" in README
    plan = check("make", "--dry-run", "-C", ROOT, "demo", "KEEP=1")
    assert "mpigen lab demo --keep\n" in plan
    before = check("git", "-C", ROOT, "status", "--porcelain")
    mpigen = ROOT / ".venv" / "bin" / "mpigen"
    try:
        done = call(mpigen, "lab", "demo", "--keep", "-c", ROOT / "mpigen.yaml", timeout=900)
        assert done.code == 0, done.out + done.err
        job, remove = re.findall(r"^(?:next|to remove it all): (.*)$", done.out, re.M)
        printed = _run([job], ROOT, {})
        assert sorted(printed.split()) == [f"worker-{n}" for n in (1, 2, 3, 4) for _ in "ab"]
        assert _run([remove], ROOT, {}) == "the lab demo is gone\n"
    finally:
        lab.down("demo", print)
    assert check("git", "-C", ROOT, "status", "--porcelain") == before
    assert check("docker", "ps", "-aq", "--filter", "label=mpigen.lab=demo") == ""
