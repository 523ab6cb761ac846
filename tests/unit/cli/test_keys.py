"""`mpigen keys`: real key files, by the hand of OpenSSH."""

import base64
import json
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.conftest import Done, Mpigen, snapshot

NAMES = ("id_ed25519", "ssh_host_ed25519_key")


@pytest.fixture
def site(tmp_path: Path, mpigen: Mpigen, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A rendered site, in which the command runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mpigen.yaml").write_text("name: x\n")
    assert mpigen("render").code == 0
    return tmp_path


def keygen(*words: str | Path) -> str:
    done = subprocess.run(["ssh-keygen", "-q", *words], capture_output=True, text=True, check=True)
    return done.stdout


def make(file: Path, kind: str = "ed25519", passphrase: str = "") -> None:
    file.parent.mkdir(exist_ok=True)
    file.unlink(missing_ok=True)
    keygen("-t", kind, "-N", passphrase, "-f", file)


def fingerprints(folder: Path) -> list[str]:
    return [keygen("-l", "-f", folder / f"{name}.pub").split()[1] for name in NAMES]


def test_the_status_tells_what_ssh_keygen_tells(site: Path, mpigen: Mpigen) -> None:
    rows = json.loads(mpigen("keys", "status", "--json").out)
    assert [row["fingerprint"] for row in rows] == fingerprints(site / "output/keys")
    assert [(row["key"], row["private"], row["problem"]) for row in rows] == [
        ("user", "here", ""),
        ("host", "here", ""),
    ]
    assert {row["delivery"] for row in rows} == {"image"}
    manifest = json.loads((site / "output/manifest.json").read_text())
    assert list(manifest["keys"].values()) == fingerprints(site / "output/keys")
    (site / "output/keys/id_ed25519").unlink()
    done = mpigen("keys", "status")
    assert done.code == 0
    assert "next: mpigen keys import DIR, with the private halves; a build needs them" in done.out
    (site / "mpigen.yaml").write_text("name: x\nssh: {delivery: secret}\n")
    done = mpigen("keys", "status")
    assert done.out.count("  secret  ") == 2
    assert "; a deploy needs them" in done.out


@pytest.mark.parametrize(
    ("damage", "reason", "way_out"),
    [
        (lambda key: key.chmod(0o640), "can be read by others: its mode is 640", "chmod 600"),
        (lambda key: make(key, passphrase="secret"), "has a passphrase", "ssh-keygen -p -N ''"),
        (lambda key: make(key, "rsa"), "is a key of type ssh-rsa", "keys are ssh-ed25519"),
        (lambda key: make(key, "ecdsa"), "is a key of type ecdsa-sha2-nistp256", "ssh-ed25519"),
        (lambda key: key.write_text("no key"), "is not an OpenSSH private key", "-t ed25519"),
        (lambda key: key.write_bytes(b"\xff\xfe"), "is not an OpenSSH private key", "-t ed25519"),
    ],
    ids=["mode", "passphrase", "rsa", "ecdsa", "text", "bytes"],
)  # fmt: skip
def test_a_private_key_that_will_not_do_is_refused_by_all(
    site: Path, mpigen: Mpigen, damage: Callable[[Path], object], reason: str, way_out: str
) -> None:
    key = site / "output/keys/id_ed25519"
    public = (site / "output/keys/id_ed25519.pub").read_text()
    damage(key)
    (site / "output/keys/id_ed25519.pub").write_text(public)
    for words in (["render"], ["render", "--check"], ["keys", "export", "copy"]):
        done = mpigen(*words)
        assert done.code == 2, words
        assert f"keys/id_ed25519 {reason}" in done.err and way_out in done.err
    done = mpigen("keys", "status")
    assert done.code == 1
    assert reason in done.err and way_out in done.err
    assert not (site / "copy").exists()


def test_halves_that_do_not_belong_together_are_refused_by_all(site: Path, mpigen: Mpigen) -> None:
    key, public = site / "output/keys/id_ed25519", site / "output/keys/id_ed25519.pub"
    right = public.read_text()
    make(key)
    public.write_text(right)
    done = mpigen("render")
    assert (done.code, done.err.splitlines()[0]) == (
        2,
        "error: output/keys/id_ed25519 does not belong to id_ed25519.pub",
    )
    built = subprocess.run(["sh", "output/scripts/build.sh"], capture_output=True, text=True)
    assert built.returncode == 2
    assert "does not belong to id_ed25519.pub" in built.stderr
    assert mpigen("keys", "status").code == 1


@pytest.mark.parametrize("name", ["id_ed25519", "id_ed25519.pub"])
def test_a_folder_in_the_place_of_a_key_is_an_error(site: Path, mpigen: Mpigen, name: str) -> None:
    (site / "output/keys" / name).unlink()
    (site / "output/keys" / name).mkdir(mode=0o700)
    done = mpigen("render")
    assert done.code == 2
    assert done.err.startswith(f"error: output/keys/{name}")
    assert mpigen("keys", "status").code == 1


def test_a_rotation_renders_all_that_holds_the_keys(site: Path, mpigen: Mpigen) -> None:
    old = fingerprints(site / "output/keys")
    private = (site / "output/keys/id_ed25519").read_text()
    done = mpigen("keys", "rotate")
    assert done.code == 0, done.err
    new = fingerprints(site / "output/keys")
    assert not set(old) & set(new)
    assert (site / "output/keys/id_ed25519").read_text() != private
    for name in NAMES:
        file = site / "output/keys" / name
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert keygen("-y", "-f", file) == file.with_name(f"{name}.pub").read_text()
    user, host = ((site / f"output/keys/{name}.pub").read_text().strip() for name in NAMES)
    assert user in (site / "output/rootfs/etc/mpi/authorized_keys").read_text()
    assert host in (site / "output/rootfs/etc/ssh/ssh_known_hosts").read_text()
    assert mpigen("render", "--check").code == 0
    assert done.out.splitlines()[-1] == "next: mpigen build && mpigen deploy"
    (site / "mpigen.yaml").write_text("name: x\nssh: {delivery: secret}\n")
    done = mpigen("keys", "rotate")
    assert done.out.splitlines()[-1] == "next: mpigen deploy"


def test_a_rotation_spares_what_was_edited_by_hand(site: Path, mpigen: Mpigen) -> None:
    (site / "output/README.md").write_text("mine\n")
    before = snapshot(site)
    done = mpigen("keys", "rotate")
    assert done.code == 1
    assert "edited by hand" in done.err
    assert snapshot(site) == before


def test_keys_go_out_and_come_in_again_elsewhere(site: Path, mpigen: Mpigen) -> None:
    old = os.umask(0)
    try:
        assert mpigen("keys", "export", "safe").code == 0
    finally:
        os.umask(old)
    assert stat.S_IMODE((site / "safe").stat().st_mode) == 0o700
    assert {stat.S_IMODE((site / "safe" / name).stat().st_mode) for name in NAMES} == {0o600}
    before = snapshot(site / "safe")
    done = mpigen("keys", "export", "safe")
    assert (done.code, "already exist" in done.err) == (2, True)
    assert snapshot(site / "safe") == before
    # the same keys are no other keys, though each file is another text
    assert mpigen("keys", "import", "safe").code == 0
    # a clone: the public halves alone
    for name in NAMES:
        (site / "output/keys" / name).unlink()
    done = mpigen("keys", "import", "safe")
    assert done.code == 0, done.err
    assert "changed" not in done.out
    assert mpigen("render", "--check").code == 0
    assert fingerprints(site / "output/keys") == fingerprints(site / "safe")


def test_an_import_checks_first_and_overwrites_only_when_told(site: Path, mpigen: Mpigen) -> None:
    theirs = site / "theirs"
    make(theirs / "id_ed25519")
    before = snapshot(site)
    done = mpigen("keys", "import", "theirs")
    assert (done.code, done.err) == (2, "error: theirs/ssh_host_ed25519_key: no such file\n")
    make(theirs / "ssh_host_ed25519_key", "rsa")
    done = mpigen("keys", "import", "theirs", "--force")
    assert (done.code, "is a key of type ssh-rsa" in done.err) == (2, True)
    make(theirs / "ssh_host_ed25519_key")
    done = mpigen("keys", "import", "theirs")
    assert done.code == 2
    assert "other private keys are there already: output/keys/id_ed25519" in done.err
    assert "mpigen keys export DIR" in done.err
    after = {path: was for path, was in snapshot(site).items() if not path.startswith("theirs")}
    assert after.items() <= before.items()
    assert mpigen("keys", "import", "theirs", "--force").code == 0
    assert fingerprints(site / "output/keys") == fingerprints(theirs)
    assert mpigen("render", "--check").code == 0


@pytest.mark.parametrize("there", [b"\xff\xfe", b"", b"-----BEGIN OPENSSH PRIVATE KEY-----\n"])
def test_an_import_takes_the_place_of_a_damaged_key_when_told(
    site: Path, mpigen: Mpigen, there: bytes
) -> None:
    key = site / "output/keys/id_ed25519"
    assert mpigen("keys", "export", "safe").code == 0
    key.write_bytes(there)
    done = mpigen("keys", "import", "safe")
    assert done.code == 2
    assert "error: other private keys are there already: output/keys/id_ed25519\n" in done.err
    assert key.read_bytes() == there
    assert mpigen("keys", "import", "safe", "--force").code == 0
    assert mpigen("keys", "status").code == 0


# a Swarm that has the secrets SECRETS; what is deployed lies in the folder STATE
DOCKER = """\
#!/bin/sh
case "$1 $2" in
    "secret ls") printf '%s\\n' $SECRETS ;;
    "stack deploy") echo "$*" >"$STATE/call"; case $* in *" -c - "*) cat >"$STATE/over" ;; esac ;;
    "stack services") echo "x_worker 1/1" ;;
esac
"""


def deploy(site: Path, script: str = "deploy.sh", secrets: str = "") -> Done:
    """Run a script against that Swarm."""
    (site / "bin").mkdir(exist_ok=True)
    (site / "bin/docker").write_text(DOCKER)
    (site / "bin/docker").chmod(0o755)
    path = f"{site}/bin:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", f"output/scripts/{script}", "hostname"],
        env={**os.environ, "PATH": path, "STATE": str(site), "SECRETS": secrets},
        capture_output=True,
        text=True,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("script", ["deploy.sh", "run.sh"])
