"""What the help says of each command: its section, one sentence, and examples."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import typer
from typer.core import TyperGroup


class Help(NamedTuple):
    """A command in the lists of commands, where its sentence is not cut, and its examples."""

    summary: str
    examples: tuple[str, ...]


SECTIONS = {
    "Set up": ("init", "validate", "schema", "render", "build", "templates", "keys", "lab"),
    "Cluster": ("deploy", "scale", "down"),
    "Jobs": ("run", "shell", "push", "pull", "jobs", "logs", "wait", "cancel"),
    "Inspect": ("status", "verify", "doctor", "bench"),
}
"""The sections of `mpigen --help`; a command in none of them comes last."""

HELP = {
    "init": Help("Start a site: write its mpigen.yaml.", ("mpigen init mycluster",)),
    "validate": Help("Check a site and report every problem; write nothing.", ("mpigen validate",)),
    "schema": Help(
        "Print the JSON Schema of mpigen.yaml, for editors.",
        ("mpigen schema > mpigen.schema.json", "mpigen schema --markdown"),
    ),
    "render": Help(
        "Write the Docker artifacts of the cluster to output/.",
        ("mpigen render", "mpigen render --diff", "mpigen render --check"),
    ),
    "build": Help(
        "Build the image and bring it to every node.", ("mpigen build", "mpigen build --lab mpi")
    ),
    "deploy": Help(
        "Deploy the cluster, and wait until it is healthy.",
        ("mpigen deploy --dry-run", "mpigen deploy"),
    ),
    "scale": Help(
        "Change the number of containers of groups.",
        ("mpigen scale worker=8", "mpigen scale cpu=4 gpu=0"),
    ),
    "down": Help("Remove the cluster, its jobs and its network.", ("mpigen down",)),
    "run": Help(
        "Run an MPI job and exit with its exit code.",
        (
            "mpigen run hello",
            "mpigen run -n 4 -e STEPS=100 -- ./heat input.dat",
            "mpigen run --detach --name night -- ./heat",
        ),
    ),
    "shell": Help("Open a shell in a job's container.", ("mpigen shell",)),
    "push": Help("Copy files to every worker.", ("mpigen push ./heat input.dat",)),
    "pull": Help("Copy files from workers to this machine.", ("mpigen pull result.dat",)),
    "jobs": Help("List jobs, or remove finished ones.", ("mpigen jobs", "mpigen jobs --clear")),
    "logs": Help("Print the output of a batch job.", ("mpigen logs night -f",)),
    "wait": Help(
        "Wait until jobs have ended; print their exit codes.", ("mpigen wait night --timeout 2h",)
    ),
    "cancel": Help("End jobs on all of their hosts.", ("mpigen cancel night",)),
    "status": Help(
        "Show nodes, containers, slots, images and jobs.",
        ("mpigen status", "mpigen status --watch"),
    ),
    "verify": Help("Check the deployed cluster; print one line per check.", ("mpigen verify",)),
    "doctor": Help("Diagnose the cluster, deployed or not.", ("mpigen doctor",)),
    "bench": Help(
        "Measure every pair of hosts; report slow ones.",
        ("mpigen bench", "mpigen bench --compare bench-before.json"),
    ),
    "templates": Help("Show and override the templates of artifacts.", ("mpigen templates list",)),
    "templates list": Help("List the artifacts and their templates.", ("mpigen templates list",)),
    "templates show": Help(
        "Print a built-in template or file.", ("mpigen templates show scripts/run.sh",)
    ),
    "templates eject": Help(
        "Write the smallest override to start from.",
        ("mpigen templates eject Dockerfile --block apt",),
    ),
    "templates diff": Help(
        "Show what an upgrade changed in overridden templates.", ("mpigen templates diff",)
    ),
    "keys": Help("Show, rotate, import and export SSH keys.", ("mpigen keys status",)),
    "keys status": Help("Show both keys, and check them.", ("mpigen keys status",)),
    "keys rotate": Help("Make new keys, and render with them.", ("mpigen keys rotate",)),
    "keys import": Help("Take keys from a folder.", ("mpigen keys import ~/mpi-keys",)),
    "keys export": Help("Copy both key pairs to a folder.", ("mpigen keys export ~/mpi-keys",)),
    "lab": Help("Run a Swarm of several nodes on one machine.", ("mpigen lab up",)),
    "lab up": Help("Start a lab, and make a docker context for it.", ("mpigen lab up --nodes 4",)),
    "lab status": Help("List the nodes of a lab.", ("mpigen lab status",)),
    "lab load": Help("Copy an image to every node of a lab.", ("mpigen lab load mpi:latest",)),
    "lab down": Help("Remove a lab, even an incomplete one.", ("mpigen lab down",)),
    "lab base": Help(
        "Make a base image if no registry is reachable.",
        ("mpigen lab base debian:trixie-slim",),
    ),
    "lab engine": Help("Find a Docker engine, or start one.", ("mpigen lab engine",)),
    "lab demo": Help(
        "Build, deploy and run a site on a lab; remove it.", ("mpigen lab demo --keep",)
    ),
}
"""The help of each command; of several words, as `keys rotate`."""


def settings_of(command: str) -> dict[str, Any]:
    """What Typer takes for the help of a command: its sentence in lists, and its examples."""
    if command not in HELP:
        return {}
    summary, examples = HELP[command]
    lines = "\n".join(f"  {each}" for each in examples)
    # \b: click does not join these lines
    return {"short_help": summary, "epilog": f"\b\nExample{'s'[: len(examples) - 1]}:\n{lines}"}


def describe(family: str, app: typer.Typer) -> None:
    """Give the commands of a family, as `keys`, the help of the table."""
    for info in app.registered_commands:
        name = info.name or (info.callback.__name__ if info.callback else "")
        for key, value in settings_of(f"{family} {name}").items():
            setattr(info, key, value)


class Sections(TyperGroup):
    """A group of commands whose help lists them by section, with whole sentences."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the lists of commands; what is hidden or in no section comes last, or not."""
        commands = {
            name: command
            for name in self.list_commands(ctx)
            if (command := self.get_command(ctx, name)) and not command.hidden
        }
        width = max((len(name) for name in commands), default=0)

        def write(title: str, names: Iterable[str]) -> None:
            rows = [
                (name.ljust(width), commands.pop(name).get_short_help_str(limit=1000))
                for name in names
                if name in commands
            ]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

        if ctx.parent is None:
            for title, names in SECTIONS.items():
                write(title, names)
        write("Commands", list(commands))
