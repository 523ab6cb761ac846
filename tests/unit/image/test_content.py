"""What an image's tag depends on, and what a build's output says."""

import os
import subprocess
from pathlib import Path

import pytest

from mpigen.artifacts import folder
from mpigen.artifacts.paths import BUILD_SCRIPT
from mpigen.errors import InputError
from mpigen.image import content
from tests.conftest import Mpigen


@pytest.fixture
def site(site_with_program: Path) -> Path:
    return site_with_program


def context(site: Path) -> str | None:
    return content.hash_context(folder.read(site / "output"), site)


def test_the_context_is_the_same_whenever_and_by_whomever_it_is_written(site: Path) -> None:
    before = context(site)
    os.utime(site / "app/hello.c", (0, 0))
    (site / "app/hello.c").chmod(0o600)
    (site / "output/README.md").write_text("no part of the image\n")
    assert context(site) == before is not None


def test_new_keys_need_no_new_image_where_swarm_delivers_them(
    tmp_path: Path, mpigen: Mpigen
) -> None:
    found = {}
    for delivery in ("secret", "image"):
        here = tmp_path / delivery
        here.mkdir()
        yaml = here / "mpigen.yaml"
        yaml.write_text(f"name: x\nssh: {{delivery: {delivery}}}\n")
        assert mpigen("render", "-c", yaml).code == 0
        before = context(here)
        assert mpigen("keys", "rotate", "-c", yaml).code == 0
        found[delivery] = context(here) == before
    assert found == {"secret": True, "image": False}


@pytest.mark.parametrize(
    "path",
    [
        "app/hello.c",
        "output/Dockerfile",
        "output/.dockerignore",
        "output/rootfs/usr/local/bin/mpirun",
        "output/keys/id_ed25519",
        "output/keys/ssh_host_ed25519_key",
    ],
)
def test_the_context_changes_with_each_file_of_it(site: Path, path: str) -> None:
    before = context(site)
    with (site / path).open("a") as file:
        file.write("# more\n")
    assert context(site) not in (before, None)


def test_the_context_changes_with_names_and_executable_bits(site: Path) -> None:
    seen = {context(site)}
    (site / "app/hello.c").rename(site / "app/main.c")
    seen.add(context(site))
    (site / "app/main.c").chmod(0o755)
    seen.add(context(site))
    (site / "app/link").symlink_to("main.c")
    seen.add(context(site))
    (site / "app/empty").mkdir()
    seen.add(context(site))
    assert len(seen) == 5 and None not in seen


# keeps the context that it is given
DOCKER = '#!/bin/sh\nfor context; do :; done\ncp -R "$context" "$KEPT"\n'


@pytest.mark.parametrize("delivery", ["image", "secret"])
def test_the_context_has_what_build_sh_assembles(site: Path, mpigen: Mpigen, delivery: str) -> None:
    (site / "app/deep").mkdir()
    (site / "app/deep/link").symlink_to("../hello.c")
    (site / "ca.crt").write_text("-----BEGIN CERTIFICATE-----\n")
    settings = f"image: {{ca: ca.crt}}\nssh: {{delivery: {delivery}}}\n"
    (site / "mpigen.yaml").write_text(f"name: x\napp: {{source: app, build: make}}\n{settings}")
    assert mpigen("render", "-c", site / "mpigen.yaml").code == 0
    (site / "docker").write_text(DOCKER)
    (site / "docker").chmod(0o755)
    kept = site / "kept"
    environment = {**os.environ, "PATH": f"{site}:{os.environ['PATH']}", "KEPT": str(kept)}
    subprocess.run(["sh", site / "output" / BUILD_SCRIPT], env=environment, check=True)
    assembled = {path.relative_to(kept).as_posix() for path in kept.rglob("*") if not path.is_dir()}
    parts = dict(content.context_files(folder.read(site / "output"), site))
    assert parts.keys() == assembled
    assert {"ca.pem", "app/deep/link", "Dockerfile"} <= assembled
    assert ("keys/id_ed25519" in assembled) == (delivery == "image")
    for name, file in parts.items():
        assert (kept / name).read_bytes() == file.read_bytes()


