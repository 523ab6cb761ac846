"""Base images that are bootstrapped."""

from pathlib import Path

import pytest

from mpigen.lab import base


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
