"""The verbs: the only place that prints or exits. One small file a family.

A verb imports what it needs inside its function, so that `mpigen render` stays quick and
never loads the Docker SDK.
"""

import gc
import os
import sys

import typer

from mpigen.cli import (
    bench,
    build,
    doctor,
    jobs,
    keys,
    lab,
    render,
    run,
    stack,
    start,
    templates,
    verify,
)
from mpigen.errors import MpigenError

app = typer.Typer(
    name="mpigen",
    help="One YAML file describes an MPI cluster; mpigen renders the Docker artifacts that run it.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("init")(start.init)
app.command("validate")(start.validate)
app.command("schema")(start.schema)
app.command("render")(render.render)
app.command("doctor")(doctor.doctor)
app.command("build")(build.build)
app.command("deploy")(stack.deploy)
app.command("status")(stack.status)
app.command("scale")(stack.scale)
app.command("down")(stack.down)
app.command("verify", context_settings={"ignore_unknown_options": True})(verify.verify)
app.command("bench")(bench.bench)
app.command("run", context_settings={"allow_interspersed_args": False})(run.run)
app.command("shell")(run.shell)
app.command("push")(run.push)
app.command("jobs")(jobs.jobs)
app.command("logs")(jobs.logs)
app.command("wait")(jobs.wait)
app.command("cancel")(jobs.cancel)
app.add_typer(templates.app, name="templates")
app.add_typer(keys.app, name="keys")
app.add_typer(lab.app, name="lab")


def _version(wanted: bool) -> None:
    if wanted:
        from mpigen import __version__

        typer.echo(f"mpigen {__version__}")
        raise typer.Exit()


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", help="Print the version.", is_eager=True, callback=_version
    ),
) -> None:
    """One YAML file describes an MPI cluster; mpigen renders the Docker artifacts that run it."""


def main() -> None:
    """Run the command line; print an `MpigenError` once and exit with its code."""
    # nothing here plugs into pydantic, and to look for what does takes a tenth of a render
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # a render makes many objects and ends: searching them for garbage is a tenth of its time
    gc.set_threshold(50_000)
    try:
        app()
    except MpigenError as error:
        typer.secho(f"error: {error.message}", err=True, fg=typer.colors.RED)
        if error.hint:
            typer.echo(error.hint, err=True)
        sys.exit(error.exit_code)
    finally:
        # and so is searching them once more when the interpreter ends
        gc.freeze()
