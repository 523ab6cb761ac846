"""Folder trees: copied by hard links, and exchanged atomically."""

import errno
import os
import shutil
from collections.abc import Set as AbstractSet
from pathlib import Path, PurePosixPath

# linux/fcntl.h and linux/fs.h; see renameat2(2)
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def link_tree(
    old: Path, new: Path, left_out: AbstractSet[str]
) -> dict[PurePosixPath, tuple[int, int]]:
    """Copy the tree `old` to `new` by hard links, without the files `left_out`.

    Returns each folder's access and modification time (ns) in `old`. Raises OSError if anything
    cannot be preserved as it is.
    """
    device = old.stat().st_dev
    kept: dict[PurePosixPath, tuple[int, int]] = {}
    folders = [PurePosixPath()]
    for folder in folders:  # the list grows in the loop
        source, target = old / folder, new / folder
        old_stat = source.lstat()
        if old_stat.st_dev != device or not os.access(source, os.R_OK | os.W_OK | os.X_OK):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), source)
        kept[folder] = (old_stat.st_atime_ns, old_stat.st_mtime_ns)
        target.mkdir()
        new_stat = target.stat()
        if (new_stat.st_uid, new_stat.st_gid) != (old_stat.st_uid, old_stat.st_gid):
            os.chown(target, old_stat.st_uid, old_stat.st_gid)
        # before any file is written, since new files inherit the folder's group and access list
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
    """Exchange two folders atomically. Raises OSError if that is not possible."""
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
    """Create `folder` and its missing parents, and append each to `made`."""
    for missing in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
        missing.mkdir(exist_ok=True)
        made.append(missing)
