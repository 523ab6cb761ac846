"""Print what a deploy would do: lines with signs and colours, or JSON."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer

from mpigen.cli.show import wants_colour
from mpigen.notation.counts import counted
from mpigen.untrusted.quoting import clip, printable

if TYPE_CHECKING:
    from mpigen.stack.changes import Change
    from mpigen.stack.plan import Plan
    from mpigen.stack.specs import Difference

_LONGEST = 72
_SIGNS = {"create": "+", "change": "~", "remove": "-", "leave": "="}
_COLOURS = {
    "+": typer.colors.GREEN,
    "~": typer.colors.YELLOW,
    "-": typer.colors.RED,
    "!": typer.colors.RED,
}


def show(plan: "Plan", as_json: bool) -> None:
    """Print a plan on standard output."""
    if as_json:
        typer.echo(json.dumps(_plain(plan), indent=2))
        return
    for line in lines(plan):
        colour = _COLOURS.get(line.lstrip()[:1]) if line.startswith("  ") else None
        text = printable(line)
        typer.echo(typer.style(text, fg=colour) if colour and wants_colour() else text)


def lines(plan: "Plan") -> Iterator[str]:
    """The plan in lines; a sign + ~ - ! = begins each line of something that changes."""
    yield f"dry run of deploying {plan.stack}: nothing is changed"
    for change in plan.changes:
        if change.action != "none":
            yield from _of_change(change)
    for reason in plan.refused:
        yield f"  ! deploy would refuse: {reason}"
    actions = ("create", "change", "remove")
    counts = [sum(c.action == action for c in plan.changes) for action in actions]
    ended = [
        sum(getattr(c, what) for c in plan.changes) for what in ("started", "replaced", "removed")
    ]
    if plan.is_empty:
        yield "no changes: the deployed stack matches the rendered one"
    elif plan.changes:
        yield (
            "{} to create, {} to change, {} to remove; "
            "containers: {} to start, {} to replace, {} to remove"
        ).format(*counts, *ended)
    if plan.jobs:
        names = ", ".join(plan.jobs)
        if plan.refused:
            yield f"running jobs: {names}"
        elif plan.ends_jobs:
            yield f"this ends running jobs: {names}"
        else:
            yield f"this may end running jobs, if they use those containers: {names}"
    elif any(ended[1:]):
        yield "no running job would end"
    for sentence in plan.unknown:
        yield f"unknown: {sentence}"
    yield _next(plan)


def _next(plan: "Plan") -> str:
    if plan.refused:
        return "next: fix what deploy would refuse, see above"
    if plan.is_empty:
        return "next: mpigen run -- hostname"
    return (
        "next: wait for the jobs, or mpigen deploy --force" if plan.jobs else "next: mpigen deploy"
    )


def _of_change(change: "Change") -> Iterator[str]:
    sign, what = _SIGNS[change.action], f"{change.kind} {change.name}"
    if sign == "=":
        yield f"  = {what}: not in stack.yml, but kept: {_way_out(change)}"
        return
    counts = [
        f"{counted(count, 'container')} {verb}"
        for count, verb in (
            (change.started, "started"),
            (change.replaced, "replaced"),
            (change.removed, "removed"),
        )
        if count
    ]
    if not counts and change.kind == "service":
        counts = ["no container is restarted"]
    yield f"  {sign} {what}" + (f": {', '.join(counts)}" if counts else "")
    for each in change.differences:
        yield from _of_difference(each)


def _way_out(change: "Change") -> str:
    if change.kind == "service":
        return f"docker service rm {change.name}"
    return "mpigen down removes it, with the rest"


def _of_difference(difference: "Difference") -> Iterator[str]:
    from mpigen.stack.specs import entry

    what, before, after = difference.what, difference.before, difference.after
    if isinstance(before, list) or isinstance(after, list):
        for sign, entries in (("-", before or []), ("+", after or [])):
            for each in entries:
                yield f"      {sign} {what}: {clip(entry(each), _LONGEST)}"
        return
    yield f"      ~ {what}: {_value(before)} -> {_value(after)}"


def _value(value: object) -> str:
    if value is None:
        return "not set"
    text = str(value).removeprefix("sha256:") if isinstance(value, str) else json.dumps(value)
    # an image's id is recognized by as much as `docker images` shows
    is_id = isinstance(value, str) and value.startswith("sha256:")
    return text[:12] if is_id else clip(text, _LONGEST)


def _plain(plan: "Plan") -> dict[str, Any]:
    """The plan as JSON has it: `changes` without those services that stay as they are."""
    return {
        "stack": plan.stack,
        "empty": plan.is_empty,
        "changes": [
            {
                "action": change.action,
                "kind": change.kind,
                "name": change.name,
                "containers": {
                    "started": change.started,
                    "replaced": change.replaced,
                    "removed": change.removed,
                },
                "differences": [
                    {
                        "what": each.what,
                        "path": list(each.path),
                        "before": each.before,
                        "after": each.after,
                        "replaces_containers": each.replaces,
                    }
                    for each in change.differences
                ],
            }
            for change in plan.changes
            if change.action != "none"
        ],
        "refused": list(plan.refused),
        "jobs": {"running": list(plan.jobs), "all_end": plan.ends_jobs},
        "unknown": list(plan.unknown),
    }
