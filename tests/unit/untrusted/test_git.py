"""With the real git: private keys are never staged, and line endings are no edits."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.unit.untrusted.confined import mpigen, refused

PRIVATE = ["output/keys/id_ed25519", "output/keys/ssh_host_ed25519_key"]


def git(folder: Path, *words: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    (folder / "templates").mkdir(parents=True)
    (folder / "mpigen.yaml").write_text("name: x\n")
    git(folder, "init", "-q")
    return folder


def staged(site: Path) -> list[str]:
    git(site, "add", "-A")
    return git(site, "ls-files").splitlines()


@pytest.mark.parametrize(
    "text",
    [
        "*.log",
        "# /keys/*",
        "x\f/keys/*",
        "x\u2028/keys/*",
        "x\r/keys/*",
        " /keys/*",
        *(
            f"/keys/*\n{later}"
            for later in (
                "!/keys/id_ed25519",
                "!/keys/ssh_host_ed25519_key\n",
                "!keys/*",
                "!*",
                "!**",
                "!*_*",
                "!id_ed[1-3]5519",
                "!/keys/[!x]*",
                "!keys/\\id_ed25519",
                "!ID_ED25519",
                "!keys/i?_ed25519   ",
                "!/keys/**",
                "!**/ssh_*\r",
                "!/keys/\n!/keys/i*9",
            )
        ),
    ],
)
@pytest.mark.parametrize("name", [".gitignore", ".gitignore.j2"])
def test_an_ignore_file_that_lets_keys_into_git_is_refused(
    site: Path, text: str, name: str
) -> None:
    if name.endswith(".j2"):
        text = text.replace("\r", "")  # Jinja makes a line end of it
    (site / "templates" / name).write_bytes(text.encode())
    message = refused(site, "render")
    assert f"templates/{name}" in message and "/keys/*" in message
    assert not (site / "output").exists()


@pytest.mark.parametrize(
    "text",
    [
        "!*\n/keys/*\n!/keys/*.pub\n",
        "/keys/*\n!*.pub\n!notes.txt\n!/data/*.log\n!keep\n",
        "/keys/*\r\n!/keys/*.pub\r\n",
        "\\!x\n/keys/*\n#!*\n!/keys/\n",
    ],
)
def test_an_ignore_file_that_keeps_keys_out_is_taken_and_git_agrees(site: Path, text: str) -> None:
    (site / "templates/.gitignore").write_bytes(text.encode())
    assert mpigen(site, "render").code == 0
    assert not set(staged(site)) & set(PRIVATE)
    assert git(site, "check-ignore", *PRIVATE).splitlines() == PRIVATE


def test_no_other_file_of_the_site_lets_keys_into_git(site: Path) -> None:
    (site / ".gitignore").write_text("".join(f"!/{path}\n!{path}\n" for path in PRIVATE) + "!*\n")
    (site / ".gitattributes").write_text("* text=auto eol=crlf\noutput/keys/* -text\n")
    assert mpigen(site, "render").code == 0
    found = staged(site)
    assert not set(found) & set(PRIVATE)
    assert {f"{path}.pub" for path in PRIVATE} <= set(found)


def test_an_ignore_file_beside_the_keys_is_refused(site: Path) -> None:
    (site / "output/keys").mkdir(parents=True)
    (site / "output/keys/.gitignore").write_text("!*\n")
    for words in (["render"], ["validate"], ["render", "--check"], ["keys", "rotate"]):
        assert "output/keys/.gitignore" in refused(site, *words)


def test_a_checkout_has_the_bytes_that_were_rendered(site: Path) -> None:
    assert mpigen(site, "render").code == 0
    (site / ".gitattributes").write_text("* text=auto eol=crlf\n")
    git(site, "add", "-A")
    git(site, "commit", "-qm", "site")
    git(site, "-c", "core.autocrlf=true", "clone", "-q", ".", "../clone")
    clone = site.parent / "clone"
    git(clone, "config", "core.autocrlf", "true")
    done = mpigen(clone, "render", "--check")
    assert done.code == 0, done


def test_line_endings_are_told_as_what_they_are(site: Path) -> None:
    assert mpigen(site, "render").code == 0
    for path in (site / "output").rglob("*"):
        if path.is_file() and path.name not in ("id_ed25519", "ssh_host_ed25519_key"):
            path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    done = mpigen(site, "render", "--check")
    assert done.code == 1
    assert "changed  output/stack.yml (line endings)" in done.err
    assert "edited by hand" not in done.err and ".gitattributes" in done.err
    assert len(mpigen(site, "render", "--diff").out.splitlines()) < 100
    found = json.loads(mpigen(site, "render", "--check", "--json").out)["changes"]
    assert all(each["endings"] and not each["edited"] for each in found)
    # what is out of date besides is no edit either
    (site / "mpigen.yaml").write_text("name: x\nssh: {port: 2300}\n")
    assert mpigen(site, "render").code == 0
    assert mpigen(site, "render", "--check").code == 0
