"""`mpigen templates`: what is whose, the smallest override, and what an upgrade means for it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mpigen import __version__
from mpigen.render import builtin, templates
from mpigen.render.builtin import compiler
from mpigen.render.files import artifact, is_template
from mpigen.render.overrides import find_blocks
from mpigen.render.templates import Templates
from tests import sites
from tests.conftest import Mpigen

# what a site with an app, limits and a second group renders of each block
TEXT = "name: x\napp: {source: app, check: hello}\nworkers: [{memory: 1g}, {name: b}]\n"


@pytest.fixture
def site(tmp_path: Path, mpigen: Mpigen, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A rendered site, in which the command runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app").mkdir()
    (tmp_path / "mpigen.yaml").write_text(TEXT)
    assert mpigen("render").code == 0
    return tmp_path


def extend(site: Path, name: str, block: str, text: str) -> None:
    """Give the site a template that overrides one block."""
    tags = f'{{% extends "builtin/{name}" %}}\n{{% block {block} %}}\n{text}{{% endblock %}}\n'
    sites.template(site, name, tags)


def override(site: Path) -> None:
    """One block, one whole file, one file of the site's own."""
    extend(site, "Dockerfile.j2", "packages", "{{ super() -}}\nRUN echo hi\n")
    sites.template(site, "scripts/status.sh.j2", "#!/bin/sh\ndocker ps\n")
    sites.template(site, "notes.md.j2", "# Notes\n")


def test_each_artifact_is_listed_with_where_it_comes_from(site: Path, mpigen: Mpigen) -> None:
    override(site)
    done = mpigen("templates", "list", "--json")
    listed = {row["path"]: row for row in json.loads(done.out)}
    assert listed["Dockerfile"] == {
        "path": "Dockerfile",
        "kind": "template",
        "from": "overridden",
        "blocks": ["packages"],
    }
    assert listed["scripts/status.sh"]["from"] == "replaced"
    assert listed["notes.md"]["from"] == "added"
    built_in = {"kind": "template", "from": "built-in", "blocks": []}
    assert listed["stack.yml"] == {"path": "stack.yml", **built_in}
    lines = [line.split() for line in mpigen("templates", "list").out.splitlines()]
    assert lines[0] == ["artifact", "kind", "from", "blocks"]
    assert ["Dockerfile", "template", "overridden", "packages"] in lines
    assert ["rootfs/usr/local/bin/mpirun", "file", "built-in"] in lines


def test_a_template_is_shown_as_it_is_built_in(site: Path, mpigen: Mpigen) -> None:
    override(site)
    builtin = (templates.builtin_folder() / "Dockerfile.j2").read_text(encoding="utf-8")
    assert mpigen("templates", "show", "Dockerfile").out == builtin
    assert mpigen("templates", "show", "notes.md").out == "# Notes\n"
    lines = [
        line.split()
        for line in mpigen("templates", "show", "Dockerfile", "--blocks").out.splitlines()
    ]
    assert lines[1] == ["header", "1-2", "empty"]
    assert next(line for line in lines if line[0] == "packages")[2] == "overridden"


def test_the_lines_of_a_block_are_where_its_tags_are() -> None:
    every = Templates()
    for name in every.names:
        lines = (every.builtin(name) or "").splitlines()
        for block in every.blocks(name):
            assert f"block {block.name}" in lines[block.first - 1], (name, block)
            assert "endblock" in lines[block.last - 1], (name, block)


def test_what_is_ejected_changes_no_byte(site: Path, mpigen: Mpigen) -> None:
    own = site / "templates"
    built_in = Templates()
    wanted = sites.artifacts(site, TEXT)
    for name in built_in.names:
        path = artifact(name)
        for block in built_in.blocks(name):
            done = mpigen("templates", "eject", path, "--block", block.name)
            assert done.code == 0, done.err
            assert f'extends "builtin/{name}"' in (own / name).read_text()
        if not is_template(name):
            assert mpigen("templates", "eject", path, "--block", "header").code == 2
        given = sites.artifacts(site, TEXT)
        # the line that says where it is from, and nothing else
        assert {
            path: file.text.replace("from templates/", "from builtin/")
            for path, file in given.items()
        } == {path: file.text for path, file in wanted.items()}
        shutil.rmtree(own, ignore_errors=True)
        assert mpigen("templates", "eject", path).code == 0
        assert sites.artifacts(site, TEXT) == wanted
        shutil.rmtree(own)


