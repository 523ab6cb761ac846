"""Diffs are such that git takes them and makes of the folder what a render would."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mpigen.artifacts.manifest import File, with_manifest
from mpigen.output.compare import compare
from mpigen.output.diff import unified
from mpigen.output.write import apply

FILES = with_manifest(
    {
        "text": File("".join(f"{line}\n" for line in range(30)), 0o644, "t"),
        "sub/script": File("#!/bin/sh\n", 0o755, "t"),
        "sub/empty": File("", 0o644, "t"),
    }
)


def rendered(path: str, text: str, mode: int = 0o644) -> dict[str, File]:
    """FILES with one of them otherwise."""
    return with_manifest({**FILES, path: File(text, mode, "t")})


def without(path: str) -> dict[str, File]:
    return with_manifest({each: file for each, file in FILES.items() if each != path})


@pytest.fixture
def output(tmp_path: Path) -> Path:
    folder = tmp_path / "output"
    apply(compare(FILES, folder), FILES, {}, folder)
    return folder


@pytest.mark.parametrize(
    "files",
    [
        pytest.param(rendered("text", "0\n" + FILES["text"].text[6:]), id="changed"),
        pytest.param(rendered("text", "no end of line"), id="no newline at the end"),
        pytest.param(rendered("text", ""), id="emptied"),
        pytest.param(rendered("sub/empty", "no more\n"), id="filled"),
        pytest.param(rendered("sub/script", "#!/bin/sh\n", 0o644), id="mode"),
        pytest.param(rendered("text", "#!/bin/sh\n", 0o755), id="changed and mode"),
        pytest.param(rendered("a/b/c", "new\n", 0o755), id="new"),
        pytest.param(rendered("a/b/c", ""), id="new and empty"),
        pytest.param(without("text"), id="removed"),
        pytest.param(without("sub/empty"), id="removed and empty"),
        pytest.param(rendered("text", "a\rb\x0cc\u2028d\r\nlast\x85\n"), id="other line ends"),
        pytest.param(rendered("größe ☃", "new\n"), id="name"),
        pytest.param(rendered("with space", "new\n"), id="space in a name"),
        pytest.param(rendered('a "b"\\', "new\n"), id="name to be quoted"),
    ],
)
def test_git_makes_of_the_diff_what_a_render_would(output: Path, files: dict[str, File]) -> None:
    changes = compare(files, output)
    diff = unified(changes, files, output)
    subprocess.run(["git", "apply", "-"], cwd=output.parent, input=diff.encode(), check=True)
    # a mode is what git stores, and its umask left
    assert compare(files, output) == []
    assert not any(
        (output / change.path).exists() for change in changes if change.kind == "removed"
    )


def link(target: Path) -> None:
    target.unlink()
    target.symlink_to("/etc/hostname")


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(link, id="a symlink"),
        pytest.param(lambda target: target.write_bytes(b"a\r\nb"), id="other line ends"),
        pytest.param(lambda target: target.chmod(0o755), id="a mode"),
    ],
)
def test_git_takes_back_what_somebody_edited(output: Path, edit: Callable[[Path], None]) -> None:
    edit(output / "text")
    diff = unified(compare(FILES, output), FILES, output)
    subprocess.run(["git", "apply", "-"], cwd=output.parent, input=diff.encode(), check=True)
    assert compare(FILES, output) == []
    assert not (output / "text").is_symlink()


@pytest.mark.parametrize("data", [b"\xff\n", b"a\0b\n"])
def test_what_is_no_text_is_not_shown(output: Path, data: bytes) -> None:
    (output / "text").write_bytes(data)
    diff = unified(compare(FILES, output), FILES, output)
    assert diff.endswith("Binary files a/output/text and b/output/text differ\n")


def test_nothing_to_do_is_no_diff(output: Path) -> None:
    assert unified(compare(FILES, output), FILES, output) == ""


def test_names_do_not_depend_on_where_one_stands(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (output / "text").unlink()
    changes = compare(FILES, output)
    diff = unified(changes, FILES, output)
    assert diff.startswith("diff --git a/output/text b/output/text\nnew file mode 100644\n")
    monkeypatch.chdir(output)
    assert unified(changes, FILES, Path(os.curdir)) == diff
