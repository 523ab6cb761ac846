"""Hostile sites, made up: what somebody may commit as mpigen.yaml, manifest.json or templates."""

import json
import random
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from tests.configs import sites

Files = dict[str, bytes]

_ODD_TEXT = st.sampled_from(
    [
        "\0", "a\nb", "\u202ex", "\u2067", "\ud800", "\x1b[2J", "x" * 5000, "../../etc/passwd",
        "~", "*", "/dev/zero", "!!bool maybe", "{{ 1 }}", "$(id)", "\ufeff", "🦀", "<<", ".nan",
        "0x" + "f" * 5000,
    ]
)  # fmt: skip
_ODD_NUMBER = st.sampled_from(
    [0, -1, 2**31, 2**63, 2**64, 10**21, 10**400, 1e308, -0.0, float("nan"), float("inf")]
)
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    _ODD_TEXT,
    _ODD_NUMBER,
)
_VALUES: st.SearchStrategy[Any] = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
# pieces of YAML and Jinja that parsers stumble over
_PIECES = st.sampled_from(
    [
        b"name: x\n", b"workers:\n- ", b"stack: ", b"{", b"}", b"[" * 60, b"]", b"&a ", b"*a",
        b"<<: *a\n", b"!!timestamp x", b"!!int ''", b"!!binary 0", b"!append ", b"? ", b": ", b"- ",
        b"!!python/object:os.system x", b"\n", b"  ", b"\t", b"'", b'"', b'"\\ud800"', b"|\n  ",
        b"%YAML 9.9\n", b"---\n", b"...", b"1:60:60", b"9" * 4400, b"\xff", b"\0", b"\r", b"#",
        b"\xe2\x80\xae", b"{{ ", b" }}", b"{% block ", b"{% endblock %}", b"{% include name %}",
        b"{% for i in range(10**9) %}", b"{% extends 'builtin/stack.yml.j2' %}", b"cluster",
        b".__class__", b"|sh", b"~", b"services: ", b"*" * 20,
    ]
)  # fmt: skip
_SOUP = st.lists(st.one_of(_PIECES, st.binary(max_size=6)), max_size=12).map(b"".join)


def _changed(data: Any, path: list[int], value: Any) -> Any:
    """Return `data` with another value at a place that the numbers of `path` choose."""
    if not path or not isinstance(data, (dict, list)) or not data:
        return value
    keys = list(data) if isinstance(data, dict) else list(range(len(data)))
    key = keys[path[0] % len(keys)]
    copied = dict(data) if isinstance(data, dict) else list(data)
    copied[key] = _changed(copied[key], path[1:], value)
    return copied


def _yaml(data: Any) -> bytes:
    text: str = yaml.safe_dump(data, allow_unicode=True, sort_keys=False)
    return text.encode(errors="surrogatepass")


_PLACES = st.lists(st.integers(0, 20), min_size=1, max_size=4)
_HERE = "put it here"
# what is written as it is into a file that is right otherwise
_RAW_YAML = st.sampled_from(
    [
        "!!bool maybe", "!!timestamp x", "!!timestamp 2026-99-99", "!!int x", "!!int ''", "!!float ''",
        "!!binary x", "!!null x", "!!set {a}", "!<tag> x", "!append [a]", "!append x", "*nothing", "&a [*a]",
        "{<<: x}", "{<<: [{a: 1}, b]}", "{? [a] : b}", "{!!bool maybe: x}", "{0xff: 1}", "{? {a: b} : c}",
        "[" * 40 + "]" * 40, "[" * 2000 + "]" * 2000, "{a: " * 400 + "}" * 400, "9" * 4400, "9" * 400,
        "0x" + "f" * 9000, "1:" + ":59" * 3000, ".nan", "-.inf", "1e400", "-0", "'" + "x" * 5000 + "'",
        r'"\ud800"', r'"\u202e"', r'"a\0b"', r'"a\nb"', r'{"\ud800": 1}', r'{"\u2067": 1}', "2026-01-01",
        "&a {k: &b [&c x, *c]}", "[&a [x, x, x], *a, *a, *a]", "~", "yes", "[]", "{}", "''", "0o777", "0b1",
    ]
)  # fmt: skip
_RAW_JSON = st.sampled_from(
    [
        "9" * 5000, "1e999", "NaN", "-Infinity", "[" * 9000, '{"a":' * 9000, r'"\ud800"', r'{"\ud800": {}}',
        r'{"a\u0000b": {"sha256": ""}}', '{"' + "a" * 5000 + '": {"sha256": ""}}', "null", "[]", "{}", "true",
        '[{"path": ["a"], "block": {}, "builtin": []}]', r'[{"path": "a", "block": "", "builtin": ["\ud800"]}]',
        '{"../../x": {"sha256": ""}}', '{"/etc/x": {"sha256": ""}}', '{"": {"sha256": ""}}', '"' + "x" * 9000 + '"',
    ]
)  # fmt: skip
_RAW_JINJA = st.sampled_from(
    [
        "{{ cluster.nothing }}", "{{ " + "(" * 500 + " }}", "{{ " + "9" * 4400 + " }}", "{{ 9 ** 99999 }}",
        "{{ cluster.__class__ }}", "{{ [1] * 10**9 }}", "{% for a in range(99999999) %}{% endfor %}", "{{ 1 / 0 }}",
        "{{ cluster.name.x.y }}", "{{ '%999999999d' | format(1) }}", "{% include 'b.txt.j2' %}", "{{ 'a' | int('b') }}",
        "{% extends cluster.name %}", "{{ cluster.model_dump() }}", "{{ {}[[]] }}", "{{ 'x' | nothing }}", "\x1b[2J",
        "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}", "{{ range(3) | list }}", "{{ keys }}", "{% raw %}", "{#",
    ]
)  # fmt: skip


