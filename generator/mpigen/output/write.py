"""Writing a render to its folder, all or nothing.

The new tree is built beside output/, with hard links to all unchanged files, and one system call
exchanges the two folders. A reader always sees the old tree or the new one, even if the render is
killed. A shell or container inside output/ stays in the old one.

If that is impossible, the files are renamed one by one, the manifest last: without Linux; on a
file system that cannot exchange folders or link files; if output/ is or contains a mount point;
if its parent folder cannot be written; with files of other users; and if mpigen's own working
directory is inside output/, since the user's shell would be left in a deleted folder. This way is
not atomic: if it is killed half-way, the next render finishes it.

Only private keys are synced to disk, since git does not have them: a power cut may leave other new
files empty, which `render --check` reports, and `render --force` or git restores.
"""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from mpigen.artifacts.manifest import File
from mpigen.artifacts.paths import IGNORE, MANIFEST
from mpigen.errors import InputError
from mpigen.output.compare import Change, resolve_folder
from mpigen.output.tree import exchange, link_tree, make_folder

STAGING = ".mpigen-staging"
_PRIVATE = 0o600
_PRIVATE_FOLDER = 0o700

# errors that renaming the files one by one would not avoid
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}

_Writes = Mapping[str, tuple[str, int]]


def apply(
    changes: Sequence[Change], files: Mapping[str, File], private: Mapping[str, str], output: Path
) -> None:
    """Write `changes` and the new private keys (mode 0600) to `output`, and prune removed files.

    The caller holds the write lock of `output` (lock.py). Leftovers of a killed render are removed
    first; without changes nothing else is touched. Raises InputError if the disk is full or the
    folder cannot be written; nothing is changed then, unless the message says so.
    """
    folder = resolve_folder(output)
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
            _swap_trees(writes, removed, folder)
        except OSError as error:
            if error.errno in _DISK:
                raise
            # whatever the cause, this needs less; if it fails as well, its error is reported
            _rename_files(writes, removed, folder, made)
    except OSError as error:
        for parent in reversed(made):
            with contextlib.suppress(OSError):
                parent.rmdir()
        message = f"{_as_user_names_it(error, folder, output)}: cannot be written: {error.strerror}"
        raise InputError(message, "Nothing was changed.") from error


def _swap_trees(writes: _Writes, removed: Sequence[str], folder: Path) -> None:
    """Build the new tree beside `folder` and exchange the two. Raises OSError if it cannot."""
    if Path.cwd().is_relative_to(folder):
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), folder)
    exists = folder.exists()
    with _staging(folder.parent) as new:
        kept = link_tree(folder, new, {*writes, *removed}) if exists else {}
        for path, (text, mode) in writes.items():
            _write(new / path, text, mode)
        for path in removed:
            _prune(new, path)
        touched = {above for path in (*writes, *removed) for above in PurePosixPath(path).parents}
        for untouched in kept.keys() - touched:
            os.utime(new / untouched, ns=kept[untouched])
        if exists:
            exchange(new, folder)
        else:
            new.rename(folder)


def _rename_files(writes: _Writes, removed: Sequence[str], folder: Path, made: list[Path]) -> None:
    """Write all files into a folder inside `folder`, then rename each to its place."""
    make_folder(folder, made)
    with _staging(folder) as new:
        for path, (text, mode) in writes.items():
            _write(new / path, text, mode)
            make_folder((folder / path).parent, made)
            if mode == _PRIVATE:
                (folder / path).parent.chmod(_PRIVATE_FOLDER)
        try:
            for path in sorted(writes, key=lambda path: _write_order(path, writes[path][1])):
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


def _as_user_names_it(error: OSError, folder: Path, output: Path) -> Path:
    """Return the path of `error` as the user knows it: `output` is the user's name of `folder`."""
    place = Path(os.fsdecode(error.filename or folder))
    if STAGING in place.parts:
        return output
    above = folder.parent
    return output.parent / place.relative_to(above) if place.is_relative_to(above) else place


def _write_order(path: str, mode: int) -> int:
    """Sort .gitignore before the private keys that it hides, and those before their public halves.

    The next render would take a public half alone for a key whose private half is kept elsewhere.
    """
    return 0 if path == IGNORE else 1 if mode == _PRIVATE else 2


@contextlib.contextmanager
def _staging(beside: Path) -> Iterator[Path]:
    """Yield the path for a new folder inside a git-ignored one, which is removed at the end."""
    staging = beside / STAGING
    try:
        staging.mkdir(mode=0o700)
        (staging / IGNORE).write_text("*\n", encoding="utf-8")
        yield staging / "new"
    finally:
        _discard(staging)


def _discard(staging: Path) -> None:
    """Remove a staging folder, its .gitignore last; leave what cannot be removed."""
    with contextlib.suppress(OSError):
        if staging.is_symlink():
            staging.unlink()
        elif os.path.lexists(staging / "new"):
            shutil.rmtree(staging / "new")
        (staging / IGNORE).unlink(missing_ok=True)
        staging.rmdir()


def _write(target: Path, text: str, mode: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if mode == _PRIVATE:  # before there is a key in it
        target.parent.chmod(_PRIVATE_FOLDER)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        os.fchmod(descriptor, mode)
        file.write(text)
        if mode == _PRIVATE:
            file.flush()
            os.fsync(descriptor)


def _prune(root: Path, path: str) -> None:
    """Remove the folders above the removed file `path` of `root` that are empty now."""
    for parent in PurePosixPath(path).parents:
        place = root / parent
        if place == root or (place.exists() and any(place.iterdir())):
            return
        if place.exists():
            place.rmdir()