def test_a_clone_with_keys_of_before_a_rotation_deploys_and_runs_nothing(
    site: Path, mpigen: Mpigen, script: str
) -> None:
    """They would become secrets under the names of the new ones, which Swarm does not change."""
    (site / "mpigen.yaml").write_text("name: x\nssh: {delivery: secret}\n")
    assert mpigen("keys", "export", "old").code == 0
    assert mpigen("keys", "rotate").code == 0
    key = site / "output/keys/id_ed25519"
    key.write_bytes((site / "old/id_ed25519").read_bytes())
    done = deploy(site, script)
    assert done.code == 2, done.err
    assert "keys/id_ed25519 does not belong to id_ed25519.pub" in done.err
    assert "mpigen keys import DIR --force" in done.err
    key.unlink()
    done = deploy(site, script)
    assert (done.code, "mpigen keys import DIR" in done.err) == (2, True)
    assert not (site / "call").exists()


def test_what_the_swarm_has_already_is_deployed_without_its_private_key(
    site: Path, mpigen: Mpigen
) -> None:
    (site / "mpigen.yaml").write_text("name: x\nssh: {delivery: secret}\n")
    assert mpigen("render").code == 0
    assert deploy(site).code == 0
    assert "-c -" not in (site / "call").read_text()
    user, host = yaml.safe_load((site / "output/stack.yml").read_text())["secrets"]
    assert (user[:9], host[:9]) == ("user_key_", "host_key_")
    (site / "output/keys/id_ed25519").unlink()
    done = deploy(site, secrets=f"y_{user} x_{user}0 x_{host}")
    assert done.code == 2
    assert "output/keys/id_ed25519 cannot be read, and the Swarm has no such secret" in done.err
    done = deploy(site, secrets=f"x_{user}")
    assert done.code == 0, done.err
    assert yaml.safe_load((site / "over").read_text()) == {
        "version": "3.8",
        "secrets": {user: {"external": True, "name": f"x_{user}"}},
    }
    (site / "output/keys/ssh_host_ed25519_key").unlink()
    assert deploy(site, secrets=f"x_{user} x_{host}").code == 0
    assert set(yaml.safe_load((site / "over").read_text())["secrets"]) == {user, host}