def _with_raw(data: Any, path: list[int], raw: str) -> bytes:
    """Return `data` as JSON, which is YAML, with `raw` written at a place of it."""
    text = json.dumps(_changed(data, path, _HERE), ensure_ascii=False)
    return text.replace(f'"{_HERE}"', raw).encode(errors="surrogatepass")


_odd_sites = st.builds(_changed, sites, _PLACES, _VALUES)
CONFIGS: st.SearchStrategy[bytes] = st.one_of(
    st.builds(_with_raw, sites, _PLACES, _RAW_YAML),
    st.builds(lambda key, raw: f"name: x\n{key}: {raw}\n".encode(errors="surrogatepass"),
              st.sampled_from(["stack", "workers", "mpi", "storage", "app", "image", "x", "!!int y"]), _RAW_YAML),
    _odd_sites.map(_yaml),
    _SOUP,
)  # fmt: skip
TEMPLATES: st.SearchStrategy[Files] = st.dictionaries(
    st.sampled_from(
        ["stack.yml.j2", ".gitignore", ".gitignore.j2", "a.yaml", "b.txt.j2", "keys/x", "Dockerfile",
         "manifest.json", "scripts/run.sh.j2", "README.md.j2", ".git/config", "a.yaml/b", "c.yml.j2"]
    ),
    st.one_of(
        _SOUP,
        _RAW_JINJA.map(str.encode),
        _RAW_YAML.map(lambda raw: f"a: {raw}\n".encode(errors="surrogatepass")),
        st.tuples(_RAW_JINJA, _RAW_YAML).map(lambda two: f"a: {two[0]}\nb: {two[1]}\n".encode(errors="replace")),
    ),
    min_size=1,
    max_size=2,
)  # fmt: skip


def manifests(real: dict[str, Any]) -> st.SearchStrategy[bytes]:
    """A manifest like `real`, with an odd value in it."""
    changed = st.builds(
        lambda *words: json.dumps(_changed(real, *words)).encode(), _PLACES, _VALUES
    )
    return st.one_of(changed, st.builds(_with_raw, st.just(real), _PLACES, _RAW_JSON))


def mutated(original: bytes, seed: int) -> bytes:
    """Return the bytes with some of them changed, removed, repeated or inserted."""
    dice = random.Random(seed)
    data = bytearray(original)
    for _ in range(dice.randint(1, 3)):
        at = dice.randint(0, len(data))
        inserted = [
            bytes([dice.randrange(256)]),
            b"",
            bytes(data[at : at + dice.randint(1, 40)]) * dice.randint(1, 30),
            *(b"[", b"{", b"*a ", b"\0", b"\xff", b"\n", b"!!int ", b"{{", b"%}", b"  ", b"#"),
        ]
        data[at : at + dice.randint(0, 3)] = dice.choice(inserted)
    return bytes(data)


def lay(site: Path, files: Files) -> None:
    """Write the files of a site; what a file system refuses is left out."""
    for name, data in files.items():
        place = site / name
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
        except OSError:
            continue
