"""The example sites: their committed output is what mpigen renders, and it is sound."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mpigen import site
from mpigen.artifacts.paths import PRIVATE_KEYS
from mpigen.output.compare import compare
from tests.conftest import ROOT

EXAMPLES = sorted(path.parent for path in ROOT.glob("examples/*/mpigen.yaml"))


def rendered(example: Path) -> site.Rendered:
    return site.render_site(site.at([example / "mpigen.yaml"], None))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_output_of_an_example_is_fresh(example: Path) -> None:
    found = rendered(example)
    assert (example / "output/keys/id_ed25519.pub").is_file()
    assert found.warnings == ()
    changes = compare(found.files, example / "output")
    assert changes == [], f"run: mpigen render -c {example.relative_to(ROOT)}/mpigen.yaml"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_output_of_an_example_passes_the_linters(example: Path) -> None:
    scripts = [
        path
        for path in (example / "output").rglob("*")
        if path.is_file() and path.read_bytes().startswith(b"#!/bin/sh")
    ]
    assert len(scripts) > 5
    for linter, files in (("hadolint", [example / "output/Dockerfile"]), ("shellcheck", scripts)):
        command = [Path(sys.executable).with_name(linter), *files]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_the_university_has_its_mirror_its_banner_and_its_scratch() -> None:
    files = rendered(ROOT / "examples/university").files
    assert files["Dockerfile"].text.count("http://mirror.example.edu") == 2
    # of a keyword that is there twice, sshd takes the first
    words = [line.split() for line in files["rootfs/etc/mpi/sshd_config"].text.splitlines()]
    assert [line[1] for line in words if line[0] == "PrintMotd"] == ["yes", "no"]
    # users see it as it is: no comment of ours in it
    assert files["rootfs/etc/motd"].text == (
        "physics: 320 ranks of the physics department. Jobs over an hour: ask first.\n"
    )
    stack = yaml.safe_load(files["stack.yml"].text)
    for group in ("fast", "big"):
        assert "scratch:/scratch" in stack["services"][group]["volumes"]
    assert stack["volumes"]["scratch"]["driver_opts"]["type"] == "nfs"
    assert not {*PRIVATE_KEYS} & set(files)
