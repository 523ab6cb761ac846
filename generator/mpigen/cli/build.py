"""`mpigen build`: build the images by content, and bring them to the nodes or a registry."""

import shlex
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mpigen.cli.options import CONTEXT, OUTPUT, RENDERED
from mpigen.cli.progress import sending

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mpigen.artifacts.folder import Artifacts
    from mpigen.image.build import Built
    from mpigen.image.distribute import Remote, Sent
    from mpigen.swarm.engine import Engine
    from mpigen.swarm.processes import Say


def build(
    output: Path = OUTPUT,
    context: str | None = CONTEXT,
    site: Path | None = typer.Option(
        None, help="Folder that holds the sources; default SITE, or that of the rendered folder."
    ),
    lab: str | None = typer.Option(
        None, help="Load it into the nodes of this lab; default the lab that the engine is of."
    ),
    distribute: bool = typer.Option(
        True, help="Bring it to the nodes, or push it: image.distribute in mpigen.yaml."
    ),
) -> None:
    """Build the image, unless there is one of the same content, and get it to every node.

    Beside the image's own tag it has one by its content, NAME:sha-..., which is what mpigen
    deploy deploys: what has changed is always rolled out, and nothing else is.
    """
    from mpigen.artifacts import folder
    from mpigen.image import build as builds
    from mpigen.image import content
    from mpigen.swarm import engine as engines

    rendered = folder.read(output)
    where = site.resolve() if site else content.site_folder(rendered)
    with sending() as (say, sent):
        engine = engines.reach(context)
        built = builds.build(engine, rendered, where, say)
        state = "built" if built[0].new else "unchanged"
        found = [f"{state}: {each.image} is {each.reference}" for each in built]
        if not distribute:
            found += [f"it is on the engine at {engine.where.url} alone"]
        elif rendered.distribute == "registry":
            found += [*(_push(engine, each, say) for each in built), _next(output, context)]
        else:
            targets = _targets(engine, rendered, lab)
            words = _next(output, f"mpigen-{lab}" if lab else context)
            found += _load(engine, rendered, built, targets, say, sent) or [words]
    typer.echo("\n".join(found))


def _next(output: Path, context: str | None) -> str:
    words = ["-o", str(output)] if output != RENDERED else []
    words += ["--context", context] if context else []
    return f"next: {shlex.join(['mpigen', 'deploy', *words])}"


def _alone(engine: "Engine", built: "Sequence[Built]") -> list[str]:
    return [
        f"it is on the engine at {engine.where.url} alone",
        "next: name the nodes' engines as image.endpoints in mpigen.yaml, render and build; "
        f"or for each node:\n  {_by_hand(built)}",
    ]


def _push(engine: "Engine", built: "Built", say: "Say") -> str:
    from mpigen.image import distribute

    return f"pushed: {distribute.push(engine, [built.reference, built.image], say)}"


def _load(
    engine: "Engine",
    rendered: "Artifacts",
    built: "Sequence[Built]",
    targets: "Sequence[Remote]",
    say: "Say",
    sent: "Sent",
) -> list[str]:
    """Copy the images to `targets`; return a note if other nodes may lack them."""
    from mpigen.image import distribute

    for each in built:
        distribute.copy(engine.client, targets, each.reference, say, each.image, sent)
    manager = _manager(engine, targets)
    if manager:
        _refuse_lacking(manager, rendered, built, say)
        return []
    if not targets:
        return _alone(engine, built)
    return [
        "no engine that is known here is a manager, which could tell of other nodes",
        "next: mpigen deploy --context MANAGER",
    ]


def _targets(engine: "Engine", rendered: "Artifacts", lab: str | None) -> "list[Remote]":
    from mpigen.image import distribute
    from mpigen.lab import lab as labs

    if rendered.endpoints and not lab:
        return distribute.remotes(rendered.endpoints, "image.endpoints of")
    here = labs.get(lab) if lab else labs.with_engine(engine.where.url)
    nodes = {node.name: node.docker_host for node in here.nodes} if here else {}
    return distribute.remotes(nodes, f"the lab {here.name}:" if here else "")


def _manager(engine: "Engine", targets: "Sequence[Remote]") -> "Engine | None":
    """The first engine that is a manager: one of the targets, or the one that built."""
    from mpigen.swarm.engine import Engine

    # the build machine comes last: it may have a Swarm of its own
    known = (Engine(target.connect(), target.where) for target in targets)
    return next((each for each in chain(known, [engine]) if each.is_manager), None)


def _refuse_lacking(
    manager: "Engine", rendered: "Artifacts", built: "Sequence[Built]", say: "Say"
) -> None:
    from mpigen.errors import ClusterError
    from mpigen.image import select

    say("asking each node whether it has it")
    wrong = []
    for each in built:
        if lacking := select.lacking_for(manager, each.reference, rendered, say, each.variant):
            nodes = "\n".join(f"  {node}: {why}" for node, why in lacking.items())
            wrong.append(f"these nodes cannot start {each.reference}:\n{nodes}")
    if wrong:
        raise ClusterError(
            "\n".join(wrong),
            "Name their endpoints as image.endpoints in mpigen.yaml, and render; or by hand:\n"
            f"  {_by_hand(built)}",
        )


def _by_hand(built: "Sequence[Built]") -> str:
    names = " ".join(f"{each.image} {each.reference}" for each in built)
    return f"docker save {names} | ssh SERVER docker load"
