"""Where the paths of a site lead once symlinks are followed."""

import os
from pathlib import Path

from mpigen.errors import InputError
from mpigen.untrusted.quoting import clip

_OUT = "Replace it with a copy: a site's links must stay inside the site."


def leads_out(path: Path, root: Path) -> bool:
    """Whether `path` lies outside the folder `root` once all symlinks are followed."""
    return not real(path).is_relative_to(real(root))


def refuse_leading_out(path: Path, root: Path) -> None:
    """Raise InputError if `path` leads out of the folder `root`."""
    if leads_out(path, root):
        where = clip(str(real(path)))
        raise InputError(f"{path}: is a link that leads out of the site, to {where}", _OUT)


def refuse_link(folder: Path) -> None:
    """Raise InputError if `folder` is a symlink, or neither a folder nor missing."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        hint = "Nothing was written. Move it away."
        raise InputError(f"{folder} is a file or a symlink, but should be a folder", hint)


def root_of(path: Path, site: Path) -> Path:
    """Return the folder that the file `path`, named by the user, must not lead out of.

    It is the site, or the file's own folder if the user names one outside of the site.
    """
    return site if _absolute(path).is_relative_to(_absolute(site)) else path.parent


def output_folder(site: Path, named: Path | None) -> Path:
    """Return the folder to render to: `named` (-o), or output/ in the folder `site`.

    Raises InputError if symlinks take it out of the site, to the site itself or into .git. A
    place that `named` names without symlinks, or that is outside of the site, is the user's choice.
    """
    folder = named or site / "output"
    if not (written := _absolute(folder)).is_relative_to(_absolute(site)):
        return folder
    top, leads_to = real(site), real(folder)
    if leads_to == top / written.relative_to(_absolute(site)):
        return folder
    hint = f"Replace the link by a folder, or name its target: -o {clip(str(leads_to))}"
    if leads_to == top or not leads_to.is_relative_to(top):
        raise InputError(f"{folder} is a link that leads out of the site", hint)
    if any(is_git(part) for part in leads_to.relative_to(top).parts):
        raise InputError(f"{folder} is a link that leads into .git", hint)
    return folder


def is_git(name: str) -> bool:
    """Whether a file or folder called `name` is git's own, on any file system."""
    return name.lower() == ".git"


def real(path: Path) -> Path:
    """Return the absolute path with all symlinks followed, as far as it exists."""
    return Path(os.path.realpath(path))


def _absolute(path: Path) -> Path:
    # without following symlinks: as the user has written it
    return Path(os.path.abspath(path))  # noqa: PTH100
