"""What an image is made of, as a hash: the same context and base give the same tag."""

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from mpigen.artifacts import Artifacts

PREFIX = "sha-"
LABEL = "mpigen.context"
"""The image's label that holds the hash of the context that it was built from."""

_PRIVATE = ("keys/id_ed25519", "keys/ssh_host_ed25519_key")
_FROM = re.compile(r"^FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?\s*$", re.I | re.M)


def of_context(artifacts: Artifacts, site: Path) -> str | None:
    """The sha256 of what scripts/build.sh gives to docker build: paths, executable bits, bytes.

    `site` is the folder that holds the sources. None where sources or private keys are not here.
    """
    parts = [
        *(Path(name) for name in ("Dockerfile", ".dockerignore")),
        *_below(artifacts.folder, Path("rootfs")),
        *(Path(name) for name in _PRIVATE if artifacts.delivery == "image"),
    ]
    digest = hashlib.sha256()
    try:
        for part in parts:
            _add(digest, part.as_posix(), artifacts.folder / part)
        if artifacts.source is not None:
            if not (site / artifacts.source).is_dir():
                return None
            for part in _below(site / artifacts.source, Path()):
                _add(digest, f"app/{part.as_posix()}", site / artifacts.source / part)
    except FileNotFoundError:
        return None
    return digest.hexdigest()


def tag(context: str, bases: list[str]) -> str:
    """The tag of an image of that context on base images of those ids."""
    return PREFIX + hashlib.sha256(" ".join([context, *bases]).encode()).hexdigest()[:12]


def bases(dockerfile: str) -> list[str]:
    """The images that a Dockerfile starts from, stages of its own left out."""
    found = _FROM.findall(dockerfile)
    stages = {stage for _, stage in found}
    return sorted({image for image, _ in found if image not in stages})


def with_tag(image: str, other: str) -> str:
    """An image reference with another tag: `host:5000/a/b:v1` -> `host:5000/a/b:other`."""
    return f"{repository(image)}:{other}"


def repository(image: str) -> str:
    """An image reference without tag and digest."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]


def _below(folder: Path, inside: Path) -> Iterator[Path]:
    """Every file and symlink below `folder`/`inside`, relative to `folder`, in a fixed order."""
    for where, folders, names in os.walk(folder / inside):
        folders.sort()
        links = [name for name in folders if (Path(where) / name).is_symlink()]
        for name in sorted([*names, *links]):
            yield (Path(where) / name).relative_to(folder)


def _add(digest: "hashlib._Hash", name: str, file: Path) -> None:
    mode = file.lstat().st_mode
    data = os.fsencode(file.readlink()) if file.is_symlink() else file.read_bytes()
    kind = "l" if file.is_symlink() else "x" if mode & 0o100 else "f"
    digest.update(f"{kind} {len(data)} ".encode() + os.fsencode(name) + b"\0" + data)
