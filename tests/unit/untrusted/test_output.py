"""Where a render writes: below the site and never into .git, unless -o names the place."""

import os
import stat
from pathlib import Path

import pytest

from tests.conftest import snapshot
from tests.unit.untrusted.confined import mpigen, refused


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    (folder / "templates").mkdir(parents=True)
    (folder / ".git/hooks").mkdir(parents=True)
    (folder / "mpigen.yaml").write_text("name: x\n")
    (folder / "templates/post-checkout.j2").write_text("#!/bin/sh\necho mine\n")
    return folder


@pytest.mark.parametrize(
    "target",
    [
        ".git/hooks",
        "../elsewhere",
        "../elsewhere/deep",
        ".",
        "..",
        ".git",
        ".GIT/x",
        "templates/..",
    ],
)
def test_output_leads_neither_out_of_the_site_nor_into_git(site: Path, target: str) -> None:
    (site.parent / "elsewhere").mkdir()
    (site / "output").symlink_to(target)
    before = snapshot(site.parent)
    for words in (
        ["render"],
        ["render", "--force"],
        ["render", "--check"],
        ["render", "-o", "output"],
        ["validate"],
        ["keys", "rotate"],
        ["keys", "status"],
        ["keys", "export", "../exported"],
        ["templates", "diff"],
    ):
        message = refused(site, *words)
        assert "output" in message and ("out of the site" in message or ".git" in message)
    assert snapshot(site.parent) == before


def test_a_folder_above_output_leads_nowhere_else(site: Path) -> None:
    (site.parent / "elsewhere").mkdir()
    (site / "build").symlink_to("../elsewhere")
    assert "out of the site" in refused(site, "render", "-o", "build/output")
    assert not list((site.parent / "elsewhere").iterdir())


def test_what_o_names_outside_is_written(site: Path) -> None:
    assert mpigen(site, "render", "-o", "../elsewhere/output").code == 0
    assert (site.parent / "elsewhere/output/stack.yml").is_file()
    (site / "output").symlink_to("build")
    (site / "build").mkdir()
    assert mpigen(site, "render").code == 0
    assert (site / "build/stack.yml").is_file()


@pytest.mark.parametrize("name", ["keys", "scripts", "rootfs", "rootfs/etc/mpi"])
def test_no_folder_of_output_is_a_link(site: Path, name: str) -> None:
    assert mpigen(site, "render").code == 0
    outside = site.parent / "elsewhere"
    (site / "output" / name).rename(outside)
    (site / "output" / name).symlink_to(outside)
    before = snapshot(outside)
    for words in (["render", "--force"], ["render", "--check"], ["keys", "rotate"]):
        assert f"output/{name}" in refused(site, *words)
    if name == "keys":
        assert "output/keys" in refused(site, "validate")
        assert "output/keys" in refused(site, "keys", "export", "../exported")
    assert snapshot(outside) == before


def test_nothing_in_git_is_written_or_removed(site: Path) -> None:
    (site / "templates/.GIT").mkdir()
    (site / "templates/.GIT/config").write_text("mine\n")
    assert mpigen(site, "render").code == 0
    assert not (site / "output/.GIT").exists()
    (site / "output/.git").mkdir()
    (site / "output/.git/config").write_text("")
    manifest = site / "output/manifest.json"
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    entry = f'"files": {{\n    ".git/config": {{"sha256": "{empty}"}},'
    manifest.write_text(manifest.read_text().replace('"files": {', entry))
    assert mpigen(site, "render", "--force").code == 0
    assert (site / "output/.git/config").exists()


@pytest.mark.parametrize("inside", [False, True], ids=["swap", "rename"])
def test_without_a_umask_keys_are_for_the_owner_alone(site: Path, inside: bool) -> None:
    before = os.umask(0)
    try:
        if inside:  # the working directory is in output/: files are renamed one by one
            (site / "output").mkdir()
        where = site / "output" if inside else site
        assert mpigen(where, "render", "-c", site / "mpigen.yaml").code == 0
        keys = site / "output/keys"
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in keys.iterdir()}
        assert stat.S_IMODE(keys.stat().st_mode) == 0o700
        assert modes["id_ed25519"] == modes["ssh_host_ed25519_key"] == 0o600
        # a clone has the folder with the public halves only
        keys.chmod(0o777)
        assert mpigen(where, "keys", "rotate", "-c", site / "mpigen.yaml").code == 0
        assert stat.S_IMODE((site / "output/keys").stat().st_mode) == 0o700
        assert mpigen(site, "keys", "export", "../safe").code == 0
        safe = site.parent / "safe"
        assert stat.S_IMODE(safe.stat().st_mode) == 0o700
        assert stat.S_IMODE((safe / "id_ed25519").stat().st_mode) == 0o600
    finally:
        os.umask(before)
