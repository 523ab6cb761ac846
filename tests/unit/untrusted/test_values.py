"""Hostile values: each is refused with its place, and no message quotes more than an end of it."""

from pathlib import Path

import pytest

from tests.unit.untrusted.confined import refused

CASES = Path(__file__).parent / "cases"
NESTED = "[" * 3000 + "]" * 3000
LONG = "x" * 100_000
HUGE = "0x" + "f" * 100_000  # more digits than Python prints


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "app").mkdir()
    (tmp_path / "mpigen.yaml").write_text("name: x\n")
    return tmp_path


@pytest.mark.parametrize("bomb", ["aliases-in-aliases", "merges-of-merges"])
def test_a_bomb_is_refused_at_its_line(site: Path, bomb: str) -> None:
    text = (CASES / f"{bomb}.yaml").read_text()
    for name, words in (
        ("mpigen.yaml", []),
        ("layer.yaml", ["-c", "mpigen.yaml", "-c", "layer.yaml"]),
    ):
        (site / "mpigen.yaml").write_text("name: x\n")
        (site / name).write_text(text)
        message = refused(site, "validate", *words, own_process=True)
        assert f"{name}:" in message and "aliases" in message


@pytest.mark.parametrize("bomb", ["aliases-in-aliases", "merges-of-merges"])
def test_a_bomb_in_an_artifact_is_refused(site: Path, bomb: str) -> None:
    (site / "templates").mkdir()
    for name in ("stack.yml.j2", "other.yaml"):
        place = site / "templates" / name
        place.write_text((CASES / f"{bomb}.yaml").read_text())
        assert f"templates/{name}" in refused(site, "validate", own_process=True)
        place.unlink()


@pytest.mark.parametrize("name", ["stack.yml.j2", "other.yaml"])
@pytest.mark.parametrize("brackets", [3000, 200_000])
def test_an_artifact_nested_too_deeply_is_refused(site: Path, name: str, brackets: int) -> None:
    (site / "templates").mkdir()
    (site / "templates" / name).write_text(f"services: {'[' * brackets}\n")
    assert f"templates/{name}" in refused(site, "validate", own_process=True)


