"""What a check says: good, bad, or that it cannot be told, and what to do."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from mpigen.doctor.facts import Facts

Verdict = Literal["ok", "bad", "unknown"]


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's. `todo` is the next thing to do, or empty."""

    check: str
    verdict: Verdict
    what: str
    todo: str = ""


def together(items: Iterable[str]) -> str:
    """Names in one text, in their order: a, b, c."""
    return ", ".join(sorted(set(items), key=lambda name: (len(name), name)))


def grouped(pairs: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """Which names a text goes with: from (name, text) to {text: "a, b"}."""
    names: dict[str, list[str]] = {}
    for name, text in pairs:
        names.setdefault(text, []).append(name)
    return {text: together(those) for text, those in names.items()}


def unseen(check: str, facts: Facts, seen: Iterable[str], why: Mapping[str, str]) -> list[Finding]:
    """A line on the nodes that were not seen, if there are any: ids in `seen`, reasons in `why`."""
    seen = set(seen)
    reasons = [
        (node.name, _reason(node.state, node.availability, why.get(node.id, "")))
        for node in facts.nodes
        if node.id not in seen
    ]
    if not reasons:
        return []
    said = "; ".join(f"{names} ({reason})" for reason, names in grouped(reasons).items())
    return [Finding(check, "unknown", f"not looked at: {said}")]


def _reason(state: str, availability: str, error: str) -> str:
    if state != "ready":
        return state
    if availability != "active":
        return {"drain": "drained", "pause": "paused"}.get(availability, availability)
    return error or "nothing of ours ran there"
