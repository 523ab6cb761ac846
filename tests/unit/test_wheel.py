"""The wheel carries all that it needs: built, installed by pip, used outside of the checkout."""

import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from mpigen import __version__
from tests.conftest import ROOT


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """bin/ of an empty virtual environment into which the wheel was installed."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT)
    (wheel,) = folder.glob("mpigen-*.whl")
    venv.create(folder / "venv", with_pip=True)
    bin_folder = folder / "venv" / "bin"
    run(bin_folder / "pip", "install", "--quiet", "--disable-pip-version-check", wheel, cwd=folder)
    return bin_folder


def test_the_installed_command_renders_what_the_checkout_renders(
    installed: Path, tmp_path: Path
) -> None:
    (tmp_path / "mpigen.yaml").write_text("name: x\n")
    run(installed / "mpigen", "render", cwd=tmp_path)
    again = run(sys.executable, "-m", "mpigen", "render", cwd=tmp_path)
    assert "0 files changed" in again
    assert (tmp_path / "output/scripts/run.sh").is_file()


def test_the_installed_command_starts_a_site_outside_of_the_checkout(
    installed: Path, tmp_path: Path
) -> None:
    mpigen = installed / "mpigen"
    run(mpigen, "init", "site", "--ci", "gitlab", cwd=tmp_path)
    site = tmp_path / "site"
    for name in ("Makefile", "hello.cpp"):
        assert (site / "app" / name).read_bytes() == (ROOT / "app" / name).read_bytes()
    assert (site / ".gitlab-ci.yml").is_file()
    assert run(mpigen, "validate", cwd=site).startswith("site: 2 containers, 4 slots, ")
    assert run(mpigen, "schema", cwd=site) == (site / "mpigen.schema.json").read_text()
    fields = (ROOT / "docs" / "configuration.md").read_text()
    assert run(mpigen, "schema", "--markdown", cwd=site) == fields
    run(mpigen, "render", cwd=site)
    assert "0 files changed" in run(mpigen, "render", cwd=site)


def test_the_installed_command_does_all_that_a_site_needs(installed: Path, tmp_path: Path) -> None:
    mpigen = installed / "mpigen"
    text = "name: x\nssh: {delivery: secret}\nworkers: [{stack: {stop_signal: SIGINT}}]\n"
    (tmp_path / "mpigen.yaml").write_text(text)
    (tmp_path / "more.yaml").write_text("image: {packages: !append [vim]}\n")
    layers = ("-c", "mpigen.yaml", "-c", "more.yaml")
    run(mpigen, "templates", "eject", "stack.yml", "--block", "footer", cwd=tmp_path)
    run(mpigen, "render", *layers, cwd=tmp_path)
    assert "is up to date" in run(mpigen, "render", *layers, "--check", cwd=tmp_path)
    assert "openssh-server vim" in run(mpigen, "render", "--diff", cwd=tmp_path)
    assert "overridden" in run(mpigen, "templates", "list", cwd=tmp_path)
    assert "has changed" in run(mpigen, "templates", "diff", cwd=tmp_path)
    run(mpigen, "keys", "export", "safe", cwd=tmp_path)
    run(mpigen, "keys", "rotate", *layers, cwd=tmp_path)
    run(mpigen, "keys", "import", "safe", "--force", *layers, cwd=tmp_path)
    assert "SHA256:" in run(mpigen, "keys", "status", cwd=tmp_path)


def _shipped() -> dict[str, bytes]:
    """The templates and the files that are copied, by their path below templates/."""
    folder = ROOT / "templates"
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_the_wheel_has_every_file_of_templates_as_it_is(installed: Path) -> None:
    (wheel,) = installed.parents[1].glob("mpigen-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        inside = "mpigen/templates/"
        held = {
            name.removeprefix(inside): archive.read(name)
            for name in archive.namelist()
            if name.startswith(inside) and not name.endswith("/")
        }
    assert held == _shipped()
    assert "rootfs/usr/local/bin/mpi-rank" in held and "stack.yml.j2" in held


def test_the_source_archive_has_them_too(tmp_path: Path) -> None:
    run(sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", tmp_path, ROOT)
    (file,) = tmp_path.glob("mpigen-*.tar.gz")
    held = {}
    with tarfile.open(file) as archive:
        for member in archive:
            _, _, path = member.name.partition("/templates/")
            if path and member.isfile() and "/generator/" not in member.name:
                content = archive.extractfile(member)
                assert content
                held[path] = content.read()
    assert held == _shipped()


def test_both_installed_commands_tell_the_version(installed: Path, tmp_path: Path) -> None:
    version = f"mpigen {__version__}\n"
    assert run(installed / "mpigen", "--version", cwd=tmp_path) == version
    assert run(installed / "python", "-m", "mpigen", "--version", cwd=tmp_path) == version