def test_many_mistakes_make_a_short_error(site: Path) -> None:
    (site / "mpigen.yaml").write_text("name: x\n" + "".join(f"k{n}: 1\n" for n in range(5000)))
    assert "more mistakes" in refused(site, "validate")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        pytest.param(f"name: {NESTED}", "1:", id="brackets"),
        pytest.param(f"? {NESTED}\n: x", "1:", id="brackets-in-a-key"),
        pytest.param("\n".join(" " * n + "a:" for n in range(500)), "5", id="indents"),
        pytest.param("name: !!bool maybe", "1:7", id="bool"),
        pytest.param("!!bool maybe: x", "1:1", id="bool-key"),
        pytest.param("name: !!timestamp x", "1:7", id="timestamp"),
        pytest.param("!!timestamp x: x", "1:1", id="timestamp-key"),
        pytest.param("name: !!int x", "1:7", id="int"),
        pytest.param("name: !!int ''", "1:7", id="empty-int"),
        pytest.param("name: !!float x", "1:7", id="float"),
        pytest.param("name: !!float ''", "1:7", id="empty-float"),
        pytest.param("name: !!binary x", "1:7", id="binary"),
        pytest.param("name: !!binary ''", "1:", id="empty-binary"),
        pytest.param(f"name: !<{LONG}> x", "1:7", id="long-tag"),
        pytest.param(f"name: *{LONG}", "1:7", id="long-alias"),
        pytest.param(f"name: {'9' * 5000}", "1:7", id="long-number"),
        pytest.param(f"{'9' * 5000}: x", "1:", id="long-number-key"),
        pytest.param(f"name: {HUGE}", "1:", id="huge-name"),
        pytest.param(f"{HUGE}: x", "1:", id="huge-key"),
        pytest.param("name: 1:" + ":".join(["59"] * 5000), "1:", id="sexagesimal"),
        pytest.param(f"name: {LONG}", "1:", id="long-name"),
        pytest.param(f"name: {LONG.upper()}", "1:", id="long-bad-name"),
        pytest.param(f"name: x\n{LONG}: x", "2:1", id="long-key"),
        pytest.param(f"name: x\nimage: {LONG}", "2:", id="text-for-a-section"),
        pytest.param("name: [" + "a, " * 100_000 + "a]", "1:", id="long-list"),
        pytest.param("name: '" + "a " * 500_000 + "'", "1:", id="long-line"),
        *[
            pytest.param(f"name: x\n{field}", "2:", id=label)
            for label, field in {
                "cpus": f"workers: [{{cpus: {'9' * 400}}}]",
                "cpus-text": f"workers: [{{cpus: '{'9' * 400}'}}]",
                "cpus-inf": "workers: [{cpus: .inf}]",
                "cpus-huge": f"workers: [{{cpus: {HUGE}}}]",
                "slots": "workers: [{slots: 1000000000000000000000}]",
                "slots-text": f"workers: [{{slots: {LONG}}}]",
                "slots-huge": f"workers: [{{slots: {HUGE}}}]",
                "replicas": "workers: [{replicas: 1000000000000000000000}]",
                "threads": "workers: [{threads: 1000000000000000000000}]",
                "max_per_node": "workers: [{max_per_node: 1000000000000000000000}]",
                "generic": "workers: [{generic: {GPU: 1000000000000000000000}}]",
                "memory": f"workers: [{{memory: {HUGE}}}]",
                "memory-text": f"workers: [{{memory: {'9' * 5000}g}}]",
                "memory-large": "workers: [{memory: 8000p}]",
                "shm-negative": f"workers: [{{shm: -{HUGE}}}]",
                "nodes": "network: {nodes: 1000000000000000000000}",
                "subnet": f"network: {{subnet: {LONG}}}",
                "port": f"ssh: {{port: {HUGE}}}",
                "delivery": f"ssh: {{delivery: {LONG}}}",
                "uid": "user: {uid: 1000000000000000000000}",
                "engine": f"engine: {{minimum: {LONG}}}",
                "engine-number": f"engine: {{minimum: {HUGE}}}",
                "param-nan": "mpi: {params: {a: .nan}}",
                "param-inf": "mpi: {params: {a: -.inf}}",
                "param-huge": f"mpi: {{params: {{a: {HUGE}}}}}",
                "param-long": f"mpi: {{params: {{a: {LONG}}}}}",
                "param-direction": 'mpi: {params: {a: "a\\u202Eb"}}',
                "implementation": f"mpi: {{implementation: {LONG}}}",
                "packages": f"image: {{packages: [{LONG}]}}",
                "python": f"app: {{source: app, python: ['{LONG}']}}",
                "build-long": f"app: {{source: app, build: '{LONG}'}}",
                "build-direction": 'app: {source: app, build: "a\\u2066b"}',
                "check-nul": 'app: {source: app, check: "a\\0b"}',
                "constraint": f"workers: [{{constraints: ['{'node.id ' + ' ' * 50_000}']}}]",
                "mirror": f"image: {{apt_mirror: '{LONG}'}}",
                "base": f"image: {{base: '{LONG}!'}}",
                "source": f"app: {{source: '{'y' * 300}'}}",
                "source-long": f"app: {{source: '{'y/' * 3000}'}}",
                "ca": f"image: {{bench: true, ca: '{'y' * 300}'}}",
                "build-env": f"image: {{bench: true, build_env: {{A: '{LONG}'}}}}",
                "groups": "workers: [" + "{}, " * 2000 + "{}]",
                "storages": "storage: [" + "{target: /a}, " * 2000 + "]",
                "surrogate": '"\\uD800": x',
                "surrogate-value": 'app: {source: "\\uD800"}',
                "direction": '"a\\u202Eb": x',
                "stack-surrogate": 'stack: {x-a: "\\uD800"}',
                "stack-surrogate-key": 'stack: {"x-\\uD800": 1}',
                "stack-nul": 'stack: {x-a: {b: ["a\\0b"]}}',
                "stack-newline": 'stack: {x-a: "a\\nb"}',
                "stack-direction": 'stack: {x-a: "a\\u202Eb"}',
                "stack-isolate": 'stack: {x-a: "a\\u2067b"}',
                "stack-key": 'stack: {"x-\\u202E": b}',
                "stack-key-nul": 'stack: {x-a: {"b\\0c": d}}',
                "stack-key-newline": 'stack: {x-a: {"b\\nc": d}}',
                "stack-number": "stack: {x-a: 1000000000000000000000}",
                "stack-huge": f"stack: {{x-a: {HUGE}}}",
                "stack-nan": "stack: {x-a: .nan}",
                "stack-long": f"stack: {{services: {LONG}}}",
                "stack-long-key": f"stack: {{{LONG}: 1}}",
                "stack-date": "stack: {x-a: 2026-01-01}",
                "stack-mixed": "stack: {services: {a: {cap_add: ["
                + "".join(f"{n}, a{n}, " for n in range(9000))
                + "]}}}",
                "group-stack": 'workers: [{stack: {labels: {"a\\nb": c}}}]',
                "group-env": 'workers: [{stack: {environment: {a: "b\\u202E"}}}]',
                "network-stack": 'network: {stack: {labels: {a: "b\\0"}}}',
                "merged": f"workers: [{{stack: {{deploy: {LONG}}}}}]",
            }.items()
        ],
    ],
)
def test_a_hostile_value_is_refused_at_its_place(site: Path, text: str, place: str) -> None:
    (site / "mpigen.yaml").write_text(text + "\n")
    message = refused(site, "validate")
    assert message.startswith(f"error: mpigen.yaml:{place}"), message
    assert "x" * 100 not in message and "9" * 100 not in message and "f" * 100 not in message
    assert all(letter.isprintable() or letter == "\n" for letter in message), ascii(message)


def test_the_place_of_a_value_in_stack_is_its_own(site: Path) -> None:
    (site / "mpigen.yaml").write_text('name: x\nstack:\n  x-a:\n    - b\n    - {"c": "d\\u202E"}\n')
    assert refused(site, "validate").startswith("error: mpigen.yaml:5:8: stack.x-a[1].c: ")


def test_two_large_layers_are_merged_at_once(site: Path) -> None:
    """Each of them within its bounds; what is merged is refused for what is in it."""
    for name in ("mpigen.yaml", "layer.yaml"):
        text = "".join(f"  k{n}: {{a: [1]}}\n" for n in range(3000))
        (site / name).write_text(f"name: x\nstack:\n{text}")
    assert "mistakes" in refused(site, "validate", "-c", "mpigen.yaml", "-c", "layer.yaml")
