"""What an image is made of, as a hash: the same context and base give the same tag."""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from mpigen.artifacts import manifest
from mpigen.artifacts.folder import Artifacts
from mpigen.artifacts.paths import BUILD_SCRIPT, DOCKERFILE, PRIVATE_KEYS
from mpigen.errors import InputError

PREFIX = "sha-"
LABEL = "mpigen.context"
"""The image's label that holds the hash of the context that it was built from."""
VARIANT_LABEL = "mpigen.group"
"""The label of a variant, which the Dockerfile gives it: its name."""

_FROM = re.compile(r"^FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?\s*$", re.I | re.M)


def site_of(artifacts: Artifacts) -> Path:
    """The folder that holds the sources, as build.sh has it: SITE, or that of the artifacts."""
    return Path(os.environ.get("SITE") or artifacts.folder / "..").resolve()


def of_context(artifacts: Artifacts, site: Path) -> str | None:
    """The sha256 of what scripts/build.sh gives to docker build: paths, executable bits, bytes.

    `site` is the folder that holds the sources. None where sources or private keys are not here.
    Raises InputError for what cannot be read.
    """
    # a script of the site's own may build in another way, which the built-in one does not
    own = manifest.read(artifacts.folder).templates.get(BUILD_SCRIPT, "").startswith("templates/")
    parts = [
        *(Path(name) for name in (DOCKERFILE, ".dockerignore", *([BUILD_SCRIPT] if own else []))),
        *_below(artifacts.folder, Path("rootfs")),
        *(Path(name) for name in PRIVATE_KEYS if artifacts.delivery == "image"),
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
        if artifacts.ca is not None:
            _add(digest, "ca.pem", site / artifacts.ca)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be read: {error.strerror}") from error
    return digest.hexdigest()


def tag(context: str, bases: list[str]) -> str:
    """The tag of an image of that context on base images of those ids."""
    return PREFIX + hashlib.sha256(" ".join([context, *bases]).encode()).hexdigest()[:12]


def bases(dockerfile: str) -> list[str]:
    """The images that a Dockerfile starts from, stages of its own left out."""
    found = _FROM.findall(dockerfile)
    stages = {stage for _, stage in found}
    return sorted({image for image, _ in found if image not in stages})


def _below(folder: Path, inside: Path) -> Iterator[Path]:
    """What is below `folder`/`inside`, relative to `folder`, in a fixed order.

    Of folders the empty ones alone: the others show in their files' paths.
    """
    for where, folders, names in os.walk(folder / inside, onerror=_refuse):
        folders.sort()
        links = [name for name in folders if (Path(where) / name).is_symlink()]
        for name in sorted([*names, *links]):
            yield (Path(where) / name).relative_to(folder)
        if not folders and not names:
            yield Path(where).relative_to(folder)


def _refuse(error: OSError) -> None:
    """os.walk would pass over a folder that cannot be read."""
    raise error


def _add(digest: "hashlib._Hash", name: str, file: Path) -> None:
    mode = file.lstat().st_mode
    data = b""
    if stat.S_ISLNK(mode):
        kind, data = "l", os.fsencode(file.readlink())
    elif stat.S_ISREG(mode):
        kind, data = "x" if mode & 0o100 else "f", file.read_bytes()
    else:  # an empty folder; of a pipe or a socket nobody can read an end
        kind = "d"
    digest.update(f"{kind} {len(data)} ".encode() + os.fsencode(name) + b"\0" + data)
