"""Writing artifacts to a folder, all or nothing: a new tree is made beside it, and the two swapped.

Unchanged files, and those that mpigen did not make, are hard links in the new tree, so that nothing
of them changes. A render that is killed leaves the old tree or the new one, and `.mpigen-staging`
beside it, which git ignores and the next render removes. After a power cut the file system may
have less: `mpigen render` writes it again.
"""

import contextlib
import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mpigen.errors import InputError
from mpigen.output import MANIFEST, Change
from mpigen.render import File

STAGING = ".mpigen-staging"

# renameat2(2), linux/fs.h
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
# Folders cannot be swapped: another system or file system, a mount point, links that are
# forbidden, a parent folder that cannot be written
_NO_SWAP = {
    *(errno.ENOSYS, errno.EINVAL, errno.EBUSY, errno.EXDEV, errno.EPERM, errno.EACCES),
    *(errno.EROFS, errno.EMLINK, errno.EOPNOTSUPP),
}


@dataclass(frozen=True)
class _Work:
    """What is to be done to a folder: texts and modes to write, and paths to remove."""

    folder: Path
    writes: dict[str, tuple[str, int]]
    removes: frozenset[str]


@contextlib.contextmanager
def alone(folder: Path, wait: Callable[[], None]) -> Iterator[None]:
    """Keep other renders away from `folder`, and remove what a killed one has left beside it.

    Calls `wait` before it waits for another render to end.
    """
    parent = folder.resolve().parent
    nearest = next(each for each in (parent, *parent.parents) if each.is_dir())
    handle = os.open(nearest, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            wait()
            fcntl.flock(handle, fcntl.LOCK_EX)
        for place in (parent, folder.resolve()):
            _clear(place / STAGING)
        yield
    finally:
        os.close(handle)


def apply(
    changes: list[Change], files: Mapping[str, File], private: Mapping[str, str], folder: Path
) -> None:
    """Write `changes` and the new private keys (mode 0600) to `folder`, all of it or nothing.

    Where folders cannot be swapped (a mount point, the folder that this process is in, an old
    file system) the files are renamed into place one by one, the manifest last: a kill in
    between leaves some of each, and the next render the new tree. Raises InputError if the disk
    is full or read-only; nothing is changed then.
    """
    if not (changes or private):
        return
    given, folder = folder, folder.resolve()
    writes = {path: (text, 0o600) for path, text in private.items()}
    for change in changes:
        if change.kind != "removed":
            writes[change.path] = (files[change.path].text, files[change.path].mode)
    removes = frozenset(change.path for change in changes if change.kind == "removed")
    work = _Work(folder, writes, removes)
    made: list[Path] = []
    try:
        _make_folder(folder.parent, made)
        try:
            _swap(work)
        except OSError as error:
            if error.errno not in _NO_SWAP or not folder.is_dir():
                raise
            _one_by_one(work)
    except OSError as error:
        for parent in reversed(made):
            with contextlib.suppress(OSError):
                parent.rmdir()
        where = str(error.filename or folder).replace(f"/{STAGING}/new", f"/{folder.name}")
        where = where.replace(str(folder), str(given)).replace(
            str(folder.parent), str(given.parent)
        )
        message = f"{where}: cannot be written: {error.strerror}"
        raise InputError(message, "Nothing was changed.") from error


def _swap(work: _Work) -> None:
    folder = work.folder
    with _staging(folder.parent) as new:
        _write_new(work, new)
        if not folder.exists():
            new.rename(folder)
            return
        if Path.cwd().is_relative_to(folder):
            # the shell that this was called from would be left in a folder that is gone
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(folder))
        _mirror(folder, new, work)
        _exchange(new, folder)


def _one_by_one(work: _Work) -> None:
    made: list[Path] = []
    with _staging(work.folder) as new:
        _write_new(work, new)
        try:
            for path in work.writes:
                _make_folder((work.folder / path).parent, made)
        except OSError:
            for parent in reversed(made):
                parent.rmdir()
            raise
        try:
            for path in sorted(work.writes, key=lambda path: path == MANIFEST):
                (new / path).replace(work.folder / path)
            for path in work.removes:
                _remove(work.folder, path)
        except OSError as error:
            message = f"{error.filename}: {error.strerror}: some files are new, some are old"
            raise InputError(message, "Run `mpigen render` again.") from error


@contextlib.contextmanager
def _staging(place: Path) -> Iterator[Path]:
    """A folder for the new tree, in one that git ignores: private keys pass through it."""
    staging = place / STAGING
    new = staging / "new"
    try:
        staging.mkdir(mode=0o700)
        (staging / ".gitignore").write_text("*\n", encoding="utf-8")
        new.mkdir()
        yield new
    finally:
        _clear(staging)


def _clear(staging: Path) -> None:
    """Remove a staging folder; what keeps git off goes last."""
    with contextlib.suppress(OSError):
        if staging.is_symlink():
            staging.unlink()
            return
        shutil.rmtree(staging / "new", ignore_errors=True)
        (staging / ".gitignore").unlink(missing_ok=True)
        staging.rmdir()


def _write_new(work: _Work, new: Path) -> None:
    for path, (text, mode) in work.writes.items():
        target = new / path
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            os.fchmod(descriptor, mode)
            file.write(text)
        place = work.folder / path
        if place.is_dir() and not place.is_symlink():
            raise IsADirectoryError(errno.EISDIR, "a folder is in its way", str(place))


def _mirror(old: Path, new: Path, work: _Work, at: str = "") -> bool:
    """Bring what stays of `old` into `new` by hard links, and make the folders alike.

    Returns whether `new` is there: it is not if all that was in it is removed.
    """
    new.mkdir(exist_ok=True)
    touched = False
    for entry in list(os.scandir(old)):
        path = f"{at}{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            touched |= not _mirror(Path(entry.path), new / entry.name, work, f"{path}/")
        elif path in work.writes or path in work.removes:
            touched = True
        else:
            os.link(entry.path, new / entry.name, follow_symlinks=False)
    if touched and not any(new.iterdir()):
        new.rmdir()
        return False
    modified = new.stat()
    shutil.copystat(old, new)
    if touched or _names(old) != _names(new):
        os.utime(new, ns=(modified.st_atime_ns, modified.st_mtime_ns))
    if os.geteuid() == 0:
        owner = old.stat()
        os.chown(new, owner.st_uid, owner.st_gid)
    return True


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _exchange(one: Path, other: Path) -> None:
    import ctypes  # here, since it takes a while, and most renders change nothing

    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), str(other))
    paths = (os.fsencode(one), os.fsencode(other))
    if libc.renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(other))


def _make_folder(folder: Path, made: list[Path]) -> None:
    """Make `folder` and those above it that are missing, and note them in `made`."""
    for missing in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
        missing.mkdir()
        made.append(missing)


def _remove(folder: Path, path: str) -> None:
    """Remove the file, and the folders above it that are empty then."""
    target = folder / path
    target.unlink()
    for parent in target.relative_to(folder).parents:
        if parent == Path() or any((folder / parent).iterdir()):
            return
        (folder / parent).rmdir()
