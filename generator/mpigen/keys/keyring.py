"""The operations of `mpigen keys`: status, import and export, with every key fully checked."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mpigen.artifacts.paths import HOST_KEY, KEYS, USER_KEY
from mpigen.errors import InputError
from mpigen.keys.openssh import armored_text, check_private, matches, mismatch
from mpigen.keys.pair import (
    Keys,
    PublicKeys,
    fingerprint,
    public_half,
    read_public,
    refuse_unsafe_folder,
)

_NAMES = {"user": USER_KEY, "host": HOST_KEY}


@dataclass(frozen=True)
class Status:
    """The status of one key ("user" or "host"); `fingerprint` is empty if there is no public half.

    `private` is "here" or "not here"; `rendered` is whether the other artifacts use this key;
    `problem` has the fault and the remedy, or is empty.
    """

    key: str
    fingerprint: str
    private: str
    rendered: bool
    problem: str


def status(output: Path, recorded: Mapping[str, str]) -> list[Status]:
    """Return the status of both keys in `output`; `recorded` has the manifest's fingerprints."""
    refuse_unsafe_folder(output)
    return [_status(key, output / KEYS / name, recorded.get(key)) for key, name in _NAMES.items()]


def _status(key: str, file: Path, recorded: str | None) -> Status:
    public, problem = "", ""
    try:
        public = _public(file, file.parents[2])
        if os.path.lexists(file):
            public = _checked(file, file.parents[2])
    except InputError as error:
        problem = " ".join(filter(None, (f"{error.message}.", error.hint)))
    now = fingerprint(public) if public else ""
    rendered = bool(now) and now == recorded
    # without a recorded fingerprint there are no artifacts to compare with
    if now and recorded and not (rendered or problem):
        problem = f"the other artifacts contain another key than {file}. Run: mpigen render"
    return Status(key, now, "here" if file.exists() else "not here", rendered, problem)


def read(folder: Path, root: Path | None = None) -> Keys:
    """Read both pairs from `folder`, whose files are named as in output/keys.

    The private texts are copied, not serialised again, since Swarm accepts no other bytes for an
    existing secret. No file may be a link out of the folder `root`, if given. Raises InputError
    with the reason for each key that is missing or refused.
    """
    wrong, private, public = [], {}, {}
    for name in _NAMES.values():
        file = folder / name
        if not file.is_file():
            wrong.append(f"{file}: no such file")
            continue
        try:
            public[name] = _checked(file, root)
            private[f"{KEYS}/{name}"] = armored_text(file)
        except InputError as error:
            wrong.append("\n".join(filter(None, (error.message, error.hint))))
    if wrong:
        raise InputError("\n".join(wrong))
    return Keys(PublicKeys(public[USER_KEY], public[HOST_KEY]), private)


def _checked(file: Path, root: Path | None) -> str:
    """Return the public half of a private key file. Raises InputError if either half is faulty."""
    check_private(file, None, root)  # report faults of the private half first
    stated = _public(file, root) or None
    check_private(file, stated)
    public = public_half(file)
    if stated and stated != public:  # the header may have another public key than the key itself
        raise mismatch(file)
    return public


def _public(private_file: Path, root: Path | None) -> str:
    """Return the public half from the .pub file of `private_file`; empty if there is none."""
    public_file = private_file.with_name(f"{private_file.name}.pub")
    return read_public(public_file, root) if os.path.lexists(public_file) else ""


def overwritten(output: Path, given: Keys) -> list[Path]:
    """Return the private keys in `output` that `given` would replace by other keys."""
    refuse_unsafe_folder(output)
    pairs = ((USER_KEY, given.public.user), (HOST_KEY, given.public.host))
    files = [(output / KEYS / name, public) for name, public in pairs]
    # compared by public half: the text of a key differs each time it is serialised
    return [file for file, public in files if os.path.lexists(file) and not matches(file, public)]


def export(output: Path, folder: Path) -> list[Path]:
    """Copy both pairs of the cluster in folder `output` to `folder` (mode 0700, private 0600).

    Raises InputError, and writes nothing, if a private half is missing or refused or if a file
    already exists.
    """
    refuse_unsafe_folder(output)
    pairs = read(output / KEYS, output.parent)
    texts = {Path(path).name: (text, 0o600) for path, text in pairs.new_private.items()}
    texts |= {Path(path).name: (text, 0o644) for path, text in pairs.public.files().items()}
    existing = [str(folder / name) for name in texts if os.path.lexists(folder / name)]
    if existing:
        raise InputError(
            f"these files already exist: {', '.join(existing)}", "Name another folder."
        )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, (text, mode) in texts.items():
            (folder / name).touch(mode, exist_ok=False)
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be written: {error.strerror}") from error
    return [folder / name for name in texts]
