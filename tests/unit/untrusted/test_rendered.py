"""Hostile manifests and templates: each is refused with its place, in few words."""

import json
from pathlib import Path

import pytest

from tests.unit.untrusted.confined import refused

LONG = "x" * 100_000


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "mpigen.yaml").write_text("name: x\n")
    return tmp_path


FILES = '{"mpigen": "1", "files": {"a": {"sha256": ""}}'


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[" * 200_000, id="brackets"),
        pytest.param('{"a":' * 200_000, id="braces"),
        pytest.param("9" * 5000, id="number"),
        pytest.param("null", id="null"),
        pytest.param("\ufeff{}", id="byte-order-mark"),
        *[
            pytest.param(json.dumps({"files": {path: {"sha256": ""}}}), id=label)
            for label, path in {
                "long-path": "a" * 5000,
                "long-name": f"{'a' * 300}/b",
                "deep-path": "a/" * 3000 + "b",
                "surrogate": "\ud800",
                "nul": "a\0b",
                "newline": "a\nb",
                "direction": "a\u202eb",
            }.items()
        ],
        *[
            pytest.param(f'{FILES}, "overrides": [{each}]}}', id=f"override-{number}")
            for number, each in enumerate(
                (
                    '{"path": ["a"], "block": "", "builtin": []}',
                    '{"path": "a", "block": {}, "builtin": []}',
                    '{"path": "a", "block": "", "builtin": [["b"]]}',
                    '{"path": "a", "block": "", "builtin": ["\\ud800"]}',
                    "1",
                )
            )
        ],
        pytest.param('{"files": {"a": {"sha256": "", "template": [1]}}}', id="template"),
        pytest.param('{"files": {"a": {"sha256": ["x"]}}}', id="hash"),
        pytest.param('{"mpigen": ["x"], "files": {}}', id="version"),
        pytest.param('{"mpigen": "\\u001b[2J", "files": {}}', id="escape"),
        pytest.param('{"keys": {"user": 1}, "files": {}}', id="keys"),
    ],
)
def test_a_hostile_manifest_is_refused(site: Path, text: str) -> None:
    (site / "output").mkdir()
    (site / "output/manifest.json").write_text(text)
    for words in (["render", "--check"], ["templates", "diff"]):
        assert "output/manifest.json" in refused(site, *words)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{{ ('x' * 100000).y }}", id="expression"),
        pytest.param(f"{{{{ {LONG} }}}}", id="name"),
        pytest.param(f"{{% {LONG} %}}", id="tag"),
        pytest.param(f"{{{{ cluster.{LONG} }}}}", id="field"),
        pytest.param(f"{{% include '{LONG}' %}}", id="include"),
        pytest.param(f"{{{{ 1 | {LONG} }}}}", id="filter"),
        pytest.param("{{ " + "(" * 50_000, id="brackets"),
        pytest.param("{{ " + "-" * 50_000 + "1 }}", id="signs"),
        pytest.param("{{ " + "9" * 5000 + " }}", id="number"),
        pytest.param("{% if 1 %}" * 5000, id="tags"),
        pytest.param("\x1b[2J{{ nothing }}\u202e", id="escape"),
    ],
)
def test_a_hostile_template_is_refused_in_few_words(site: Path, text: str) -> None:
    (site / "templates").mkdir()
    (site / "templates/notes.txt.j2").write_text(text)
    message = refused(site, "validate")
    assert "templates/notes.txt.j2" in message
    assert all(letter.isprintable() or letter == "\n" for letter in message), ascii(message)


def test_values_that_stack_guard_and_merging_quote_are_short(site: Path) -> None:
    (site / "templates").mkdir()
    template = "{% extends 'builtin/stack.yml.j2' %}{% block footer %}\nx-a: [\"" + LONG
    (site / "templates/stack.yml.j2").write_text(template + "{% endblock %}\n")
    assert LONG not in refused(site, "validate")
