"""`mpigen render`: mpigen.yaml in, artifacts out."""

from pathlib import Path

import typer


def render(
    config: Path = typer.Option(Path("mpigen.yaml"), "--config", "-c", help="The site's file."),
    output: Path | None = typer.Option(
        None, "--output", "-o", help="Where to write; default output/ beside the site's file."
    ),
    force: bool = typer.Option(False, "--force", help="Overwrite files that were edited by hand."),
) -> None:
    """Write the cluster's Docker artifacts.

    Files that do not differ are left alone, files edited by hand are never overwritten unasked.
    """
    from mpigen import keys, templates
    from mpigen.cluster import plan
    from mpigen.errors import CheckFailed
    from mpigen.load import load
    from mpigen.output import apply, compare, with_manifest
    from mpigen.render import render as render_files

    cluster = plan(load(config))
    site = config.parent
    folder = output or site / "output"
    own = keys.ensure(folder)
    files = with_manifest(
        render_files(cluster, own.public, templates.Templates(site / "templates"))
    )
    changes = compare(files, folder)
    edited = [change.path for change in changes if change.edited]
    if edited and not force:
        raise CheckFailed(
            "edited by hand since mpigen wrote them, nothing was changed:\n"
            + "\n".join(f"  {folder / path}" for path in edited),
            "Move the edit into the site's templates/, or bring the files back with "
            "`git checkout`, or overwrite them with `mpigen render --force`.",
        )
    apply(changes, files, own.new_private, folder)
    for change in changes:
        typer.echo(f"{change.kind:>8}  {folder / change.path}")
    for path in own.new_private:
        typer.echo(f"     new  {folder / path} (private: git ignores it, keep a copy)")
    same = len(files) - sum(change.kind != "removed" for change in changes)
    typer.echo(
        f"{cluster.name}: {cluster.replicas} containers, {cluster.slots} slots; "
        f"{len(changes)} files changed, {same} unchanged"
    )
    typer.echo(f"next: sh {folder}/scripts/build.sh")
