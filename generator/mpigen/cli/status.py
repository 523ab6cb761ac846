"""`mpigen status`: what of the cluster runs now, and where."""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mpigen.cli.options import CONTEXT, JSON, OUTPUT, STACK

if TYPE_CHECKING:
    from mpigen.artifacts.folder import Artifacts
    from mpigen.swarm.engine import Engine


def status(
    output: Path = OUTPUT,
    stack: str = STACK,
    context: str | None = CONTEXT,
    as_json: bool = JSON,
    watch: bool = typer.Option(False, "--watch", help="Go on, once a second, until Ctrl-C."),
) -> None:
    """Show nodes, containers, slots, images and running jobs."""
    from mpigen.artifacts import folder
    from mpigen.cli import show
    from mpigen.swarm import engine as engines

    rendered = folder.read(output)
    engine = engines.reach(context)
    engine.need_manager()
    name = stack or rendered.name
    while True:
        report = _report(engine, rendered, name)
        if watch and not as_json:
            show.clear()
        _show(report, as_json)
        if not watch:
            return
        time.sleep(1)


def _report(engine: "Engine", rendered: "Artifacts", name: str) -> dict[str, Any]:
    from mpigen.job import listing
    from mpigen.swarm import state
    from mpigen.swarm.engine import blame

    groups = state.groups(engine, rendered, name)
    with blame("asking for the nodes"):
        nodes = [
            {
                "name": node.get("Description", {}).get("Hostname", node["ID"]),
                "role": node["Spec"]["Role"],
                "state": node["Status"]["State"],
                "availability": node["Spec"]["Availability"],
            }
            for node in engine.client.api.nodes()
        ]
    for node in nodes:
        here = [task for group in groups for task in group.tasks if task.node == node["name"]]
        node["containers"] = sum(task.state == "running" for task in here)
        node["images"] = sorted({task.image for task in here})
    return {
        "stack": name,
        "deployed": bool(groups),
        "slots": sum(group.running * group.slots for group in groups),
        "nodes": sorted(nodes, key=lambda node: str(node["name"])),
        "groups": [asdict(group) for group in groups],
        "jobs": listing.running(engine, rendered.network_of(name), name),
    }


def _show(report: dict[str, Any], as_json: bool) -> None:
    from mpigen.cli import show

    if as_json:
        typer.echo(json.dumps(report, indent=2))
        return
    show.table(
        ("node", "role", "state", "availability", "containers", "image"),
        [
            (
                *(node[key] for key in ("name", "role", "state", "availability")),
                str(node["containers"]),
                ", ".join(node["images"]) or "-",
            )
            for node in report["nodes"]
        ],
    )
    typer.echo()
    if not report["deployed"]:
        typer.echo(f"the stack {report['stack']} is not deployed\nnext: mpigen deploy")
        return
    show.table(
        ("container", "node", "state", "error"),
        [
            (
                f"{group['name']}-{task['slot'] or task['node']}",
                *(task["node"] or "-", task["state"], task["error"]),
            )
            for group in report["groups"]
            for task in group["tasks"]
        ],
    )
    typer.echo()
    for group in report["groups"]:
        running = sum(task["state"] == "running" for task in group["tasks"])
        typer.echo(
            f"{group['name']}: {running} of {group['wanted']} containers, "
            f"{running * group['slots']} slots, {group['image']}"
        )
    images = {task["image"] for group in report["groups"] for task in group["tasks"]}
    # each variant has one
    if len(images) > len({group["variant"] for group in report["groups"]}):
        show.warn(f"the containers are of {len(images)} images: {', '.join(sorted(images))}")
    typer.echo(f"jobs: {', '.join(report['jobs']) or 'none'}")
