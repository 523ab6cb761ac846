"""`mpigen init`, `validate` and `schema`: a new site, and the rules of mpigen.yaml."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import typer

from mpigen.cli.options import CONFIG_FILES, JSON, SITE_OUTPUT
from mpigen.errors import InputError


def init(
    folder: Path = typer.Argument(Path(), metavar="DIR", help="Made if it is not there."),
    ci: Literal["github", "gitlab", "none"] = typer.Option(
        "github", "--ci", help="Whose CI is to check output/, where DIR is the whole repository."
    ),
) -> None:
    """Start a site in DIR.

    Writes mpigen.yaml with every field in it as a comment, its schema for editors, a first program
    in app/, .gitignore, and a CI file. What the folder already has is left as it is.
    """
    from mpigen.config import starter

    kept = starter.present(folder, ci)
    every = starter.new_site(starter.site_name(folder), ci, own_program="app" in kept)
    files = {path: text for path, text in every.items() if path not in kept}
    starter.write(files, folder)
    for path in kept:
        typer.echo(f"    kept  {folder / path}")
    for path in files:
        typer.echo(f"     new  {folder / path}")
    if ci != "none" and (pipeline := starter.CI_FILES[ci]) in files:
        typer.echo(
            f"CI needs mpigen itself: say in {folder / pipeline} where its wheel is (MPIGEN)"
        )
    here = folder.resolve() == Path.cwd()
    typer.echo(f"next: {'' if here else f'cd {shlex.quote(str(folder))} && '}mpigen render")


def validate(
    config: list[Path] = CONFIG_FILES,
    output: Path | None = SITE_OUTPUT,
    as_json: bool = JSON,
) -> None:
    """Say everything that is wrong with a site, and write nothing.

    The artifacts are rendered in memory, so what passes can be rendered. Exits 2 if something is
    wrong.
    """
    from mpigen import site
    from mpigen.cli import show

    try:
        rendered = site.render_site(site.at(config, output))
    except InputError as error:
        if not as_json:
            raise
        _print_report(errors=_as_rows(error))
        raise typer.Exit(error.exit_code) from error
    cluster = rendered.cluster
    counts = {
        "containers": cluster.replicas,
        "slots": cluster.slots,
        "artifacts": len(rendered.files),
    }
    if as_json:
        _print_report({"name": cluster.name, **counts}, warnings=rendered.warnings)
        return
    for warning in rendered.warnings:
        show.warn(warning)
    summary = ", ".join(f"{count} {what}" for what, count in counts.items())
    typer.echo(f"{cluster.name}: {summary}; valid")


def _as_rows(error: InputError) -> list[dict[str, object]]:
    """One row per mistake; an error without a place in a file is one row without one."""
    if error.faults:
        return [fault._asdict() for fault in error.faults]
    return [dict.fromkeys(("file", "line", "column")) | {"path": "", "message": error.message}]


def _print_report(
    cluster: dict[str, object] | None = None,
    errors: Sequence[dict[str, object]] = (),
    warnings: Sequence[str] = (),
) -> None:
    report = {"valid": not errors, "errors": errors, "warnings": warnings, "cluster": cluster}
    typer.echo(json.dumps(report, indent=2))


def schema(
    markdown: bool = typer.Option(
        False, "--markdown", help="Print the reference of the fields for people instead."
    ),
) -> None:
    """Print the JSON Schema of mpigen.yaml.

    It is of draft 2020-12. Editors complete and check with it, as in the site that init makes.
    """
    from mpigen.config import docs
    from mpigen.config.schema import schema_text

    typer.echo(docs.markdown() if markdown else schema_text(), nl=False)