def test_a_key_that_comes_back_is_the_same_bytes(site: Path, mpigen: Mpigen) -> None:
    """Swarm refuses a secret of the same name with other bytes."""
    key, public = site / "output/keys/id_ed25519", site / "output/keys/id_ed25519.pub"
    said = public.read_text()
    keygen("-c", "-C", "of OpenSSH, with a comment", "-f", key)
    public.write_text(said)
    before = key.read_bytes()
    assert mpigen("keys", "export", "safe").code == 0
    for name in NAMES:
        (site / "output/keys" / name).unlink()
    # as an editor or a mail may have left it
    text = "my key:\r\n" + before.decode().replace("\n", "\r\n")
    (site / "safe/id_ed25519").write_bytes(text.encode())
    assert mpigen("keys", "import", "safe").code == 0
    assert key.read_bytes() == before


def test_the_status_tells_whether_the_other_artifacts_have_the_keys(
    site: Path, mpigen: Mpigen
) -> None:
    rows = json.loads(mpigen("keys", "status", "--json").out)
    assert [row["rendered"] for row in rows] == [True, True]
    make(site / "output/keys/id_ed25519")
    done = mpigen("keys", "status")
    assert done.code == 1
    assert "the other artifacts contain another key than" in done.err
    rows = json.loads(mpigen("keys", "status", "--json").out)
    assert [row["rendered"] for row in rows] == [False, True]


def test_a_key_whose_header_tells_a_lie_is_refused(site: Path, mpigen: Mpigen) -> None:
    """All of its public halves are right, and it is the private half of none."""
    key, public = site / "output/keys/id_ed25519", site / "output/keys/id_ed25519.pub"
    blob = base64.b64decode(public.read_text().split()[1])[-32:]
    lines = key.read_text().splitlines()
    body = bytearray(base64.b64decode("".join(lines[1:-1])))
    seed = body.rindex(blob) - 32
    body[seed] ^= 1
    key.write_text("\n".join([lines[0], base64.b64encode(body).decode(), lines[-1], ""]))
    assert mpigen("keys", "status").code == 1
    done = mpigen("keys", "export", "copy")
    assert (done.code, "does not belong to id_ed25519.pub" in done.err) == (2, True)
