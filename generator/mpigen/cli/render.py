"""`mpigen render`: write the artifacts of mpigen.yaml, or report how output/ differs from them."""

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mpigen.artifacts.paths import ATTRIBUTES
from mpigen.cli import options, where
from mpigen.cli.options import SITE_FILE
from mpigen.notation.counts import counted

if TYPE_CHECKING:
    from mpigen.output.compare import Change
    from mpigen.site import Rendered, Site

_CONFIG = options.config_files("The site's file. Repeat it to merge layers, the last one on top.")
_OUTPUT = options.site_output("The folder to write (default: output/ beside the site's file).")
# the words of --check for a file that a render would create, write, or remove
_FOUND = {"new": "missing", "changed": "changed", "mode": "mode", "removed": "extra"}


def render(
    config: list[Path] = _CONFIG,
    output: Path | None = _OUTPUT,
    force: bool = typer.Option(False, "--force", help="Overwrite files that were edited by hand."),
    check: bool = typer.Option(
        False, "--check", help="Write nothing; exit 1 if a render would change anything."
    ),
    diff: bool = typer.Option(
        False, "--diff", help="Write nothing; show what a render would change."
    ),
    as_json: bool = options.json_output("Print the changes as JSON."),
) -> None:
    """Write the cluster's Docker artifacts, all or nothing.

    Unchanged files are left alone. Files edited by hand are overwritten only with --force.
    """
    from mpigen import site
    from mpigen.errors import InputError
    from mpigen.output.compare import compare

    if force and (check or diff):
        raise InputError("--force is for writing; --check and --diff write nothing")
    if diff and as_json:
        raise InputError("--diff and --json cannot be combined")
    own = site.at(config, output)
    from mpigen.output.lock import read_lock, write_lock

    if check or diff:
        with read_lock(own.output, lambda line: typer.echo(line, err=True)):
            rendered = site.render_site(own)
            changes = compare(rendered.files, own.output)
        _show(own, rendered, changes, diff, as_json)
        if check:
            _judge(own, rendered, changes, as_json)
        return
    from mpigen.output import write

    with write_lock(own.output, lambda line: typer.echo(line, err=True)):
        rendered = site.render_site(own)
        changes = compare(rendered.files, own.output)
        if not force:
            refuse_edited(own, rendered, changes)
        write.apply(changes, rendered.files, rendered.private, own.output)
    _show(own, rendered, changes, diff=False, as_json=as_json)
    if not as_json:
        _say(own, rendered, changes)


def refuse_edited(own: "Site", rendered: "Rendered", changes: "list[Change]") -> None:
    """If artifacts were edited by hand, print their diff and raise CheckFailed."""
    from mpigen.cli import show
    from mpigen.errors import CheckFailed
    from mpigen.output.diff import unified

    edited = [change for change in changes if change.edited]
    if not edited:
        return
    show.diff(unified(edited, rendered.files, own.output), err=True)
    raise CheckFailed(
        "edited by hand, so nothing was changed (see above what a render would change):\n"
        + "\n".join(f"  {own.output / change.path}" for change in edited),
        _ways_out(own, rendered, edited),
    )


def _ways_out(own: "Site", rendered: "Rendered", edited: "list[Change]") -> str:
    """The three options for files that were edited by hand."""
    site = [] if own.configs[0] == SITE_FILE else ["-c", str(own.configs[0])]
    move = []
    for path in (change.path for change in edited):
        origin = rendered.files[path].template if path in rendered.files else ""
        template = own.folder / "templates" / origin.partition("/")[2]
        if origin.startswith("templates/"):
            move.append(f"    edit {template}")
        elif origin.startswith("builtin/"):
            command = shlex.join(["mpigen", "templates", "eject", *site, path])
            move.append(f"    {command}   (makes {template})")
    files = shlex.join(str(own.output / change.path) for change in edited)
    return "\n".join(
        [
            "For files edited by hand you have three options:",
            *(["  move the edit into the site's templates:", *move] if move else []),
            f"  overwrite it: {_command(own)} --force",
            f"  restore the version in git: git checkout -- {files}",
        ]
    )


