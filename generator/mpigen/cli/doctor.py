"""`mpigen doctor`: diagnose the cluster, its Swarm and its servers."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mpigen.cli import where
from mpigen.cli.options import CONTEXT, JSON_FOR_TABLE, OUTPUT, STACK
from mpigen.cli.progress import progress

if TYPE_CHECKING:
    from mpigen.doctor.findings import Finding

_MARKS = {"ok": ("✓", "green"), "bad": ("✗", "red"), "unknown": ("–", "yellow")}


def doctor(
    output: Path = OUTPUT,
    stack: str = STACK,
    context: str | None = CONTEXT,
    as_json: bool = JSON_FOR_TABLE,
) -> None:
    """Diagnose the cluster, before or after it is deployed: engines, Swarm, network.

    Each line is ✓ passed; ✗ failed, with what to do; or – unknown, with the reason. A short-lived
    service of the cluster's own image checks every node, and is removed again. Exits 1 if a check
    fails.
    """
    from mpigen.artifacts import folder
    from mpigen.doctor.doctor import examine
    from mpigen.doctor.survey import survey

    rendered = folder.read(output)
    name = stack or rendered.name
    chosen = where.choose(context, output)
    with progress() as say:
        facts = survey(rendered, name, chosen, say)
    found = examine(facts)
    bad = sum(finding.verdict == "bad" for finding in found)
    if as_json:
        report = {"stack": name, "healthy": not bad, "findings": [asdict(one) for one in found]}
        typer.echo(json.dumps(report, indent=2))
    else:
        _print(found)
        unknown = sum(finding.verdict == "unknown" for finding in found)
        typer.echo(f"{bad} failed, {unknown} unknown, {len(found) - bad - unknown} passed")
        if not bad and facts.is_manager:
            deployed = facts.workers and not facts.missing
            verb = "verify" if deployed else "deploy"
            typer.echo(f"next: {where.again(verb, output, stack, context)}")
    if bad:
        raise typer.Exit(1)


def _print(found: "list[Finding]") -> None:
    from mpigen.cli import show

    width = max(len(finding.check) for finding in found)
    for finding in found:
        mark, colour = _MARKS[finding.verdict]
        if show.wants_colour():
            mark = typer.style(mark, fg=colour)
        first, *more = finding.what.splitlines() or [""]
        lines = [f"{mark} {finding.check.ljust(width)}  {first}"]
        lines += [" " * (width + 4) + line for line in more]
        if finding.todo:
            lines.append(" " * (width + 4) + f"→ {finding.todo}")
        # a locale without ✓ gets its own replacement character
        encoding = sys.stdout.encoding or "utf-8"
        typer.echo("\n".join(lines).encode(encoding, "replace").decode(encoding))
