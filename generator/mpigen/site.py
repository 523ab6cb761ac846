"""A site on disk -> the files that its render would write: the whole left half in one call.

A site is a folder with mpigen.yaml and, optionally, `templates/`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mpigen.artifacts import folder, manifest
from mpigen.artifacts.folder import Artifacts, Group
from mpigen.artifacts.manifest import File
from mpigen.artifacts.paths import MANIFEST, STACK
from mpigen.cluster.doubts import doubts
from mpigen.cluster.model import Cluster
from mpigen.cluster.plan import plan
from mpigen.config.document import MOST_PROBLEMS, dotted
from mpigen.config.load import load
from mpigen.errors import InputError
from mpigen.keys import pair
from mpigen.render.files import BUILTIN
from mpigen.render.overrides import changed_builtins
from mpigen.render.render import render
from mpigen.render.stack_guard import violated_requirements
from mpigen.render.templates import Templates
from mpigen.stackfile.deployable import undeployable
from mpigen.stackfile.schema import file_problems
from mpigen.untrusted.places import output_folder
from mpigen.untrusted.yaml_limits import load_artifact


class Site(NamedTuple):
    """The paths of a site: its layers of mpigen.yaml, and the folder of its artifacts.

    The folder of the first layer is the site's own.
    """

    configs: tuple[Path, ...]
    output: Path

    @property
    def folder(self) -> Path:
        """The folder that holds mpigen.yaml, app/ and templates/."""
        return self.configs[0].parent


class Rendered(NamedTuple):
    """The result of a render: every artifact by its path below output/, and new private keys.

    `warnings` has a sentence for each doubtful setting, which the user may have intended.
    """

    cluster: Cluster
    files: Mapping[str, File]
    private: Mapping[str, str]
    warnings: tuple[str, ...] = ()


def at(configs: Sequence[Path], output: Path | None) -> Site:
    """Return the site of `configs`; `output` defaults to output/ beside the first of them.

    Raises InputError if symlinks take it out of the site or into .git.
    """
    return Site(tuple(configs), output_folder(configs[0].parent, output))


def render_site(site: Site, own: pair.Keys | None = None) -> Rendered:
    """Load, plan and render `site` in memory, with the keys `own` or else the site's. Reads only.

    Raises InputError with file and line for mistakes of the user.
    """
    cluster = plan(load(*site.configs))
    pair.refuse_unsafe_folder(site.output)
    own = own or pair.ensure(site.output)
    recorded = manifest.read(site.output)
    templates = Templates(site.folder / "templates", recorded.overrides, recorded.version)
    files = render(cluster, own.public, templates)
    overrides = templates.overrides()
    warnings = [
        *doubts(cluster),
        *_check_stack(files[STACK], cluster),
        *(
            f"mpigen has changed {now} since it was overridden here: `mpigen templates diff` "
            f"shows it before a render, git diff {site.output / MANIFEST} after one"
            for _, now in changed_builtins(overrides, recorded.overrides)
        ),
    ]
    return Rendered(
        cluster,
        manifest.with_manifest(
            files,
            own.public.fingerprints(),
            overrides,
            folder.record(_artifacts(cluster, site.output)),
        ),
        own.new_private,
        tuple(warnings),
    )


def _artifacts(cluster: Cluster, output: Path) -> Artifacts:
    """Return the cluster as the manifest records it, for the commands that talk to Docker."""
    groups = tuple(
        Group(
            name=each.name,
            mode=each.mode,
            replicas=each.replicas,
            slots=each.slots,
            variant=each.variant.name if each.variant else "",
        )
        for each in cluster.groups
    )
    return Artifacts(
        folder=output,
        name=cluster.name,
        mpi=cluster.mpi.name,
        image=cluster.tag,
        network=cluster.network.name,
        external=cluster.network.external,
        subnet=cluster.subnet,
        port=cluster.ssh.port,
        delivery=cluster.ssh.delivery,
        distribute=cluster.image.distribute,
        endpoints=dict(cluster.image.endpoints),
        engine=".".join(map(str, cluster.engine)),
        source=cluster.app.source if cluster.app else None,
        ca=cluster.image.ca,
        groups=groups,
        shared=tuple(mount.target for mount in cluster.mounts if mount.shared),
        untried=cluster.untried,
        platforms=tuple(cluster.image.platforms),
    )


def _check_stack(file: File, cluster: Cluster) -> list[str]:
    """Return a sentence per requirement of MPI or security that the site's stack.yml breaks.

    Raises InputError if `docker stack deploy` would refuse it. mpigen's own is not checked.
    """
    if file.template.startswith(BUILTIN) and not cluster.additions:
        return []
    document = load_artifact(file.text, file.template)
    wrong = [
        f"{file.template} gives a {STACK} with {dotted(path)}: {message}"
        for path, message in file_problems(document, cluster.engine) or undeployable(document)
    ]
    if wrong:
        more = [f"and {len(wrong) - MOST_PROBLEMS:,} more mistakes"] * (len(wrong) > MOST_PROBLEMS)
        raise InputError("\n".join([*wrong[:MOST_PROBLEMS], *more]))
    return violated_requirements(document, cluster)
