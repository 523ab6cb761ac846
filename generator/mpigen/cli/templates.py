"""`mpigen templates`: where each artifact comes from, and how a site makes it its own."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mpigen.errors import InputError

if TYPE_CHECKING:
    from mpigen.templates import Templates

app = typer.Typer(
    help="Where each artifact comes from, and how a site makes it its own.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_CONFIG = typer.Option(
    Path("mpigen.yaml"), "--config", "-c", help="The site's file; its templates lie beside it."
)
_JSON = typer.Option(False, "--json", help="Print JSON.")
_PATH = typer.Argument(help="The artifact's path below output/, as in scripts/run.sh.")


@app.command("list")
def list_(config: Path = _CONFIG, as_json: bool = _JSON) -> None:
    """Say of each artifact whether it is built in, overridden, replaced or added."""
    from mpigen.cli import show as look
    from mpigen.compiled import SUFFIX

    templates = _templates(config)
    blocks: dict[str, list[str]] = {}
    for override in templates.overrides():
        blocks.setdefault(override.path, []).append(override.block)
    rows: list[tuple[str, str, list[str]]] = []
    for name in templates.names:
        path = name.removesuffix(SUFFIX)
        own = blocks.get(path, [])
        if templates.own(name) is None:
            kind = "built-in"
        elif templates.builtin(name) is None:
            kind = "added"
        else:
            kind = "replaced" if own == [""] else "overridden"
        rows.append((path, kind, [block for block in own if block]))
    if as_json:
        keys = ("path", "from", "blocks")
        typer.echo(json.dumps([dict(zip(keys, row, strict=True)) for row in rows], indent=2))
        return
    look.table(
        ("artifact", "from", "blocks"), [(path, kind, " ".join(own)) for path, kind, own in rows]
    )
    typer.echo("next: mpigen templates eject PATH, to make one your own")


@app.command("show")
def show(
    path: str = _PATH,
    blocks: bool = typer.Option(False, "--blocks", help="List the blocks instead of the text."),
    config: Path = _CONFIG,
) -> None:
    """Print the built-in template of an artifact, or the site's own where there is no other."""
    from mpigen.cli import show as look

    templates = _templates(config)
    name = _name(templates, path)
    text = templates.builtin(name)
    if not blocks:
        typer.echo(text if text is not None else templates.own(name), nl=False)
        return
    if text is None:
        raise InputError(f"{path} is the site's own: there is nothing in it to override")
    own = {override.block for override in templates.overrides() if override.path == path}
    look.table(
        ("block", "lines", "what"),
        [
            (
                block.name,
                f"{block.first}-{block.last}",
                "overridden" if block.name in own else "" if block.text.strip() else "empty",
            )
            for block in templates.blocks(name)
        ],
    )
    typer.echo(f"next: mpigen templates eject {path} --block NAME")


@app.command("eject")
def eject(
    path: str = _PATH,
    block: str = typer.Option("", "--block", help="Override this block alone."),
    config: Path = _CONFIG,
) -> None:
    """Write the smallest override to start from into the site's templates.

    With --block it is a block that gives what the built-in one gives; without, a copy of all.
    Nothing is overwritten.
    """
    from mpigen import overrides
    from mpigen.compiled import BUILTIN
    from mpigen.template_errors import nearest

    templates = _templates(config)
    name = _name(templates, path)
    builtin = templates.builtin(name)
    if builtin is None:
        raise InputError(f"{path} is the site's own already: edit {config.parent}/templates/{name}")
    file = config.parent / "templates" / name
    if block:
        known = [each.name for each in templates.blocks(name)]
        if block not in known:
            raise InputError(f"{path} has no block {block}; {nearest(block, known)}")
    there = file.read_text(encoding="utf-8") if file.exists() else None
    text = overrides.eject(f"{BUILTIN}{name}", builtin, block, there)
    if text is None:
        hint = "Edit it, or move it away first." if there else ""
        raise InputError(f"{file} is there already", hint)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be written: {error.strerror}") from error
    typer.echo(f"     new  {file}{f' (block {block})' if block else ''}")
    typer.echo(f"next: edit it, then mpigen render --diff -c {config}")


@app.command("diff")
def diff(
    config: Path = _CONFIG,
    output: Path | None = typer.Option(
        None, "--output", "-o", help="The rendered folder; default output/ beside the site's file."
    ),
    as_json: bool = _JSON,
) -> None:
    """Show what an upgrade of mpigen has changed under the site's overrides."""
    import difflib

    from mpigen import site
    from mpigen.artifacts import manifest
    from mpigen.cli import show as look
    from mpigen.overrides import moved

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
        for then, now in moved(_templates(config).overrides(), manifest.read(folder).overrides)
    ]
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    elif not found:
        typer.echo("nothing has changed under the site's overrides")
    for each in [] if as_json else found:
        look.diff(each["diff"])
    if found and not as_json:
        typer.echo("next: take over what you need, then mpigen render", err=True)


def _templates(config: Path) -> "Templates":
    from mpigen.templates import Templates

    if not config.is_file():
        raise InputError(f"{config}: no such file", "Name the site's file with -c FILE.")
    return Templates(config.parent / "templates")


def _name(templates: "Templates", path: str) -> str:
    """The template of an artifact. Raises InputError, with the nearest, if there is none."""
    from mpigen.compiled import SUFFIX
    from mpigen.template_errors import nearest

    name = f"{path.removesuffix(SUFFIX)}{SUFFIX}"
    if name not in templates.names:
        paths = [each.removesuffix(SUFFIX) for each in templates.names]
        raise InputError(f"no artifact {path} comes from a template; {nearest(path, paths)}")
    return name
