"""What `mpigen keys` does with a cluster's pairs: tell, take in, hand out; all wholly checked."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mpigen.artifacts.paths import HOST_KEY, KEYS, USER_KEY
from mpigen.errors import InputError
from mpigen.keys.openssh import armor, belongs, other_half, refuse_private
from mpigen.keys.pair import (
    Keys,
    PublicKeys,
    fingerprint,
    public_half,
    read_public,
)

_NAMES = {"user": USER_KEY, "host": HOST_KEY}


@dataclass(frozen=True)
class Status:
    """One key: which, its fingerprint if there is one, and how its private half is.

    `private` is "here" or "not here"; `rendered` whether the other artifacts hold this key;
    `problem` is what is wrong with it and the way out, or empty.
    """

    key: str
    fingerprint: str
    private: str
    rendered: bool
    problem: str


def status(output: Path, recorded: Mapping[str, str]) -> list[Status]:
    """Both keys of the cluster in folder `output`, which was rendered with those fingerprints."""
    return [_status(key, output / KEYS / name, recorded.get(key)) for key, name in _NAMES.items()]


def _status(key: str, file: Path, recorded: str | None) -> Status:
    public, problem = "", ""
    try:
        public = _public(file)
        if file.exists():
            public = _checked(file)
    except InputError as error:
        problem = " ".join(filter(None, (f"{error.message}.", error.hint)))
    now = fingerprint(public) if public else ""
    rendered = bool(now) and now == recorded
    # of a folder that was never rendered there is nothing to say
    if now and recorded and not (rendered or problem):
        problem = f"{file} is not the key that the other artifacts hold. Run: mpigen render"
    return Status(key, now, "here" if file.exists() else "not here", rendered, problem)


def read(folder: Path) -> Keys:
    """Both pairs of the files in `folder`, named as in output/keys.

    The private texts are those of the files: Swarm takes no other bytes for a secret that it
    has. Raises InputError for each that is missing or refused, with the reason.
    """
    wrong, private, public = [], {}, {}
    for name in _NAMES.values():
        file = folder / name
        if not file.is_file():
            wrong.append(f"{file}: no such file")
            continue
        try:
            public[name] = _checked(file)
            private[f"{KEYS}/{name}"] = armor(file)
        except InputError as error:
            wrong.append("\n".join(filter(None, (error.message, error.hint))))
    if wrong:
        raise InputError("\n".join(wrong))
    return Keys(PublicKeys(public[USER_KEY], public[HOST_KEY]), private)


def _checked(file: Path) -> str:
    """The public half of a private file. Raises InputError if anything is wrong with either."""
    refuse_private(file, None)  # its own fault first, then that of its public half
    said = _public(file) or None
    refuse_private(file, said)
    public = public_half(file)
    if said and said != public:  # a header may say what the key itself does not
        raise other_half(file)
    return public


def _public(private_file: Path) -> str:
    """The public half beside `private_file`, or empty."""
    public_file = private_file.with_name(f"{private_file.name}.pub")
    return read_public(public_file) if public_file.exists() else ""


def lost(output: Path, given: Keys) -> list[Path]:
    """The private keys in folder `output` that `given` would overwrite with other ones."""
    pairs = ((USER_KEY, given.public.user), (HOST_KEY, given.public.host))
    files = [(output / KEYS / name, public) for name, public in pairs]
    # by their public halves: the text of one key differs each time that it is made
    return [file for file, public in files if os.path.lexists(file) and not belongs(file, public)]


def export(output: Path, folder: Path) -> list[Path]:
    """Copy both pairs of the cluster in folder `output` to `folder` (mode 0700, private 0600).

    Raises InputError where a private half is missing or refused, or a file is there already;
    nothing is written then.
    """
    pairs = read(output / KEYS)
    texts = {Path(path).name: (text, 0o600) for path, text in pairs.new_private.items()}
    texts |= {Path(path).name: (text, 0o644) for path, text in pairs.public.files().items()}
    there = [str(folder / name) for name in texts if os.path.lexists(folder / name)]
    if there:
        raise InputError(f"there already: {', '.join(there)}", "Name another folder.")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, (text, mode) in texts.items():
            (folder / name).touch(mode, exist_ok=False)
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be written: {error.strerror}") from error
    return [folder / name for name in texts]
