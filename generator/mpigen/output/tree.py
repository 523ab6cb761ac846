"""Trees of files: a second one by links, two that trade places."""

import errno
import os
import shutil
from collections.abc import Set as AbstractSet
from pathlib import Path, PurePosixPath

# linux/fcntl.h and linux/fs.h; see renameat2(2)
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def link(old: Path, new: Path, left_out: AbstractSet[str]) -> dict[PurePosixPath, tuple[int, int]]:
    """Make `new` the same tree as `old`, by hard links, without the files `left_out`.

    Returns each folder's access and modification time (ns) in `old`. Raises OSError where
    anything could not be kept as it is.
    """
    device = old.stat().st_dev
    kept: dict[PurePosixPath, tuple[int, int]] = {}
    folders = [PurePosixPath()]
    for folder in folders:  # which grows
        source, target = old / folder, new / folder
        was = source.lstat()
        if was.st_dev != device or not os.access(source, os.R_OK | os.W_OK | os.X_OK):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), source)
        kept[folder] = (was.st_atime_ns, was.st_mtime_ns)
        target.mkdir()
        is_ = target.stat()
        if (is_.st_uid, is_.st_gid) != (was.st_uid, was.st_gid):
            os.chown(target, was.st_uid, was.st_gid)
        # before anything is written: what a new file inherits (group, access list) is the folder's
        shutil.copystat(source, target)
        with os.scandir(source) as entries:
            for entry in entries:
                path = folder / entry.name
                if entry.is_dir(follow_symlinks=False):
                    folders.append(path)
                elif path.as_posix() not in left_out:
                    os.link(entry, new / path, follow_symlinks=False)
    return kept


def exchange(one: Path, other: Path) -> None:
    """Let two folders trade places, atomically. Raises OSError where that is not possible."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    # glibc has it since 2.28; musl and macOS do not
    renameat2 = getattr(libc, "renameat2", None)
    if renameat2 is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), other)
    paths = _AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other)
    if renameat2(*paths, _RENAME_EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), other)


def make_folder(folder: Path, made: list[Path]) -> None:
    """Make `folder` and those above it that are missing, and note them in `made`."""
    for missing in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
        missing.mkdir(exist_ok=True)
        made.append(missing)