def test_nothing_is_overwritten(site: Path, mpigen: Mpigen) -> None:
    override(site)
    before = (site / "templates/Dockerfile.j2").read_text()
    for words in (["Dockerfile"], ["Dockerfile", "--block", "packages"]):
        done = mpigen("templates", "eject", *words)
        assert (done.code, done.err.splitlines()[0]) == (
            2,
            "error: templates/Dockerfile.j2 already exists",
        )
    done = mpigen("templates", "eject", "scripts/status.sh", "--block", "header")
    assert done.code == 2
    assert "notes.md already comes from the site" in mpigen("templates", "eject", "notes.md").err
    assert (site / "templates/Dockerfile.j2").read_text() == before
    assert mpigen("templates", "eject", "Dockerfile", "--block", "user").code == 0
    assert (site / "templates/Dockerfile.j2").read_text().startswith(before)


@pytest.mark.usefixtures("site")
def test_a_name_that_is_not_there_is_told_with_the_nearest(mpigen: Mpigen) -> None:
    assert "did you mean stack.yml?" in mpigen("templates", "show", "stack.yaml").err
    done = mpigen("templates", "eject", "Dockerfile", "--block", "package")
    assert (done.code, done.err) == (
        2,
        "error: Dockerfile has no block package; did you mean packages?\n",
    )


