"""The result of a check: good, bad or unknown, and what to do."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from mpigen.doctor.facts import Facts

Verdict = Literal["ok", "bad", "unknown"]


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report. `todo` is the next step, or empty."""

    check: str
    verdict: Verdict
    what: str
    todo: str = ""


def together(items: Iterable[str]) -> str:
    """Distinct names, sorted by length first: node-2, node-10."""
    return ", ".join(sorted(set(items), key=lambda name: (len(name), name)))


def grouped(pairs: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """Group names by text: from (name, text) to {text: "a, b"}."""
    groups: dict[str, list[str]] = {}
    for name, text in pairs:
        groups.setdefault(text, []).append(name)
    return {text: together(names) for text, names in groups.items()}


def unseen(check: str, facts: Facts, seen: Iterable[str], why: Mapping[str, str]) -> list[Finding]:
    """An `unknown` finding for nodes whose id is not in `seen`, if any; `why` has the reasons."""
    seen = set(seen)
    reasons = [
        (node.name, _reason(node.state, node.availability, why.get(node.id, "")))
        for node in facts.nodes
        if node.id not in seen
    ]
    if not reasons:
        return []
    text = "; ".join(f"{names} ({reason})" for reason, names in grouped(reasons).items())
    return [Finding(check, "unknown", f"not looked at: {text}")]


def _reason(state: str, availability: str, error: str) -> str:
    if state != "ready":
        return state
    if availability != "active":
        return {"drain": "drained", "pause": "paused"}.get(availability, availability)
    return error or "nothing of ours ran there"
