"""`mpigen keys`: show, rotate, import and export the cluster's SSH keys."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mpigen.artifacts.paths import HOST_KEY, USER_KEY
from mpigen.cli import where
from mpigen.cli.options import CONFIG_FILES, JSON, SITE_OUTPUT
from mpigen.errors import InputError

if TYPE_CHECKING:
    from mpigen.keys.keyring import Status
    from mpigen.keys.pair import Keys
    from mpigen.site import Rendered, Site

app = typer.Typer(
    help="Show, rotate, import and export the cluster's SSH keys.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("status")
def status(
    config: list[Path] = CONFIG_FILES,
    output: Path | None = SITE_OUTPUT,
    as_json: bool = JSON,
) -> None:
    """Show both keys, whether their private halves are here and valid, and whether output/ uses
    them.

    Exits 1 if a key has a problem.
    """
    from mpigen import site
    from mpigen.artifacts import manifest
    from mpigen.cli import show
    from mpigen.config.load import load
    from mpigen.errors import CheckFailed
    from mpigen.keys import keyring

    own = site.at(config, output)
    delivery = load(*own.configs).ssh.delivery
    rows = keyring.status(own.output, manifest.read(own.output).keys)
    if as_json:
        listing = [{**row.__dict__, "delivery": delivery} for row in rows]
        typer.echo(json.dumps(listing, indent=2))
    else:
        show.table(
            ("key", "fingerprint", "delivery", "rendered", "private half"),
            [
                (
                    row.key,
                    row.fingerprint or "none",
                    delivery,
                    "yes" if row.rendered else "no",
                    "problem" if row.problem else row.private,
                )
                for row in rows
            ],
        )
    wrong = [row.problem for row in rows if row.problem]
    if wrong:
        raise CheckFailed("\n".join(wrong))
    if not as_json:
        _say_next(rows, "a build" if delivery == "image" else "a deploy")


def _say_next(rows: "list[Status]", wants: str) -> None:
    if any(not row.fingerprint for row in rows):
        typer.echo("next: mpigen render, which makes them")
    elif any(not row.rendered for row in rows):
        typer.echo("next: mpigen render, which puts them into the other artifacts")
    elif any(row.private == "not here" for row in rows):
        typer.echo(f"next: mpigen keys import DIR, with the private halves; {wants} needs them")


@app.command("rotate")
def rotate(config: list[Path] = CONFIG_FILES, output: Path | None = SITE_OUTPUT) -> None:
    """Make new keys, and render the files with their public halves.

    The old keys are removed. A running cluster keeps its own until you deploy it again.
    """
    from mpigen import site
    from mpigen.keys import pair

    own = site.at(config, output)
    build, deploy = (where.again(verb, own.output) for verb in ("build", "deploy"))
    in_image = _replace(own, pair.new()).cluster.ssh.delivery == "image"
    typer.echo(f"next: {build} && {deploy}" if in_image else f"next: {deploy}")


@app.command("import")
def import_(
    folder: Path = typer.Argument(metavar="DIR", help=f"Folder with {USER_KEY} and {HOST_KEY}."),
    config: list[Path] = CONFIG_FILES,
    output: Path | None = SITE_OUTPUT,
    force: bool = typer.Option(False, "--force", help="Overwrite the cluster's private keys."),
) -> None:
    """Check keys in DIR, take them, and render the files with their public halves."""
    from mpigen import site
    from mpigen.keys import keyring

    own = site.at(config, output)
    given = keyring.read(folder)
    lost = keyring.overwritten(own.output, given)
    if lost and not force:
        files = ", ".join(map(str, lost))
        hint = "Keep a copy (mpigen keys export DIR), then add --force."
        raise InputError(f"other private keys are there already: {files}", hint)
    delivery = _replace(own, given).cluster.ssh.delivery
    typer.echo(f"next: {where.again('build' if delivery == 'image' else 'deploy', own.output)}")


@app.command("export")
def export(
    folder: Path = typer.Argument(
        metavar="DIR", help="Folder; if it does not exist, it is created for you alone."
    ),
    config: list[Path] = CONFIG_FILES,
    output: Path | None = SITE_OUTPUT,
) -> None:
    """Copy both pairs to DIR, for another machine or a backup. Nothing is overwritten."""
    from mpigen import site
    from mpigen.keys import keyring

    own = site.at(config, output)
    for path in keyring.export(own.output, folder):
        typer.echo(f"     new  {path}")
    typer.echo(f"next, on the other machine: mpigen keys import {folder}")


def _replace(own: "Site", given: "Keys") -> "Rendered":
    """Render the site `own` with other keys, all or nothing; return the rendered files."""
    from mpigen import site
    from mpigen.cli import show
    from mpigen.cli.render import refuse_edited
    from mpigen.output import write
    from mpigen.output.compare import compare
    from mpigen.output.lock import write_lock

    with write_lock(own.output, lambda line: typer.echo(line, err=True)):
        rendered = site.render_site(own, given)
        changes = compare(rendered.files, own.output)
        refuse_edited(own, rendered, changes)
        write.apply(changes, rendered.files, rendered.private, own.output)
    for path in given.new_private:
        typer.echo(f"     new  {own.output / path} (private: git ignores it, keep a copy)")
    for change in changes:
        typer.echo(f"{change.kind:>8}  {own.output / change.path}")
    for warning in rendered.warnings:
        show.warn(warning)
    return rendered
