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


def join_names(items: Iterable[str]) -> str:
    """Distinct names, sorted by length first: node-2, node-10."""
    return ", ".join(sorted(set(items), key=lambda name: (len(name), name)))


def names_by_text(pairs: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """Group names by text: from (name, text) to {text: "a, b"}."""
    groups: dict[str, list[str]] = {}
    for name, text in pairs:
        groups.setdefault(text, []).append(name)
    return {text: join_names(names) for text, names in groups.items()}


def not_probed(
    check: str, facts: Facts, probed: Iterable[str], why: Mapping[str, str]
) -> list[Finding]:
    """An `unknown` finding for nodes whose id is not in `probed`, if any; `why` has the reasons."""
    probed = set(probed)
    reasons = [
        (node.name, _reason(node.state, node.availability, why.get(node.id, "")))
        for node in facts.nodes
        if node.id not in probed
    ]
    if not reasons:
        return []
    text = "; ".join(f"{names} ({reason})" for reason, names in names_by_text(reasons).items())
    return [Finding(check, "unknown", f"not checked: {text}")]


def _reason(state: str, availability: str, error: str) -> str:
    if state != "ready":
        return state
    if availability != "active":
        return {"drain": "drained", "pause": "paused"}.get(availability, availability)
    return error or "no probe ran there"
