"""Writing a render to its folder, all or nothing.

The new tree is built beside output/, with hard links to all that stays, and the two folders
trade places in one system call. So whoever looks, and whatever is killed, finds the old tree or
the new one. A shell or container that is inside of output/ meanwhile stays in the old one.

Where that cannot be, the files are renamed one by one, the manifest last. That is: no Linux; a
file system that cannot exchange folders or link files; output/ a mount point, or with one in it;
a folder above it that cannot be written; files of other users; mpigen's own working directory
inside of output/, since the user's shell would be left in a deleted folder. This way is not
atomic: what is killed half way is finished by the next render.

Nothing waits for the disk, but for private keys, which no git has: a power cut may leave other new
files empty, which `render --check` tells, and `render --force` or git brings back.
"""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from mpigen.artifacts.manifest import File
from mpigen.artifacts.paths import MANIFEST
from mpigen.errors import InputError
from mpigen.output.compare import Change, real
from mpigen.output.tree import exchange, link, make_folder

STAGING = ".mpigen-staging"
_PRIVATE = 0o600
_IGNORE = ".gitignore"

# a file less or another order does not help
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}

_Writes = Mapping[str, tuple[str, int]]


def apply(
    changes: Sequence[Change], files: Mapping[str, File], private: Mapping[str, str], output: Path
) -> None:
    """Write `changes` and the new private keys (mode 0600) to `output`, and prune what is removed.

    The caller holds the lock of `output` (lock.py). What a killed render left is removed first;
    without changes nothing else is touched. Raises InputError where the disk is full, or the
    folder cannot be written: nothing is changed then, unless it says so.
    """
    folder = real(output)
    for place in (folder.parent, folder):
        _discard(place / STAGING)
    if not (changes or private):
        return
    removed = [change.path for change in changes if change.kind == "removed"]
    writes = {path: (text, _PRIVATE) for path, text in private.items()}
    for change in changes:
        if change.kind != "removed":
            writes[change.path] = (files[change.path].text, files[change.path].mode)
    made: list[Path] = []
    try:
        make_folder(folder.parent, made)
        try:
            _at_once(writes, removed, folder)
        except OSError as error:
            if error.errno in _DISK:
                raise
            # whatever was in the way: this needs less, and if it fails too, its error is told
            _one_by_one(writes, removed, folder, made)
    except OSError as error:
        for parent in reversed(made):
            with contextlib.suppress(OSError):
                parent.rmdir()
        message = f"{_named(error, folder, output)}: cannot be written: {error.strerror}"
        raise InputError(message, "Nothing was changed.") from error


def _at_once(writes: _Writes, removed: Sequence[str], folder: Path) -> None:
    """Build the new tree beside `folder`, and exchange them. Raises OSError if it cannot be."""
    if Path.cwd().is_relative_to(folder):
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), folder)
    there = folder.exists()
    with _staging(folder.parent) as new:
        kept = link(folder, new, {*writes, *removed}) if there else {}
        for path, (text, mode) in writes.items():
            _write(new / path, text, mode)
        for path in removed:
            _prune(new, path)
        touched = {above for path in (*writes, *removed) for above in PurePosixPath(path).parents}
        for untouched in kept.keys() - touched:
            os.utime(new / untouched, ns=kept[untouched])
        if there:
            exchange(new, folder)
        else:
            new.rename(folder)


def _one_by_one(writes: _Writes, removed: Sequence[str], folder: Path, made: list[Path]) -> None:
    """Write everything inside of `folder`, then rename each file to its place."""
    make_folder(folder, made)
    with _staging(folder) as new:
        for path, (text, mode) in writes.items():
            _write(new / path, text, mode)
            make_folder((folder / path).parent, made)
        try:
            for path in sorted(writes, key=lambda path: _turn(path, writes[path][1])):
                if path != MANIFEST:
                    (new / path).replace(folder / path)
            for path in removed:
                (folder / path).unlink()
                _prune(folder, path)
            if MANIFEST in writes:
                (new / MANIFEST).replace(folder / MANIFEST)
        except OSError as error:
            message = f"{error.filename}: {error.strerror}: some files are new, some are old"
            raise InputError(message, "Run `mpigen render` again.") from error


def _named(error: OSError, folder: Path, output: Path) -> Path:
    """What an error is about, as the user names it: `output` is what was said for `folder`."""
    place = Path(os.fsdecode(error.filename or folder))
    if STAGING in place.parts:
        return output
    above = folder.parent
    return output.parent / place.relative_to(above) if place.is_relative_to(above) else place


def _turn(path: str, mode: int) -> int:
    """What git ignores comes before what it must not see, a private key before its public half.

    A public half alone would tell the next render that the private one is somewhere else.
    """
    return 0 if path == _IGNORE else 1 if mode == _PRIVATE else 2


@contextlib.contextmanager
def _staging(beside: Path) -> Iterator[Path]:
    """A new folder's path, in a folder of its own that git takes nothing of; gone at the end."""
    staging = beside / STAGING
    try:
        staging.mkdir(mode=0o700)
        (staging / _IGNORE).write_text("*\n", encoding="utf-8")
        yield staging / "new"
    finally:
        _discard(staging)


def _discard(staging: Path) -> None:
    """Remove a staging folder, what git ignores it by at last; leave what is not to be removed."""
    with contextlib.suppress(OSError):
        if staging.is_symlink():
            staging.unlink()
        elif os.path.lexists(staging / "new"):
            shutil.rmtree(staging / "new")
        (staging / _IGNORE).unlink(missing_ok=True)
        staging.rmdir()


def _write(target: Path, text: str, mode: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        os.fchmod(descriptor, mode)
        file.write(text)
        if mode == _PRIVATE:
            file.flush()
            os.fsync(descriptor)


def _prune(root: Path, path: str) -> None:
    """Remove the folders that held file `path` of `root` and are empty now."""
    for parent in PurePosixPath(path).parents:
        place = root / parent
        if place == root or (place.exists() and any(place.iterdir())):
            return
        if place.exists():
            place.rmdir()
