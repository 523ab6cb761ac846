"""`mpigen lab`: a Swarm of several nodes on one machine, its engine and base images."""

import json
from dataclasses import asdict
from pathlib import Path

import typer

from mpigen.cli import complete, options, where
from mpigen.cli.progress import progress
from mpigen.cli.progress import say as print_line
from mpigen.notation.counts import counted

app = typer.Typer(
    help="A Swarm of several nodes on one machine.",
    no_args_is_help=True,
)

_NAME = typer.Option(
    "lab",
    "--name",
    help="The lab's name. Several labs can run side by side.",
    autocompletion=complete.labs,
)
_CONFIG = options.config_file("The site's file.")
_NODES = typer.Option(3, "--nodes", help="Number of nodes.")


def _platform(value: str) -> str:
    from mpigen.notation.platforms import PLATFORMS

    if value and value not in PLATFORMS:
        raise typer.BadParameter(f"{value!r} is not {' or '.join(PLATFORMS)}")
    return value


@app.command()
def up(
    nodes: int = _NODES,
    managers: int = typer.Option(
        1, "--managers", help="Number of managers, which are the first nodes: 1, 3 or 5."
    ),
    engine: str = typer.Option(
        "28.5",
        "--engine",
        help="Docker version of the nodes: 28.5, 28.5-containerd (with its image store), 26.1 or "
        "20.10; 28.5,20.10 for both in turn.",
    ),
    name: str = _NAME,
) -> None:
    """Bring up a lab and make a docker context mpigen-NAME for it.

    It needs an engine on this machine: `mpigen lab engine` starts one. The node image is built
    once and kept.
    """
    from mpigen.cli import show
    from mpigen.lab import lab

    if managers > 1 and managers % 2 == 0:
        show.warn(
            f"{managers} managers tolerate the loss of {(managers - 1) // 2}, the same as "
            f"{managers - 1}:"
            " use an odd number"
        )
    with progress() as say:
        made = lab.up(name, nodes, say, managers, engine.split(","))
    typer.echo(f"next: export {where.VARIABLE}={made.context}")


@app.command()
def status(
    name: str = _NAME,
    as_json: bool = options.JSON_FOR_TABLE,
) -> None:
    """List a lab's nodes, as the first of its managers that answers sees them."""
    from mpigen.cli import show
    from mpigen.lab import lab

    found = lab.get(name)
    rows = [asdict(node) for node in lab.status(found)]
    ready = {row["name"] for row in rows if row["manager"] in ("leader", "reachable")}
    reached = [node for node in found.nodes if node.name in ready]
    if reached and reached[0] != found.nodes[0]:
        show.note(
            f"{found.nodes[0].name} is lost, so the docker context {found.context} does not work:"
            f" export DOCKER_HOST={reached[0].docker_host}"
        )
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    show.table(
        tuple(title.upper() for title in rows[0]), [tuple(map(str, row.values())) for row in rows]
    )


@app.command()
def load(
    image: str = typer.Argument(help="An image of this machine's engine."),
    name: str = _NAME,
) -> None:
    """Copy an image from this machine's engine to every node of a lab that lacks it."""
    from mpigen.lab import lab

    with progress() as say:
        lab.load(lab.get(name), image, say)


@app.command()
def down(name: str = _NAME) -> None:
    """Remove a lab, even an incomplete one. The node image is kept as a cache."""
    from mpigen.lab import lab

    with progress() as say:
        removed = lab.down(name, say)
    typer.echo(f"the lab {name} is gone" if removed else f"there is no lab {name}")


@app.command()
def base(
    image: str = typer.Argument(help="The base image, such as debian:trixie-slim."),
    mirror: str = typer.Option(
        "", "--mirror", help="The Debian mirror to use if no registry answers: http://..."
    ),
    platform: str = typer.Option(
        "",
        "--platform",
        help="linux/amd64 or linux/arm64 (default: the engine's own).",
        callback=_platform,
    ),
) -> None:
    """Make sure that the engine has a base image.

    The image is pulled. If no registry answers, a Debian image is made from the package mirror;
    this installs mmdebstrap if necessary, as root or with sudo. With another --platform than the
    engine's, this machine emulates that processor from then on, until it is restarted.
    """
    from mpigen.lab import base
    from mpigen.swarm import engine

    with progress() as say:
        base.ensure(engine.reach().client, image, say, mirror, platform)


@app.command()
def engine(
    stop: bool = typer.Option(False, "--stop", help="Stop the engine, if mpigen started it."),
) -> None:
    """Show which Docker engine answers; install and start one if none does.

    Installation works on Debian and Ubuntu, as root or with sudo, and prints what it installs.
    """
    from mpigen.lab import dockerd, engine

    with progress() as say:
        if not stop:
            engine.ensure(say)
            return
        stopped = dockerd.stop(dockerd.Dockerd(), say)
    typer.echo(
        "the engine is stopped"
        if stopped
        else "mpigen has not started a running engine: nothing was stopped"
    )


@app.command()
def demo(
    config: Path = _CONFIG,
    nodes: int = _NODES,
    name: str = options.name("demo", "The lab's name."),
    keep: bool = typer.Option(False, "--keep", help="Leave the lab and the cluster up."),
) -> None:
    """Build, deploy and run a site on a lab, then remove everything.

    The site is rendered into a temporary folder, built, deployed, run and verified; each command
    is shown.
    """
    from mpigen.demo import demo as run_demo

    with progress() as say:
        ranks = run_demo(config, name, nodes, keep, say, print_line)
    for rank in ranks:
        typer.echo(f"Size: {rank.size}, Rank: {rank.rank}, Host: {rank.host}, Node: {rank.node}")
    hosts, servers = ({getattr(rank, part) for rank in ranks} for part in ("host", "node"))
    typer.echo(
        f"{counted(len(ranks), 'rank')} on {counted(len(hosts), 'host')} on "
        f"{counted(len(servers), 'node')}: all correct"
    )
    if keep:
        from mpigen.artifacts.paths import MANIFEST

        down = f"mpigen lab down --name {name}"
        output = config.parent / options.RENDERED
        if (output / MANIFEST).exists():
            typer.echo(
                f"next: {where.again('run', output, context=f'mpigen-{name}', after='-- hostname')}"
            )
            typer.echo(f"to remove it all: {down}")
        else:
            typer.echo(f"next: {down}")