def test_sources_beside_mpigen_yaml_are_taken_without_what_is_none(
    site: Path, mpigen: Mpigen
) -> None:
    """`app.source: .` is a project's own folder, with git's and the rendered ones in it."""
    (site / "mpigen.yaml").write_text("name: x\napp: {source: ., build: make}\n")
    for name in (".git/config", ".venv/bin/python", ".mpigen-context", "report.json", "src/a.c"):
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(name)
    (site / ".clang-format").touch()
    (site / "link").symlink_to("src")
    (site / "lost").symlink_to("nowhere")
    (site / "empty").mkdir()
    for output in ("output", "production"):
        words = ("-c", site / "mpigen.yaml", "-o", site / output)
        assert mpigen("render", *words).code == 0
    (site.parent / "bin").mkdir()
    (site.parent / "bin/docker").write_text(DOCKER)
    (site.parent / "bin/docker").chmod(0o755)
    kept = site.parent / "kept"
    environment = {**os.environ, "PATH": f"{site}/../bin:{os.environ['PATH']}", "KEPT": str(kept)}
    subprocess.run(["sh", site / "output" / BUILD_SCRIPT], env=environment, check=True)
    app = kept / "app"
    assembled = {path.relative_to(app).as_posix() for path in app.rglob("*") if not path.is_dir()}
    parts = dict(content.context_files(folder.read(site / "output"), site))
    mine = {name.removeprefix("app/") for name in parts if name.startswith("app/")}
    assert mine - {"empty", "link"} == assembled - {"link"}
    assert assembled == {"app/hello.c", ".clang-format", "lost", "src/a.c"}
    assert (app / "link").is_symlink() and "link" in mine and (app / "empty").is_dir()
    before = context(site)
    with (site / "mpigen.yaml").open("a") as file:
        file.write("# nothing that the image has\n")
    assert context(site) == before


def test_a_build_script_of_the_sites_own_is_a_part_of_it(site: Path, mpigen: Mpigen) -> None:
    script = site / "output/scripts/build.sh"
    before = context(site)
    script.write_text(f"{script.read_text()}# as another mpigen would write it\n")
    assert context(site) == before
    (site / "templates/scripts").mkdir(parents=True)
    own = site / "templates/scripts/build.sh.j2"
    own.write_text('{% extends "builtin/scripts/build.sh.j2" %}{% block footer %}# 1{% endblock %}')
    seen = {before}
    for number in range(2):
        own.write_text(own.read_text().replace("# 1", f"# {number}"))
        assert mpigen("render", "--force", "-c", site / "mpigen.yaml").code == 0
        seen.add(context(site))
        own.write_text(own.read_text().replace(f"# {number}", "# 1"))
    assert len(seen) == 3 and None not in seen


def test_a_pipe_among_the_sources_is_not_waited_for(site: Path) -> None:
    os.mkfifo(site / "app/pipe")
    assert context(site)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_what_cannot_be_read_is_named(site: Path) -> None:
    (site / "app/hello.c").chmod(0)
    with pytest.raises(InputError, match=r"hello\.c: cannot be read"):
        context(site)


def test_the_sources_are_where_build_sh_looks(
    site: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    read = folder.read(site / "output")
    monkeypatch.delenv("SITE", raising=False)
    assert content.site_folder(read) == site
    monkeypatch.setenv("SITE", str(tmp_path / "other"))
    assert content.site_folder(read) == tmp_path / "other"


@pytest.mark.parametrize("missing", ["app/hello.c", "output/keys/id_ed25519"])
def test_the_context_is_unknown_where_a_part_is_not_here(site: Path, missing: str) -> None:
    (site / missing).unlink()
    if missing.startswith("app/"):
        (site / "app").rmdir()
    assert context(site) is None


def test_private_keys_that_come_as_secrets_are_no_part_of_it(site: Path, mpigen: Mpigen) -> None:
    text = (site / "mpigen.yaml").read_text() + "ssh: {delivery: secret}\n"
    (site / "mpigen.yaml").write_text(text)
    assert mpigen("render", "-c", site / "mpigen.yaml").code == 0
    before = context(site)
    (site / "output/keys/id_ed25519").unlink()
    assert context(site) == before is not None


def test_the_tag_depends_on_context_and_bases() -> None:
    tags = {content.tag(*of) for of in (("a", ["b"]), ("a", ["c"]), ("b", ["b"]))}
    assert len(tags) == 3
    assert all(tag.startswith("sha-") and len(tag) == 16 for tag in tags)
    assert content.tag("a", ["b"]) in tags


def test_the_bases_of_a_dockerfile_are_no_stages_of_its_own() -> None:
    dockerfile = "FROM --platform=linux/amd64 b:1 AS build\nRUN x\nfrom a:2\nFROM build\n"
    assert content.bases(dockerfile) == ["a:2", "b:1"]


def test_sources_that_hold_data_are_told(site: Path) -> None:
    """All of them would be copied into the image, and with it to every server."""
    artifacts = folder.read(site / "output")
    assert content.describe_data(artifacts, site) == ""
    with (site / "app/samples.bin").open("wb") as file:
        file.truncate(120_000_000)
    found = content.describe_data(artifacts, site)
    assert found.startswith("the sources have 120 MB (app/samples.bin: 120 MB), ")
    assert "mpigen push" in found
