"""SSH keys of a cluster: one for the user, one for every host; made once, kept out of git.

The public halves are artifacts like any other. The private halves lie beside them, are ignored
by git (output/.gitignore), and are never in the manifest.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from mpigen.errors import InputError

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


@dataclass(frozen=True)
class Keys:
    """The public keys, and the private ones that are still to be written (path to text)."""

    public: PublicKeys
    new_private: dict[str, str]


def ensure(output: Path) -> Keys:
    """The keys of the cluster in folder `output`, made where there are none. Writes nothing.

    Raises InputError where a key file is not an OpenSSH ed25519 key.
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
    if public_file.exists():
        key = _PUBLIC.match(public_file.read_text(encoding="utf-8", errors="replace"))
        if not key:
            hint = "Bring it back with git checkout, or delete both halves: render makes new keys."
            raise InputError(f"{public_file} is not an ed25519 public key", hint)
        return key[0]
    private, public = _pair(private_file)
    if not private_file.exists():
        new[f"{FOLDER}/{private_file.name}"] = private
    return public


def _pair(private_file: Path) -> tuple[str, str]:
    """Both halves as OpenSSH text: of the private file if there is one, else new."""
    # imported here: the library costs more than a whole render, and keys are made once
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if private_file.exists():
        try:
            key = serialization.load_ssh_private_key(private_file.read_bytes(), password=None)
        except (ValueError, TypeError) as error:
            raise InputError(f"{private_file} is not an OpenSSH private key: {error}") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise InputError(f"{private_file} is not an ed25519 key")
    else:
        key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    return private.decode(), public.decode()