def _command(own: "Site") -> str:
    """The command that renders this site to this folder."""
    words = ["mpigen", "render"]
    if own.configs != (SITE_FILE,):
        words += [word for config in own.configs for word in ("-c", str(config))]
    if own.output != own.folder / "output":
        words += ["-o", str(own.output)]
    return shlex.join(words)


def _show(
    own: "Site", rendered: "Rendered", changes: "list[Change]", diff: bool, as_json: bool
) -> None:
    from mpigen.cli import show

    if as_json:
        found = [
            {
                "path": change.path,
                "kind": _FOUND[change.kind],
                "edited": change.edited,
                "mode": change.mode,
                "endings": change.endings,
            }
            for change in changes
        ]
        report = {"cluster": rendered.cluster.name, "fresh": not changes, "changes": found}
        typer.echo(json.dumps({**report, "warnings": rendered.warnings}, indent=2))
    elif diff:
        from mpigen.output.diff import unified

        if any(change.endings for change in changes):
            show.note("files that differ only in line endings are not shown")
        if rendered.private:
            show.note("render makes new keys; the keys in this diff are discarded")
        show.diff(unified(changes, rendered.files, own.output))
    for warning in rendered.warnings:
        show.warn(warning)


def _judge(own: "Site", rendered: "Rendered", changes: "list[Change]", as_json: bool) -> None:
    """Raise CheckFailed, naming each file, if there are `changes`."""
    from mpigen.artifacts.paths import MANIFEST
    from mpigen.errors import CheckFailed

    if not changes:
        if not as_json:
            typer.echo(
                f"{rendered.cluster.name}: {own.output} is up to date, {len(rendered.files)} files"
            )
        return
    if not (own.output / MANIFEST).exists() and all(change.kind == "new" for change in changes):
        hint = f"Run `{_command(own)}`, and commit the result."
        raise CheckFailed(f"nothing has been rendered to {own.output} yet", hint)
    edited = [change for change in changes if change.edited]
    mend = f"run `{_command(own)}` and commit the result; --diff shows the changes."
    if all(change.endings for change in changes):
        mend = (
            f"run `{_command(own)}`: {own.output / ATTRIBUTES} keeps git from changing them again."
        )
    raise CheckFailed(
        f"{own.output} differs from what `mpigen render` writes:\n"
        + "\n".join(
            f"{_FOUND[change.kind]:>9}  {own.output / change.path}{_note(change, rendered)}"
            for change in changes
        ),
        f"{_ways_out(own, rendered, edited)}\nThen {mend}" if edited else f"R{mend[1:]}",
    )


def _note(change: "Change", rendered: "Rendered") -> str:
    notes = ["edited by hand"] if change.edited else []
    if change.endings:
        notes.append("line endings")
    if change.mode:
        executable = rendered.files[change.path].mode & 0o100
        notes.append(f"should {'' if executable else 'not '}be executable")
    return f" ({', '.join(notes)})" if notes else ""


def _say(own: "Site", rendered: "Rendered", changes: "list[Change]") -> None:
    for change in changes:
        typer.echo(f"{change.kind:>8}  {own.output / change.path}")
    for path in rendered.private:
        typer.echo(f"     new  {own.output / path} (private: git ignores it, keep a copy)")
    same = len(rendered.files) - sum(change.kind != "removed" for change in changes)
    typer.echo(
        f"{rendered.cluster.name}: {counted(rendered.cluster.replicas, 'container')}, "
        f"{counted(rendered.cluster.slots, 'slot')}; {counted(len(changes), 'file')} changed, "
        f"{same} unchanged"
    )
    typer.echo(f"next: {where.again('build', own.output)}")
