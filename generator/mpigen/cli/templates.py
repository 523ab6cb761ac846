"""`mpigen templates`: the source of each artifact, and how a site overrides it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mpigen.cli import options
from mpigen.cli.options import JSON, SITE_OUTPUT
from mpigen.errors import InputError

if TYPE_CHECKING:
    from mpigen.render.templates import Templates

app = typer.Typer(
    help="Show and override the templates of artifacts.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_CONFIG = options.config_file("The site's file; its templates/ is beside it.")
_PATH = typer.Argument(help="The artifact's path below output/, for example scripts/run.sh.")


@app.command("list")
def list_(config: Path = _CONFIG, as_json: bool = JSON) -> None:
    """List the artifacts, with the template or file of each: built in, or from the site."""
    from mpigen.cli import show as look
    from mpigen.render.files import artifact, is_template

    templates = _templates(config)
    blocks: dict[str, list[str]] = {}
    for override in templates.overrides():
        blocks.setdefault(override.path, []).append(override.block)
    rows: list[tuple[str, str, str, list[str]]] = []
    for name in templates.names:
        path = artifact(name)
        own = blocks.get(path, [])
        if templates.own(name) is None:
            origin = "built-in"
        elif templates.builtin(name) is None:
            origin = "added"
        else:
            origin = "replaced" if own == [""] else "overridden"
        kind = "template" if is_template(name) else "file"
        rows.append((path, kind, origin, [block for block in own if block]))
    if as_json:
        keys = ("path", "kind", "from", "blocks")
        typer.echo(json.dumps([dict(zip(keys, row, strict=True)) for row in rows], indent=2))
        return
    look.table(
        ("artifact", "kind", "from", "blocks"), [(*row, " ".join(own)) for *row, own in rows]
    )
    typer.echo("next: mpigen templates eject PATH, to override one")


@app.command("show")
def show(
    path: str = _PATH,
    blocks: bool = typer.Option(False, "--blocks", help="List the blocks instead of the text."),
    config: Path = _CONFIG,
) -> None:
    """Print the built-in template or file of an artifact, or the site's, if none is built in."""
    from mpigen.cli import show as look

    templates = _templates(config)
    name = _name(templates, path)
    text = templates.builtin(name)
    if not blocks:
        typer.echo(text if text is not None else templates.own(name), nl=False)
        return
    if text is None:
        raise InputError(f"{path} is the site's own file: there is nothing to override")
    built_in = _with_blocks(templates, path)
    own = {override.block for override in templates.overrides() if override.path == path}
    look.table(
        ("block", "lines", "what"),
        [
            (
                block.name,
                f"{block.first}-{block.last}",
                "overridden" if block.name in own else "" if block.text.strip() else "empty",
            )
            for block in templates.blocks(built_in)
        ],
    )
    typer.echo(f"next: mpigen templates eject {path} --block NAME")


@app.command("eject")
def eject(
    path: str = _PATH,
    block: str = typer.Option("", "--block", help="Override only this block."),
    config: Path = _CONFIG,
) -> None:
    """Write the smallest override to start from into the site's templates.

    With --block, this is a block with the built-in content; without, a copy of the whole template.
    Nothing is overwritten.
    """
    from mpigen.render import overrides
    from mpigen.render.diagnostics import nearest
    from mpigen.render.files import BUILTIN

    templates = _templates(config)
    own = _name(templates, path)
    name = templates.builtin_name(own)
    if name is None:
        raise InputError(
            f"{path} already comes from the site: edit {config.parent}/templates/{own}"
        )
    if own != name:  # the site's is of the other kind
        message = f"{config.parent / 'templates' / own} already exists"
        raise InputError(message, "Edit it, or move it away first.")
    file = config.parent / "templates" / name
    if block:
        _with_blocks(templates, path)
        known = [each.name for each in templates.blocks(name)]
        if block not in known:
            raise InputError(f"{path} has no block {block}; {nearest(block, known)}")
    there = file.read_bytes().decode() if file.exists() else None
    text = overrides.eject(f"{BUILTIN}{name}", templates.builtin(name) or "", block, there)
    if text is None:
        hint = "Edit it, or move it away first." if there else ""
        raise InputError(f"{file} already exists", hint)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())
        if text.startswith("#!"):
            file.chmod(file.stat().st_mode | 0o111)
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be written: {error.strerror}") from error
    typer.echo(f"     new  {file}{f' (block {block})' if block else ''}")
    typer.echo(f"next: edit it, then mpigen render --diff -c {config}")


@app.command("diff")
def diff(
    config: Path = _CONFIG,
    output: Path | None = SITE_OUTPUT,
    as_json: bool = JSON,
) -> None:
    """Show what an upgrade of mpigen has changed in the templates that the site overrides."""
    import difflib

    from mpigen import site
    from mpigen.artifacts import manifest
    from mpigen.cli import show as look
    from mpigen.render.overrides import changed_builtins

    folder = site.at([config], output).output
    found = [
        {
            "path": now.path,
            "block": now.block,
            "diff": "".join(
                difflib.unified_diff(
                    then.builtin.splitlines(keepends=True),
                    now.builtin.splitlines(keepends=True),
                    f"{now} at the last render",
                    f"{now} of this mpigen",
                )
            ),
        }
        for then, now in changed_builtins(
            _templates(config).overrides(), manifest.read(folder).overrides
        )
    ]
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    elif not found:
        typer.echo("none of the overridden templates has changed")
    for each in [] if as_json else found:
        look.diff(each["diff"])
    if found and not as_json:
        typer.echo("next: take over what you need, then mpigen render", err=True)


def _templates(config: Path) -> "Templates":
    from mpigen.render.templates import Templates

    if not config.is_file():
        raise InputError(f"{config}: no such file", "Name the site's file with -c FILE.")
    return Templates(config.parent / "templates")


def _name(templates: "Templates", path: str) -> str:
    """The file that makes an artifact. Raises InputError, with the nearest, if there is none."""
    from mpigen.render.diagnostics import nearest
    from mpigen.render.files import artifact

    names = {artifact(name): name for name in templates.names}
    if artifact(path) not in names:
        raise InputError(f"there is no template for an artifact {path}; {nearest(path, names)}")
    return names[artifact(path)]


def _with_blocks(templates: "Templates", path: str) -> str:
    """The built-in template of an artifact. Raises InputError where it is a file without blocks."""
    from mpigen.render.files import is_template

    name = templates.builtin_name(path)
    if name is None or not is_template(name):
        raise InputError(
            f"{path} is copied unchanged and has no blocks",
            f"Copy all of it with `mpigen templates eject {path}`, and edit the copy.",
        )
    return name
