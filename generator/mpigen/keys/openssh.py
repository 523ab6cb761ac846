"""Checks of OpenSSH private key files without the cryptography library, which is slow to load.

The format is specified in OpenSSH's PROTOCOL.key; the header is never encrypted.
"""

import base64
import binascii
import re
import stat
from pathlib import Path

from mpigen.errors import InputError
from mpigen.untrusted.places import refuse_leading_out
from mpigen.untrusted.quoting import clip
from mpigen.untrusted.reading import read_bytes

# the largest key file, in bytes: one of ssh-ed25519 has some 400
MOST_BYTES = 65_536

_ARMOR = re.compile(
    r"-----BEGIN OPENSSH PRIVATE KEY-----(.*?)-----END OPENSSH PRIVATE KEY-----", re.DOTALL
)


def check_private(file: Path, public: str | None, root: Path | None = None) -> None:
    """Refuse a private key with a wrong mode or type, a passphrase, or another public half.

    `public` is the expected public half, as `ssh-ed25519 BASE64`, or None. The file must not be a
    link out of the folder `root`, if given. Raises InputError with the reason and the remedy.
    """
    if root is not None:
        refuse_leading_out(file, root)
    if not file.is_file():
        raise InputError(f"{file} is not a file", "Move it away.")
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o077:
        raise InputError(f"{file} can be read by others: its mode is {mode:o}", f"chmod 600 {file}")
    cipher, kind, blob = _read(file)
    if kind != "ssh-ed25519":
        raise InputError(
            f"{file} is a key of type {clip(kind)}: the cluster's keys are ssh-ed25519"
        )
    if cipher != "none":
        hint = f"Remove it: ssh-keygen -p -N '' -f {file}"
        raise InputError(f"{file} has a passphrase, which nobody can type in a container", hint)
    if public and base64.b64decode(public.split()[1]) != blob:
        raise mismatch(file)


def mismatch(file: Path) -> InputError:
    """Return the error for a private key whose .pub file has the public half of another key."""
    hint = "Restore the one that belongs to the other, or make new keys: mpigen keys rotate"
    return InputError(f"{file} does not belong to {file.name}.pub", hint)


def armored_text(file: Path) -> str:
    """Return the text of a private key file from BEGIN to END, with OpenSSH's line ends.

    Raises InputError if there is none.
    """
    lines = [line.strip() for line in _armored(file)[0].splitlines()]
    return "\n".join(lines) + "\n"


def matches(file: Path, public: str) -> bool:
    """Whether `file` is a private key whose header has the public half `public`."""
    try:
        return _read(file)[2] == base64.b64decode(public.split()[1])
    except InputError:
        return False


def _read(file: Path) -> tuple[str, str, bytes]:
    """Return cipher, key type and public key blob of a private key file."""
    try:
        return _header(base64.b64decode(_armored(file)[1]))
    except (ValueError, IndexError, binascii.Error) as error:
        raise _no_key(file) from error


def _armored(file: Path) -> re.Match[str]:
    try:
        text = read_bytes(file, MOST_BYTES).decode(errors="replace")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"{file}: no such file") from error
    found = _ARMOR.search(text)
    if not found:
        raise _no_key(file)
    return found


def _no_key(file: Path) -> InputError:
    hint = "Make keys with mpigen, or with ssh-keygen -t ed25519."
    return InputError(f"{file} is not an OpenSSH private key", hint)


def _header(data: bytes) -> tuple[str, str, bytes]:
    """Return cipher, key type and public key blob of openssh-key-v1 data."""
    magic = b"openssh-key-v1\0"
    if not data.startswith(magic):
        raise ValueError("no openssh-key-v1")
    fields, at = [], len(magic)
    for _ in range(3):  # cipher, KDF and its options
        field, at = _string(data, at)
        fields.append(field)
    blob, _ = _string(data, at + 4)  # skips the number of keys
    return fields[0].decode(), _string(blob, 0)[0].decode(), blob


def _string(data: bytes, at: int) -> tuple[bytes, int]:
    """Return the length-prefixed string at `at`, and the offset of its end: RFC 4251, section 5."""
    start = at + 4
    end = start + int.from_bytes(data[at:start], "big")
    if end > len(data):
        raise ValueError("cut off")
    return data[start:end], end
