"""`mpigen render`: mpigen.yaml in, artifacts out."""

from pathlib import Path

import typer


def render(
    config: list[Path] = typer.Option(
        [Path("mpigen.yaml")], "--config", "-c", help="The site's file."
    ),
    output: Path | None = typer.Option(
        None, "--output", "-o", help="Where to write; default output/ beside the site's file."
    ),
    force: bool = typer.Option(False, "--force", help="Overwrite files that were edited by hand."),
) -> None:
    """Write the cluster's Docker artifacts.

    Files that do not differ are left alone, files edited by hand are never overwritten unasked.
    """
    from mpigen import site
    from mpigen.errors import CheckFailed
    from mpigen.output import apply, compare

    own = site.at(config, output)
    folder = own.output
    rendered = site.render_site(own)
    changes = compare(rendered.files, folder)
    edited = [change.path for change in changes if change.edited]
    if edited and not force:
        raise CheckFailed(
            "edited by hand since mpigen wrote them, nothing was changed:\n"
            + "\n".join(f"  {folder / path}" for path in edited),
            "Move the edit into the site's templates/, or bring the files back with "
            "`git checkout`, or overwrite them with `mpigen render --force`.",
        )
    apply(changes, rendered.files, rendered.private, folder)
    for change in changes:
        typer.echo(f"{change.kind:>8}  {folder / change.path}")
    for path in rendered.private:
        typer.echo(f"     new  {folder / path} (private: git ignores it, keep a copy)")
    same = len(rendered.files) - sum(change.kind != "removed" for change in changes)
    typer.echo(
        f"{rendered.cluster.name}: {rendered.cluster.replicas} containers, "
        f"{rendered.cluster.slots} slots; {len(changes)} files changed, {same} unchanged"
    )
    typer.echo(f"next: sh {folder}/scripts/build.sh")
