"""A cluster's SSH keys: one for the user, one that all hosts share; generated once.

The public halves are artifacts like any other. The private halves lie beside them, are ignored
by git (output/.gitignore), and never appear in the manifest.
"""

import base64
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mpigen.artifacts.paths import HOST_KEY, KEYS, USER_KEY
from mpigen.errors import InputError
from mpigen.keys.openssh import MOST_BYTES, check_private
from mpigen.untrusted.places import refuse_link
from mpigen.untrusted.quoting import LONGEST_REASON, clip
from mpigen.untrusted.reading import read_bytes

# base64 of 51 bytes, of which the first 19 are always the same: RFC 8709, section 4
_PUBLIC = re.compile(r"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI[A-Za-z0-9+/]{43}(?=\s|$)")


@dataclass(frozen=True)
class PublicKeys:
    """The public halves, each as `ssh-ed25519 BASE64`."""

    user: str
    host: str

    def files(self) -> dict[str, str]:
        """Return the artifacts, path below output/ to text."""
        return {
            f"{KEYS}/{USER_KEY}.pub": f"{self.user}\n",
            f"{KEYS}/{HOST_KEY}.pub": f"{self.host}\n",
        }

    def fingerprints(self) -> dict[str, str]:
        """Return the fingerprint of each key, as `ssh-keygen -l` prints it."""
        return {"user": fingerprint(self.user), "host": fingerprint(self.host)}


class Keys(NamedTuple):
    """The public keys, and the private keys that are not written yet (path to text)."""

    public: PublicKeys
    new_private: dict[str, str]


def fingerprint(public: str) -> str:
    """Return SHA256:... of a public key `ssh-ed25519 BASE64`, as `ssh-keygen -l` prints it."""
    digest = hashlib.sha256(base64.b64decode(public.split()[1])).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def new() -> Keys:
    """Generate both pairs; writes nothing."""
    (user_private, user), (host_private, host) = _generate(), _generate()
    private = {f"{KEYS}/{USER_KEY}": user_private, f"{KEYS}/{HOST_KEY}": host_private}
    return Keys(PublicKeys(user, host), private)


def ensure(output: Path) -> Keys:
    """Return the keys of the cluster in folder `output`; missing ones are generated, not written.

    Raises InputError if a key file is not an OpenSSH ed25519 key, or a private one is refused.
    """
    new: dict[str, str] = {}
    public = PublicKeys(
        user=_public(output / KEYS / USER_KEY, new),
        host=_public(output / KEYS / HOST_KEY, new),
    )
    return Keys(public, new)


def refuse_unsafe_folder(output: Path) -> None:
    """Raise InputError if output/keys is a link, or has a .gitignore, which could admit keys."""
    folder = output / KEYS
    refuse_link(folder)
    ignore = folder / ".gitignore"
    if os.path.lexists(ignore):
        hint = f"Remove it: the .gitignore of {output} keeps private keys out."
        raise InputError(f"{ignore} could let private keys into git", hint)


def _public(private_file: Path, new: dict[str, str]) -> str:
    """Return the public half of `private_file`; a newly generated private half goes into `new`."""
    public_file = private_file.with_name(f"{private_file.name}.pub")
    site = private_file.parents[2]
    public = read_public(public_file, site) if os.path.lexists(public_file) else None
    if os.path.lexists(private_file):
        check_private(private_file, public, site)
        return public or public_half(private_file)
    if public is None:
        new[f"{KEYS}/{private_file.name}"], public = _generate()
    return public


def read_public(public_file: Path, root: Path | None = None) -> str:
    """Read `ssh-ed25519 BASE64` from a public key file. Raises InputError if it is none.

    The file must not be a link out of the folder `root`, if given.
    """
    try:
        text = read_bytes(public_file, MOST_BYTES, root).decode(errors="replace")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"{public_file}: no such file") from error
    key = _PUBLIC.match(text)
    if not key:
        hint = "Restore it with git checkout, or delete both halves: render makes new keys."
        raise InputError(f"{public_file} is not an ed25519 public key", hint)
    return key[0]


def public_half(private_file: Path) -> str:
    """Derive the public half from a private key file. Raises InputError if it is damaged."""
    from cryptography.hazmat.primitives import serialization

    try:
        data = read_bytes(private_file, MOST_BYTES)
        key = serialization.load_ssh_private_key(data, password=None)
    except Exception as error:
        # the library raises its own UnsupportedAlgorithm besides ValueError and TypeError
        if isinstance(error, InputError):
            raise
        reason = clip(str(error), LONGEST_REASON)
        raise InputError(f"{private_file} is not an OpenSSH private key: {reason}") from error
    return _halves(key)[1]


def _generate() -> tuple[str, str]:
    # imported here: loading it takes longer than a whole render, and keys are generated once
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return _halves(Ed25519PrivateKey.generate())


def _halves(key: Any) -> tuple[str, str]:
    """Return the private and the public half of `key` as OpenSSH text."""
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
