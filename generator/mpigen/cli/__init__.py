"""The verbs, one module per family: the only package that prints or exits.

A verb imports its modules inside its function, so that `mpigen render` never loads the Docker SDK,
and `mpigen status` neither pydantic nor Jinja.
"""

import os
import sys
from importlib import import_module
from typing import Any

import typer

from mpigen.cli import help
from mpigen.cli.run_command import RunCommand
from mpigen.errors import MpigenError
from mpigen.untrusted.quoting import printable

# the module of each verb, in the order of the help, and click's settings for its arguments
_VERBS: dict[str, tuple[str, dict[str, Any]]] = {
    "init": ("start", {}),
    "validate": ("start", {}),
    "schema": ("start", {}),
    "render": ("render", {}),
    "doctor": ("doctor", {}),
    "build": ("build", {}),
    "deploy": ("stack", {}),
    "status": ("status", {}),
    "scale": ("stack", {}),
    "down": ("stack", {}),
    "verify": ("verify", {"ignore_unknown_options": True}),
    "bench": ("bench", {}),
    "run": ("run", {"allow_interspersed_args": False}),
    "shell": ("run", {}),
    "push": ("files", {}),
    "pull": ("files", {}),
    "jobs": ("jobs", {}),
    "logs": ("jobs", {}),
    "wait": ("jobs", {}),
    "cancel": ("jobs", {}),
}
# verbs of several words, as `keys rotate`
_FAMILIES = ("templates", "keys", "lab")


def command_line(word: str = "") -> typer.Typer:
    """The command line with only the verb `word`, or with all of them if it is no verb.

    Importing all of them takes a thirtieth of a render's time.
    """
    known = word in _VERBS or word in _FAMILIES
    completing = "_MPIGEN_COMPLETE" in os.environ
    app = typer.Typer(
        name="mpigen",
        cls=help.Sections,
        help=_root.__doc__,
        no_args_is_help=True,
        # the completion options come before a verb
        add_completion=completing or not known,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for verb, (module, settings) in _VERBS.items():
        if verb == word or not known:
            function = getattr(import_module(f"mpigen.cli.{module}"), verb)
            kind = RunCommand if verb == "run" else None
            more = help.settings_of(verb)
            app.command(verb, cls=kind, context_settings=settings, **more)(function)
    for family in _FAMILIES:
        if family == word or not known:
            below = import_module(f"mpigen.cli.{family}").app
            help.describe(family, below)
            app.add_typer(below, name=family, cls=help.Sections, **help.settings_of(family))
    return app


def _version(wanted: bool) -> None:
    if wanted:
        from mpigen import __version__

        typer.echo(f"mpigen {__version__}")
        raise typer.Exit()


def _root(
    version: bool = typer.Option(
        False, "--version", help="Print the version.", is_eager=True, callback=_version
    ),
) -> None:
    """One YAML file describes an MPI cluster; mpigen renders the Docker artifacts that run it."""


def _first_word() -> str:
    """The verb, if one is given; that of the line to complete, if a shell asks for that."""
    words = sys.argv[1:]
    if "_MPIGEN_COMPLETE" in os.environ:
        line = os.environ.get("_TYPER_COMPLETE_ARGS") or os.environ.get("COMP_WORDS", "")
        words = line.split()[1:]
    return words[0] if words else ""


def main() -> None:
    """Run the command line; print an `MpigenError` once and exit with its code."""
    try:
        command_line(_first_word())()
    except MpigenError as error:
        typer.secho(f"error: {printable(error.message)}", err=True, fg=typer.colors.RED)
        if error.hint:
            typer.echo(printable(error.hint), err=True)
        sys.exit(error.exit_code)
