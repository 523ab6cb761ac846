"""`mpigen render` as users run it: on a folder, twice, on a clone, on edited files."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mpigen import __version__
from tests import sites
from tests.conftest import Mpigen, snapshot

PRIVATE = {"keys/id_ed25519", "keys/ssh_host_ed25519_key"}


@pytest.fixture
def site(tmp_path: Path, mpigen: Mpigen, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site that has been rendered, and the folder that the test is in."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mpigen.yaml").write_text("name: x\n")
    assert mpigen("render").code == 0
    return tmp_path


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    command = ["git", *identity, *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def test_a_second_render_changes_no_file_and_no_time(site: Path, mpigen: Mpigen) -> None:
    before = snapshot(site)
    done = mpigen("render")
    assert done.code == 0
    assert "0 files changed" in done.out
    assert snapshot(site) == before


def test_a_change_of_mpigen_yaml_writes_what_it_concerns(site: Path, mpigen: Mpigen) -> None:
    before = snapshot(site / "output")
    (site / "mpigen.yaml").write_text("name: x\nssh: {port: 2223}\n")
    done = mpigen("render")
    after = snapshot(site / "output")
    changed = {path for path in after if Path("output", path).is_file()} & {
        path for path in after if after[path] != before[path]
    }
    assert "rootfs/etc/mpi/sshd_config" in changed
    assert "stack.yml" not in changed
    assert all(f"changed  output/{path}" in done.out for path in changed)


def test_an_edited_file_is_kept_and_told_and_force_overwrites_it(
    site: Path, mpigen: Mpigen
) -> None:
    rendered = (site / "output/stack.yml").read_bytes()
    (site / "output/stack.yml").write_text("mine\n")
    (site / "mpigen.yaml").write_text("name: x\nssh: {port: 2223}\n")
    before = snapshot(site)
    done = mpigen("render")
    assert done.code == 1
    assert "output/stack.yml" in done.err
    assert "mpigen render --force" in done.err
    assert snapshot(site) == before
    assert mpigen("render", "--force").code == 0
    assert (site / "output/stack.yml").read_bytes() == rendered
    assert mpigen("render").code == 0


def test_a_file_that_mpigen_never_made_stays(site: Path, mpigen: Mpigen) -> None:
    (site / "output/notes.md").write_text("mine\n")
    (site / "output/extra.conf").write_text("mine\n")
    assert mpigen("render").code == 0
    sites.template(site, "extra.conf.j2", "theirs\n")
    assert mpigen("render").code == 1
    for name in ("notes.md", "extra.conf"):
        assert (site / "output" / name).read_text() == "mine\n"


def test_a_template_that_is_gone_takes_its_artifact_with_it(site: Path, mpigen: Mpigen) -> None:
    before = {path: data for path, (_, _, data) in snapshot(site / "output").items()}
    sites.template(site, "extra/deep/a.conf.j2", "a\n")
    mpigen("render")
    assert (site / "output/extra/deep/a.conf").exists()
    (site / "templates/extra/deep/a.conf.j2").unlink()
    assert "removed  output/extra/deep/a.conf" in mpigen("render").out
    assert {path: data for path, (_, _, data) in snapshot(site / "output").items()} == before


def test_git_takes_every_artifact_and_no_private_key(site: Path) -> None:
    git(site, "init", "-q")
    git(site, "add", ".")
    added = set(git(site, "ls-files", "output").splitlines())
    assert all((site / "output" / path).is_file() for path in PRIVATE)
    assert not added & {f"output/{path}" for path in PRIVATE}
    made = json.loads((site / "output/manifest.json").read_text())["files"]
    assert added == {f"output/{path}" for path in (*made, "manifest.json")}


def test_a_clone_renders_the_same_bytes_and_makes_no_private_key(
    site: Path, mpigen: Mpigen, tmp_path_factory: pytest.TempPathFactory
) -> None:
    git(site, "init", "-q")
    git(site, "add", ".")
    git(site, "commit", "-q", "-m", "cluster")
    clone = tmp_path_factory.mktemp("clone") / "site"
    git(site, "clone", "-q", str(site), str(clone))
    done = mpigen("render", "-c", clone / "mpigen.yaml")
    assert done.code == 0
    assert "0 files changed" in done.out
    assert git(clone, "status", "--porcelain") == ""
    assert not any((clone / "output" / path).exists() for path in PRIVATE)


@pytest.mark.parametrize("output", ["file", "file/output"])
def test_a_folder_that_cannot_be_written_is_an_error_and_changes_nothing(
    site: Path, mpigen: Mpigen, output: str
) -> None:
    (site / "file").write_text("mine\n")
    before = snapshot(site)
    done = mpigen("render", "-o", output)
    assert done.code == 2
    assert done.err.startswith("error: file")
    assert "cannot be written" in done.err
    assert snapshot(site) == before


def test_a_tampered_manifest_reaches_nothing_outside(site: Path, mpigen: Mpigen) -> None:
    (site / "outside").write_text("mine\n")
    manifest = json.loads((site / "output/manifest.json").read_text())
    same = manifest["files"]["stack.yml"]
    (site / "outside").write_bytes((site / "output/stack.yml").read_bytes())
    manifest["files"]["../outside"] = same
    (site / "output/manifest.json").write_text(json.dumps(manifest))
    assert mpigen("render", "--force").code == 0
    assert (site / "outside").exists()


def test_the_output_lies_beside_mpigen_yaml_wherever_the_command_runs(
    site: Path, mpigen: Mpigen, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = snapshot(site)
    monkeypatch.chdir("/")
    assert "0 files changed" in mpigen("render", "-c", site / "mpigen.yaml").out
    assert snapshot(site) == before


def test_a_render_loads_no_docker_no_rich_no_cryptography_and_no_pytest(site: Path) -> None:
    script = (
        "import sys, mpigen.cli\n"
        "sys.argv = ['mpigen', 'render']\n"
        "try:\n    mpigen.cli.main()\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=site, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    assert {"mpigen", "jinja2", "typer"} <= loaded
    assert not loaded & {"docker", "rich", "cryptography", "testinfra", "pytest", "requests"}


def test_both_commands_tell_the_version(mpigen: Mpigen) -> None:
    assert mpigen("--version").out == f"mpigen {__version__}\n"
    command = [sys.executable, "-m", "mpigen", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"mpigen {__version__}\n"
