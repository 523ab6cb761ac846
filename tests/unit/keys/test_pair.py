"""Keys: made once, private halves never among the artifacts."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from mpigen.artifacts.manifest import with_manifest
from mpigen.artifacts.paths import PRIVATE_KEYS
from mpigen.errors import InputError
from mpigen.keys import pair
from mpigen.output.write import apply
from mpigen.render.render import render
from mpigen.render.templates import Templates
from tests import sites
from tests.conftest import snapshot

PRIVATE = {*PRIVATE_KEYS}


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """A folder with new keys."""
    folder = tmp_path / "output"
    made = pair.ensure(folder)
    for path, text in {**made.public.files(), **made.new_private}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
        (folder / path).chmod(0o644 if path.endswith(".pub") else 0o600)
    return folder


def test_new_keys_are_made_where_there_are_none_and_nothing_is_written(tmp_path: Path) -> None:
    made = pair.ensure(tmp_path / "output")
    assert set(made.new_private) == PRIVATE
    assert made.public.user != made.public.host
    assert pair.ensure(tmp_path / "output").public != made.public
    assert list(tmp_path.iterdir()) == []


def test_keys_that_are_there_are_kept(output: Path) -> None:
    before = pair.ensure(output)
    assert before.new_private == {}
    assert pair.ensure(output) == before


def test_public_keys_alone_are_enough_and_no_private_one_is_made(output: Path) -> None:
    before = pair.ensure(output).public
    for path in PRIVATE:
        (output / path).unlink()
    assert pair.ensure(output) == pair.Keys(before, {})


def test_a_private_key_alone_gives_its_public_half(output: Path) -> None:
    before = pair.ensure(output).public
    for path in PRIVATE:
        (output / f"{path}.pub").unlink()
    assert pair.ensure(output) == pair.Keys(before, {})


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="OpenSSH is not installed")
def test_the_halves_belong_together_by_opensshs_word(output: Path) -> None:
    for path in PRIVATE:
        command = ["ssh-keygen", "-y", "-f", str(output / path)]
        derived = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert derived == (output / f"{path}.pub").read_text()


def test_a_comment_behind_a_public_key_is_left_out(output: Path) -> None:
    before = pair.ensure(output)
    public = output / "keys/id_ed25519.pub"
    public.write_text(public.read_text().strip() + " me@example.org\n")
    assert pair.ensure(output) == before


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ssh-rsa AAAAB3NzaC1yc2E=",
        "ssh-ed25519",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1V",
        "ssh-ed25519 $(id)",
        f'command="x" {sites.PUBLIC.user}',
        f"{sites.PUBLIC.user}AA",
    ],
)
def test_what_is_no_public_key_is_refused_with_its_file(output: Path, text: str) -> None:
    (output / "keys/id_ed25519.pub").write_text(text)
    with pytest.raises(InputError, match=r"keys/id_ed25519\.pub is not an ed25519 public key"):
        pair.ensure(output)


def test_what_is_no_private_key_is_refused_with_its_file(output: Path) -> None:
    (output / "keys/id_ed25519.pub").unlink()
    (output / "keys/id_ed25519").write_text("no key\n")
    with pytest.raises(InputError, match="keys/id_ed25519 is not an OpenSSH private key"):
        pair.ensure(output)


def test_private_keys_are_in_no_artifact_and_not_in_the_manifest(tmp_path: Path) -> None:
    made = pair.ensure(tmp_path / "output")
    cluster = sites.cluster(tmp_path, "name: x\n")
    files = with_manifest(render(cluster, made.public, Templates()))
    assert not PRIVATE & set(files)
    for text in made.new_private.values():
        secret = text.splitlines()[3]
        assert not [path for path, file in files.items() if secret in file.text]
    assert not [path for path in PRIVATE if f'"{path}"' in files["manifest.json"].text]


def test_private_keys_are_for_their_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        apply([], {}, pair.ensure(tmp_path).new_private, tmp_path)
    finally:
        os.umask(old)
    for path in PRIVATE:
        assert stat.S_IMODE((tmp_path / path).stat().st_mode) == 0o600


def test_ensure_changes_nothing(output: Path) -> None:
    before = snapshot(output)
    pair.ensure(output)
    assert snapshot(output) == before
