"""`mpigen build`: the image, built by content and brought to where it is needed."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mpigen.cli.progress import progress

if TYPE_CHECKING:
    from mpigen.artifacts import Artifacts
    from mpigen.processes import Say
    from mpigen.swarm.engine import Engine
    from mpigen.swarm.image import Built


def build(
    output: Path = typer.Option(Path("output"), "--output", "-o", help="The rendered folder."),
    context: str | None = typer.Option(None, help="Docker context of the engine that builds."),
    site: Path | None = typer.Option(
        None, help="Folder that holds the sources; default SITE, or that of the rendered folder."
    ),
    lab: str | None = typer.Option(
        None, help="A lab of this machine: build on this machine's engine, load into its nodes."
    ),
    distribute: bool = typer.Option(
        True, help="Bring it to the nodes, or push it: image.distribute in mpigen.yaml."
    ),
) -> None:
    """Build the image, unless there is one of the same content, and get it to every node.

    Beside the image's own tag it has one by its content, NAME:sha-..., which is what mpigen
    deploy deploys: what has changed is always rolled out, and nothing else is.
    """
    from mpigen import artifacts
    from mpigen.swarm import engine as engines
    from mpigen.swarm import image

    rendered = artifacts.read(output)
    where = site or Path(os.environ.get("SITE") or output / "..")
    with progress() as say:
        engine = engines.reach(context)
        built = image.build(engine, rendered, where.resolve(), say)
        if distribute:
            _distribute(engine, rendered, built, lab, say)
    state = "built" if built.new else "unchanged"
    typer.echo(f"{state}: {built.image} is {built.reference}")
    folder = "" if output == Path("output") else f" -o {output}"
    typer.echo(f"next: mpigen deploy{folder}")


def _distribute(
    engine: "Engine", rendered: "Artifacts", built: "Built", lab: str | None, say: "Say"
) -> None:
    from mpigen.errors import ClusterError
    from mpigen.swarm import distribute, image

    if rendered.distribute == "registry":
        distribute.push(engine, [built.image, built.reference], say)
        return
    targets: list[distribute.Target] = []
    manager = engine
    if lab:
        from mpigen.lab import lab as labs
        from mpigen.swarm import engine as engines

        here = labs.get(lab)
        targets.extend(here.nodes)
        manager = engines.reach(here.context)
    else:
        targets.extend(distribute.Remote(*pair) for pair in rendered.endpoints.items())
    distribute.copy(engine.client, targets, built.reference, say, also=built.image)
    if not manager.is_manager:
        say(f"{manager.where.url} is no manager of a Swarm: which nodes lack it cannot be told")
        return
    say("asking each node whether it has it")
    lacking = image.lacking(manager, built.reference)
    if lacking:
        nodes = "\n".join(f"  {node}: {why}" for node, why in lacking.items())
        raise ClusterError(
            f"these nodes cannot start {built.reference}:\n{nodes}",
            "Name their endpoints as image.endpoints in mpigen.yaml, and render; or by hand:\n"
            f"  docker save {built.image} {built.reference} | ssh NODE docker load",
        )
