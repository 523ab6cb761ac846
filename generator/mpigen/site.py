"""A site on disk -> what its render would write: all that lies left of output/, in one call.

A site is a folder with mpigen.yaml and, if it wants, `templates/`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mpigen import keys
from mpigen.cluster import Cluster, plan
from mpigen.load import load
from mpigen.output import with_manifest
from mpigen.render import File, render
from mpigen.templates import Templates


@dataclass(frozen=True)
class Site:
    """Where a site's files are: its layers of mpigen.yaml, and the folder of its artifacts.

    The folder of the first layer is the site's own.
    """

    configs: tuple[Path, ...]
    output: Path

    @property
    def folder(self) -> Path:
        """The folder that holds mpigen.yaml, app/ and templates/."""
        return self.configs[0].parent


@dataclass(frozen=True)
class Rendered:
    """What a render would write: every artifact by its path below output/, and new private keys.

    `warnings` are what the user should know and may have meant, a sentence each.
    """

    cluster: Cluster
    files: Mapping[str, File]
    private: Mapping[str, str]
    warnings: tuple[str, ...] = ()


def at(configs: Sequence[Path], output: Path | None) -> Site:
    """The site of those files; its artifacts go to output/ beside the first unless said."""
    return Site(tuple(configs), output or configs[0].parent / "output")


def render_site(site: Site) -> Rendered:
    """Load, plan and render `site` in memory. Reads only.

    Raises InputError for what the user wrote wrong, with file and line.
    """
    cluster = plan(load(*site.configs))
    own = keys.ensure(site.output)
    files = render(cluster, own.public, Templates(site.folder / "templates"))
    return Rendered(cluster, with_manifest(files), own.new_private)
