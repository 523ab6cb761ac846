"""Options that all verbs of a deployed cluster take alike."""

from pathlib import Path

import typer

OUTPUT = typer.Option(Path("output"), "--output", "-o", help="The rendered folder.")
STACK = typer.Option("", "--stack", help="The stack's name; default the cluster's.")
CONTEXT = typer.Option(None, "--context", help="The docker context to use.")
JSON = typer.Option(False, "--json", help="Print JSON in place of a table.")
