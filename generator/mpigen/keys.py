"""SSH keys of a cluster: one for the user, one for every host; made once, kept out of git.

The public halves are artifacts like any other. The private halves lie beside them, are ignored
by git (output/.gitignore), and are never in the manifest.
"""

import base64
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mpigen.errors import InputError
from mpigen.keyfile import belongs, refuse_private

FOLDER = "keys"
USER_KEY = "id_ed25519"
HOST_KEY = "ssh_host_ed25519_key"

# 51 bytes in base64, of which the first 19 say what it is: RFC 8709, section 4
_PUBLIC = re.compile(r"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI[A-Za-z0-9+/]{43}(?=\s|$)")


@dataclass(frozen=True)
class PublicKeys:
    """The public halves, each as `ssh-ed25519 BASE64`."""

    user: str
    host: str

    def files(self) -> dict[str, str]:
        """The artifacts: path below output/ to text."""
        return {
            f"{FOLDER}/{USER_KEY}.pub": f"{self.user}\n",
            f"{FOLDER}/{HOST_KEY}.pub": f"{self.host}\n",
        }

    def fingerprints(self) -> dict[str, str]:
        """The fingerprint of each, as `ssh-keygen -l` prints it."""
        return {"user": fingerprint(self.user), "host": fingerprint(self.host)}


@dataclass(frozen=True)
class Keys:
    """The public keys, and the private ones that are still to be written (path to text)."""

    public: PublicKeys
    new_private: dict[str, str]


def fingerprint(public: str) -> str:
    """SHA256:... of a public key `ssh-ed25519 BASE64`, as `ssh-keygen -l` prints it."""
    digest = hashlib.sha256(base64.b64decode(public.split()[1])).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def new() -> Keys:
    """New keys for both, still to be written."""
    (user_private, user), (host_private, host) = _generate(), _generate()
    private = {f"{FOLDER}/{USER_KEY}": user_private, f"{FOLDER}/{HOST_KEY}": host_private}
    return Keys(PublicKeys(user, host), private)


def read(folder: Path) -> Keys:
    """Both pairs of the files in `folder`, named as in output/keys, wholly checked.

    Raises InputError for each that is missing or refused, with the reason.
    """
    wrong, private, public = [], {}, {}
    for name in (USER_KEY, HOST_KEY):
        file = folder / name
        if not file.is_file():
            wrong.append(f"{file}: no such file")
            continue
        try:
            refuse_private(file, None)  # its own fault first, then that of its public half
            public_file = file.with_name(f"{name}.pub")
            said = _read_public(public_file) if public_file.exists() else None
            refuse_private(file, said)
            private[f"{FOLDER}/{name}"], public[name] = _pair(file)
        except InputError as error:
            wrong.append("\n".join(filter(None, (error.message, error.hint))))
    if wrong:
        raise InputError("\n".join(wrong))
    return Keys(PublicKeys(public[USER_KEY], public[HOST_KEY]), private)


def ensure(output: Path) -> Keys:
    """The keys of the cluster in folder `output`, made where there are none. Writes nothing.

    Raises InputError where a key file is not an OpenSSH ed25519 key, or a private one is refused.
    """
    new: dict[str, str] = {}
    public = PublicKeys(
        user=_public(output / FOLDER / USER_KEY, new),
        host=_public(output / FOLDER / HOST_KEY, new),
    )
    return Keys(public, new)


def _public(private_file: Path, new: dict[str, str]) -> str:
    """The public half that belongs to `private_file`; a private half made for it goes to `new`."""
    public_file = private_file.with_name(f"{private_file.name}.pub")
    public = _read_public(public_file) if public_file.exists() else None
    if private_file.exists():
        refuse_private(private_file, public)
        return public or _pair(private_file)[1]
    if public is None:
        new[f"{FOLDER}/{private_file.name}"], public = _generate()
    return public


def _read_public(public_file: Path) -> str:
    try:
        key = _PUBLIC.match(public_file.read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        raise InputError(f"{public_file}: cannot be read: {error.strerror}") from error
    if not key:
        hint = "Bring it back with git checkout, or delete both halves: render makes new keys."
        raise InputError(f"{public_file} is not an ed25519 public key", hint)
    return key[0]


def _pair(private_file: Path) -> tuple[str, str]:
    """Both halves of a private file as OpenSSH text. Raises InputError if it is damaged."""
    from cryptography.hazmat.primitives import serialization

    try:
        key = serialization.load_ssh_private_key(private_file.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise InputError(f"{private_file} is not an OpenSSH private key: {error}") from error
    return _halves(key)


def _generate() -> tuple[str, str]:
    # imported here: the library costs more than a whole render, and keys are made once
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return _halves(Ed25519PrivateKey.generate())


def _halves(key: Any) -> tuple[str, str]:
    """Private and public half as OpenSSH text."""
    from cryptography.hazmat.primitives import serialization

    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    return private.decode(), public.decode()


def lost(output: Path, given: Keys) -> list[Path]:
    """The private keys in folder `output` that `given` would overwrite with other ones."""
    pairs = ((USER_KEY, given.public.user), (HOST_KEY, given.public.host))
    files = [(output / FOLDER / name, public) for name, public in pairs]
    # by their public halves: the text of one key differs each time that it is written
    return [file for file, public in files if os.path.lexists(file) and not belongs(file, public)]


@dataclass(frozen=True)
class Status:
    """One key: which, its fingerprint if there is one, and how its private half is.

    `private` is "here" or "not here"; `problem` is why it is refused, or empty.
    """

    key: str
    fingerprint: str
    private: str
    problem: str


def status(output: Path) -> list[Status]:
    """Both keys of the cluster in folder `output`, wholly checked."""
    rows = []
    for key, name in (("user", USER_KEY), ("host", HOST_KEY)):
        file = output / FOLDER / name
        public_file = file.with_name(f"{name}.pub")
        public, problem = "", ""
        try:
            public = _read_public(public_file) if public_file.exists() else ""
            if file.exists():
                refuse_private(file, public or None)
                public = _pair(file)[1]
        except InputError as error:
            problem = " ".join(filter(None, (f"{error.message}.", error.hint)))
        private = "here" if file.exists() else "not here"
        rows.append(Status(key, fingerprint(public) if public else "", private, problem))
    return rows


def export(output: Path, folder: Path) -> list[Path]:
    """Copy both pairs of the cluster in folder `output` to `folder` (mode 0700, private 0600).

    Raises InputError where a private half is missing or refused, or a file is there already;
    nothing is written then.
    """
    pairs = read(output / FOLDER)
    texts = {Path(path).name: (text, 0o600) for path, text in pairs.new_private.items()}
    texts |= {Path(path).name: (text, 0o644) for path, text in pairs.public.files().items()}
    there = [str(folder / name) for name in texts if (folder / name).exists()]
    if there:
        raise InputError(f"there already: {', '.join(there)}", "Name another folder.")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, (text, mode) in texts.items():
            (folder / name).touch(mode)
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be written: {error.strerror}") from error
    return [folder / name for name in texts]
