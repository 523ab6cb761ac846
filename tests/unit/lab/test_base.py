"""Base images that are bootstrapped."""

import json
import tarfile
from pathlib import Path

import pytest

from mpigen.config.types import Platform
from mpigen.lab import base, emulation, tarball
from mpigen.notation.platforms import PLATFORMS


@pytest.mark.parametrize(
    ("ref", "parsed"),
    [
        ("debian:trixie-slim", ("trixie", True)),
        ("debian:bookworm", ("bookworm", False)),
        ("debian:12-slim", ("bookworm", True)),
        ("docker.io/library/debian:13", ("trixie", False)),
        ("debian:14-slim", ("forky", True)),
        ("debian:sid", None),
        ("debian", None),
        ("mydebian:trixie", None),
        ("debian:trixie-slim-evil", None),
        ("ubuntu:24.04", None),
    ],
)
def test_which_images_can_be_bootstrapped(ref: str, parsed: tuple[str, bool] | None) -> None:
    assert base.parse(ref) == parsed


def test_a_slim_base_leaves_manuals_out_and_keeps_copyrights() -> None:
    slim = base.command("trixie", True, Path("/x"), "")
    assert '--customize-hook=rm -f "$1"/var/cache/apt/*.bin' in slim  # half of the image
    assert "--dpkgopt=path-exclude=/usr/share/man/*" in slim
    assert "--dpkgopt=path-include=/usr/share/doc/*/copyright" in slim
    assert slim[-2:] == ["trixie", "-"]
    full = base.command("bookworm", False, Path("/x"), "http://mirror/debian")
    assert not [option for option in full if "dpkgopt" in option]
    assert full[-3:] == ["bookworm", "-", "http://mirror/debian"]


def test_a_suite_that_is_not_released_may_come_from_a_frozen_mirror() -> None:
    option = '--aptopt=Acquire::Check-Valid-Until "false"'
    assert option in base.command("forky", True, Path("/x"), "")
    assert option not in base.command("trixie", True, Path("/x"), "")


def test_another_processor_is_asked_for() -> None:
    assert "--architectures=arm64" in base.command("trixie", True, Path("/x"), "", "arm64")
    own = base.command("trixie", True, Path("/x"), "")
    assert not [option for option in own if "architectures" in option]


def test_an_image_says_which_platform_it_is_for(tmp_path: Path) -> None:
    (tmp_path / "layer").write_bytes(b"x")
    tarball.write(tmp_path / "layer", tmp_path / "image", "debian:x.arm64", "linux/arm64")
    with tarfile.open(tmp_path / "image") as archive:
        files = {name: archive.extractfile(name) for name in archive.getnames()}
        read = {name: file.read() for name, file in files.items() if file}
    (manifest,) = json.loads(read["manifest.json"])
    config = json.loads(read[manifest["Config"]])
    assert (config["os"], config["architecture"]) == ("linux", "arm64")
    assert manifest["RepoTags"] == ["debian:x.arm64"]
    assert [read[layer] for layer in manifest["Layers"]] == [b"x"]


def test_containers_need_a_format_whose_interpreter_is_open_already() -> None:
    entry = "enabled\ninterpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P\nflags: POF\noffset 0\n"
    assert emulation.flags(entry) == "POF"
    assert emulation.flags("enabled\ninterpreter /x\nflags: \n") == ""


def test_bases_are_made_for_the_platforms_of_images() -> None:
    assert Platform.__args__ == PLATFORMS