def upgrade(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """mpigen with another packages block, and another status.sh."""
    newer = tmp_path / "newer"
    shutil.copytree(templates.builtin_folder(), newer)
    for name, old, new in (
        ("Dockerfile.j2", "rm -f /etc/ssh/ssh_host_*", "rm -f /var/log/* /etc/ssh/ssh_host_*"),
        ("scripts/status.sh.j2", "set -eu", "set -eux"),
    ):
        text = (newer / name).read_text(encoding="utf-8")
        assert text.count(old) == 1
        (newer / name).write_text(text.replace(old, new), encoding="utf-8")
    monkeypatch.setattr(templates, "builtin_folder", lambda: newer)


def test_an_upgrade_tells_which_overrides_it_concerns(
    site: Path, mpigen: Mpigen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    override(site)
    extend(site, "stack.yml.j2", "footer", "# us\n")
    assert mpigen("render").code == 0
    assert mpigen("templates", "diff").out == "none of the overridden templates has changed\n"
    manifest = json.loads((site / "output/manifest.json").read_text())
    assert [(each["path"], each["block"]) for each in manifest["overrides"]] == [
        ("Dockerfile", "packages"),
        ("scripts/status.sh", ""),
        ("stack.yml", "footer"),
    ]
    upgrade(tmp_path, monkeypatch)
    done = mpigen("render", "--check")
    assert [line for line in done.err.splitlines() if line.startswith("warning")] == [
        f"warning: mpigen has changed {what} since it was overridden here: "
        "`mpigen templates diff` shows it before a render, git diff output/manifest.json after one"
        for what in ("the block packages of Dockerfile", "scripts/status.sh")
    ]
    done = mpigen("templates", "diff")
    assert done.code == 0
    assert "+++ the block packages of Dockerfile of this mpigen" in done.out
    assert "/var/log/*" in done.out and "+set -eux" in done.out and "# us" not in done.out
    assert [each["block"] for each in json.loads(mpigen("templates", "diff", "--json").out)] == [
        "packages",
        "",
    ]
    # a render takes note
    assert "warning" in mpigen("render").err
    assert "warning" not in mpigen("render").err
    assert mpigen("templates", "diff").out == "none of the overridden templates has changed\n"


def test_an_upgrade_is_silent_where_nothing_is_overridden(
    site: Path, mpigen: Mpigen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "overrides" not in (site / "output/manifest.json").read_text()
    extend(site, "README.md.j2", "footer", "us\n")
    assert mpigen("render").code == 0
    upgrade(tmp_path, monkeypatch)
    done = mpigen("render", "--check")
    assert "warning" not in done.err and "changed  output/scripts/status.sh" in done.err


def test_a_block_that_an_upgrade_takes_away_is_told_with_the_version_that_had_it(
    site: Path, mpigen: Mpigen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extend(site, "Dockerfile.j2", "packages", "RUN true\n")
    extend(site, "scripts/status.sh.j2", "footer", "true\n")
    assert mpigen("render").code == 0
    newer = tmp_path / "newer"
    shutil.copytree(templates.builtin_folder(), newer)
    text = (newer / "Dockerfile.j2").read_text(encoding="utf-8")
    text = text.replace("{% block packages %}", "{% block software %}")
    (newer / "Dockerfile.j2").write_text(text, encoding="utf-8")
    (newer / "scripts/status.sh.j2").unlink()
    monkeypatch.setattr(templates, "builtin_folder", lambda: newer)
    done = mpigen("render")
    assert done.code == 2
    told = [line for line in done.err.splitlines() if line[0] != " "]
    assert told[0] == (
        "error: templates/Dockerfile.j2:2: builtin/Dockerfile.j2 has no block packages any more: "
        f"mpigen {__version__} had it"
    )
    assert told[1].startswith("templates/scripts/status.sh.j2:1: no template builtin/scripts/sta")
    assert told[1].endswith(f"(mpigen {__version__} had it)")


def test_the_text_of_a_block_is_as_it_is_in_the_file() -> None:
    every = Templates()
    for name in every.names:
        source = every.builtin(name) or ""
        for block in every.blocks(name):
            assert f"%}}\n{block.text}{{% endblock %}}" in source, (name, block)
    text = "{% block a %}\nx\n{%- for i in y %}\n  {% block b scoped %}{% endblock %}\n"
    text += (
        "{%- endfor %}\n{% raw %}{% endblock %}{% endraw %}{# {% endblock %} #}\n{% endblock a %}\n"
    )
    outer, inner = find_blocks(compiler(), text)
    assert (outer.name, outer.first, outer.last) == ("a", 1, 7)
    assert outer.text == text.removeprefix("{% block a %}\n").removesuffix("{% endblock a %}\n")
    assert (inner.name, inner.first, inner.last, inner.text) == ("b", 4, 4, "")


@pytest.mark.usefixtures("site")
def test_what_cannot_be_ejected_is_told(mpigen: Mpigen) -> None:
    done = mpigen("templates", "eject", "Dockerfile", "-c", "nope/mpigen.yaml")
    assert (done.code, done.err.splitlines()[0]) == (2, "error: nope/mpigen.yaml: no such file")
    Path("templates").write_text("a file\n")
    done = mpigen("templates", "eject", "Dockerfile")
    assert (done.code, done.err) == (
        2,
        "error: templates is not a folder\nTemplates are files in a folder.\n",
    )
    Path("templates").unlink()
    sites.template(Path(), "Dockerfile.j2", "{% if %}\n")
    done = mpigen("templates", "eject", "Dockerfile", "--block", "user")
    assert done.code == 2 and "the site's template has an error in line 1" in done.err
    for words in (["list"], ["diff"], ["show", "Dockerfile", "--blocks"]):
        assert (
            "templates/Dockerfile.j2:1: Expected an expression" in mpigen("templates", *words).err
        )


@pytest.mark.usefixtures("site")
def test_what_is_printed_may_be_cut_off_by_a_pipe() -> None:
    command = f"{sys.executable} -m mpigen templates show verify/test_cluster.py | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("{% block header %}\n", "")


def test_sites_of_one_process_share_what_is_built_in(tmp_path: Path) -> None:
    caches = (builtin.code, builtin.blocks, builtin.shared)
    held = []
    for index in range(3):
        site = tmp_path / str(index)
        site.mkdir()
        extend(site, "Dockerfile.j2", "footer", f"# {index}\n")
        assert f"# {index}\n" in sites.artifacts(site, f"name: x{index}\n")["Dockerfile"].text
        Templates(site / "templates").overrides()
        held.append([cache.cache_info().currsize for cache in caches])
    assert held[0] == held[1] == held[2]
