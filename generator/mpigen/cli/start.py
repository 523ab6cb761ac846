"""`mpigen init`, `validate` and `schema`: a new site, and the rules of mpigen.yaml."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from mpigen.cli.options import CONFIG_FILES, JSON, SITE_OUTPUT
from mpigen.errors import InputError

if TYPE_CHECKING:
    from mpigen.config.project import Project


def init(
    folder: Path = typer.Argument(
        Path(), metavar="DIR", help="The folder; it is created if it does not exist."
    ),
    ci: Literal["github", "gitlab", "none"] | None = typer.Option(
        None,
        "--ci",
        help="Write a CI file that checks output/. "
        "Default: github if DIR is the root of a git repository, else none.",
    ),
) -> None:
    """Start a site in DIR, for the program in it or with an example program in app/.

    Writes mpigen.yaml with every field, its schema for editors, .gitignore, and in the root of a
    git repository a CI file. Existing files are kept. Programs are recognised by a Makefile,
    CMakeLists.txt, requirements.txt, pyproject.toml, environment.yml, or their sources.
    """
    from mpigen.config import project, starter

    found = project.find(folder)
    name = starter.site_name(folder)
    has_others = starter.holds_anything(folder)
    # in other folders GitHub would not read it
    ci = ci or ("github" if starter.is_repository(folder) else "none")
    every = starter.new_site(name, ci, found)
    kept = starter.present(every, folder)
    files = {path: text for path, text in every.items() if path not in kept}
    starter.write(files, folder)
    kept += [found.source] if found and found.source != "." else []
    for path in kept:
        typer.echo(f"    kept  {folder / path}")
    for path in files:
        typer.echo(f"     new  {folder / path}")
    if ci != "none" and (pipeline := starter.CI_FILES[ci]) in files:
        typer.echo(
            "CI needs mpigen itself: commit a wheel by `pip wheel --no-deps -w ci PATH_OF_MPIGEN`,"
            f" or set MPIGEN in {folder / pipeline} to a checkout or a git+https:// URL"
            " (docs/committing.md)"
        )
    if missing := starter.not_ignored(folder):
        typer.echo(f"{folder / '.gitignore'} was kept: add {', '.join(missing)}")
    first = ""
    if "mpigen.yaml" in files:
        if name != folder.resolve().name:
            typer.echo(f"name: {name}")
        if found:
            _say_found(found, folder, files["mpigen.yaml"])
            first = "fill in that line, then " if found.plan.example else ""
        elif has_others:
            _say_example(folder, files["mpigen.yaml"])
    here = folder.resolve() == Path.cwd()
    cd = "" if here else f"cd {shlex.quote(str(folder))} && "
    typer.echo(f"next: {first}{cd}mpigen render")


def _say_found(found: "Project", folder: Path, text: str) -> None:
    """Say what init has found, how it will be built, and what is left to fill in."""
    from mpigen.config.starter import line_of

    plan = found.plan
    where = "" if found.source == "." else f"in {found.source}/ "
    built = f"; built with `{plan.build}`" if plan.build and len(plan.build) < 60 else ""
    python = f"; Python packages: {', '.join(plan.python)}" if plan.python else ""
    typer.echo(f"found {where}{plan.kind}{built}{python}")
    site = folder / "mpigen.yaml"
    compilers = line_of(text, "image", "build_packages")
    if plan.example:
        number = line_of(text, "app", "build")
        typer.echo(
            f"mpigen does not know how to build it: fill in app.build, line {number} of {site}."
            " Remove its #, and give it commands that put the program into $BINDIR, for example"
            f" `{plan.example}`. Compilers go into image.build_packages (line {compilers})"
        )
    if plan.libraries:
        typer.echo(
            f"it uses {', '.join(plan.libraries)}: name their Debian packages in"
            f" image.build_packages (line {compilers} of {site}) and image.packages"
            f" (line {line_of(text, 'image', 'packages')})"
        )
    for note in plan.notes:
        typer.echo(f"{note} (line {line_of(text, 'app', 'python')} of {site})")
    if plan.program:
        typer.echo(f"once it is deployed: mpigen run -- {plan.program}")


def _say_example(folder: Path, text: str) -> None:
    """Say that a folder's own files were not taken for a program."""
    from mpigen.config.starter import line_of

    source, build, check = (line_of(text, "app", each) for each in ("source", "build", "check"))
    typer.echo(
        "found no program that mpigen knows: wrote an example into app/. For your own, set"
        f" app.source and app.build (lines {source} and {build} of {folder / 'mpigen.yaml'}),"
        f" and remove app.check (line {check})"
    )


def validate(
    config: list[Path] = CONFIG_FILES,
    output: Path | None = SITE_OUTPUT,
    as_json: bool = JSON,
) -> None:
    """Check a site and report every problem; write nothing.

    The artifacts are rendered in memory, so a site that passes can be rendered. Exits 2 if there
    is a problem.
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
    of: Literal["site", "job"] = typer.Argument(
        "site",
        metavar="[site|job]",
        help="The schema of mpigen.yaml (site), or of a file for mpigen run -f (job).",
    ),
    markdown: bool = typer.Option(
        False, "--markdown", help="Print the reference of the fields in Markdown instead."
    ),
) -> None:
    """Print the JSON Schema of mpigen.yaml, or of a job's file.

    The schema is of draft 2020-12. Editors use it to complete and check the file, as in a site
    that mpigen init made.
    """
    from mpigen.config import docs, job_file
    from mpigen.config.schema import schema_text

    if of == "job":
        typer.echo(docs.job_markdown() if markdown else job_file.schema_text(), nl=False)
        return
    typer.echo(docs.markdown() if markdown else schema_text(), nl=False)
