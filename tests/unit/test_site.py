"""What holds for any site: hypothesis looks for one for which it does not."""

import json
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mpigen.artifacts.manifest import File
from mpigen.distros import release_of
from mpigen.errors import InputError
from mpigen.keys import pair
from mpigen.mpi.openmpi import OPENMPI
from mpigen.render.render import render
from mpigen.stackfile.schema import file_problems
from tests import configs, sites
from tests.unit.render import test_quote

ROOT = Path(__file__).parents[2]

# a render takes longer than hypothesis has patience by default, and the machines are noisy;
# the same examples each time, so that a failure in CI is the failure of here
many = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def artifacts(folder: Path, data: configs.Data) -> dict[str, File]:
    """What is rendered for a site whose mpigen.yaml is `data`."""
    (folder / "app").mkdir(exist_ok=True)
    # JSON is YAML, and says every character
    return sites.artifacts(folder, json.dumps(data, ensure_ascii=False))


@many
@given(data=configs.sites)
def test_any_valid_site_gives_a_stack_that_says_what_it_says(
    data: configs.Data, tmp_path: Path
) -> None:
    files = artifacts(tmp_path, data)
    stack = yaml.safe_load(files["stack.yml"].text)
    assert file_problems(stack, (20, 10)) == []
    for group in data.get("workers", [{"name": "worker"}]):
        service = stack["services"][group["name"]]
        assert service["deploy"]["replicas"] == group.get("replicas", 2)
        said = group.get("stack", {}).get("environment", {})
        # `docker stack deploy` reads $$ as $
        assert test_quote.undollared(service.get("environment", {})) == said
    assert artifacts(tmp_path, data) == files


@settings(many, max_examples=25)
@given(data=configs.sites)
def test_any_valid_site_gives_a_dockerfile_that_hadolint_reads(
    data: configs.Data, tmp_path: Path
) -> None:
    text = artifacts(tmp_path, data)["Dockerfile"].text
    # DL1000 is a Dockerfile that cannot be parsed; the others are about style
    done = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), "--format", "json", "-"],
        input=text.encode(),
        capture_output=True,
    )
    found = json.loads(done.stdout)
    assert [fault for fault in found if fault["level"] == "error"] == [], text


OUR_PARAMS = {name for file in OPENMPI.params_files for name in {**file.params, **file.unbound}}


@settings(many, max_examples=300)
@given(
    field=st.sampled_from(sorted(test_quote.FIELDS)),
    value=st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    prefixed=st.booleans(),
)
def test_any_text_in_any_field_changes_only_its_own_value(
    field: str, value: str, prefixed: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    _, ordinary, other = test_quote.FIELDS[field]
    folder = tmp_path_factory.mktemp("site")
    try:
        files = test_quote.site(folder / "any", field, ordinary + value if prefixed else value)
    except InputError as error:
        assert "mpigen.yaml" in error.message
        return
    if field == "image.base" and release_of(value):
        return  # a known release has packages of its own
    if field == "mpi.params" and value in OUR_PARAMS:
        return  # it is set already, and adds no line
    plain = test_quote.site(folder / "plain", field, ordinary)
    changed = test_quote.site(folder / "other", field, other)
    for path, file in files.items():
        moved = test_quote.changed(plain[path], file)
        assert moved <= test_quote.changed(plain[path], changed[path]), path
        test_quote.READERS.get(test_quote.kind(path, file), str)(file.text)
    shutil.rmtree(folder)


KEYS = pair.new()
TRACER = """\
#!/bin/sh
printf '%s\\0' "$@" >"$TRACE"
for context; do :; done
ls "$context/app" >>"$TRACE"
"""


@settings(many, max_examples=25)
@given(name=configs.one_line, tag=configs.labels())
def test_the_build_script_hands_docker_what_was_said(
    name: str, tag: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Traced: `docker` is a program that writes its arguments and its context down."""
    # what this test and the site itself have beside the sources
    assume(name not in (".", "..", "bin", "mpigen.yaml", "output", "trace"))
    assume("/" not in name and "~" not in name and len(name.encode()) < 200)
    site = tmp_path_factory.mktemp("site")
    data = {"name": "x", "image": {"tag": tag}, "app": {"source": name}}
    try:
        (site / name).mkdir()
        cluster = sites.cluster(site, json.dumps(data, ensure_ascii=False))
    except InputError:
        return  # as a leading dash is
    files = render(cluster, KEYS.public, test_quote.BUILTIN)
    (site / name / "main.c").touch()
    for path, file in files.items():
        (site / "output" / path).parent.mkdir(parents=True, exist_ok=True)
        (site / "output" / path).write_text(file.text, encoding="utf-8")
    for path, text in KEYS.new_private.items():
        (site / "output" / path).touch(mode=0o600)
        (site / "output" / path).write_text(text, encoding="utf-8")
    bin = site / "bin"
    bin.mkdir()
    (bin / "docker").write_text(TRACER, encoding="utf-8")
    (bin / "docker").chmod(0o755)
    subprocess.run(
        ["sh", site / "output" / "scripts" / "build.sh", "--build-arg", "A=b c"],
        env={"PATH": f"{bin}:/usr/bin:/bin", "TRACE": str(site / "trace")},
        check=True,
    )
    words = (site / "trace").read_text(encoding="utf-8").split("\0")
    assert words[:6] == ["build", "--force-rm", "--tag", tag, "--build-arg", "A=b c"]
    assert words[7:] == ["main.c\n"]
    shutil.rmtree(site)


CALLS = """\
#!/bin/sh
printf '%s\\0' "$@" >>"$TRACE"
printf '\\001' >>"$TRACE"
[ "$1" != service ] || echo group=1
"""


@settings(many, max_examples=25)
@given(
    stack=configs.labels(),
    network=configs.labels(),
    words=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\1"))),
)
def test_the_run_script_hands_docker_what_was_said(
    stack: str, network: str, words: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    site = tmp_path_factory.mktemp("site")
    data = {"name": stack, "network": {"name": network}, "image": {"tag": "r:5000/x:1"}}
    (site / "run.sh").write_text(artifacts(site, data)["scripts/run.sh"].text, encoding="utf-8")
    (site / "bin").mkdir()
    (site / "bin/docker").write_text(CALLS, encoding="utf-8")
    (site / "bin/docker").chmod(0o755)
    subprocess.run(
        ["sh", site / "run.sh", "first", *words],
        env={"PATH": f"{site / 'bin'}:/usr/bin:/bin", "TRACE": str(site / "trace")},
        stdin=subprocess.DEVNULL,
        check=True,
    )
    *_, run, _ = (site / "trace").read_bytes().decode().split("\1")
    called = run.split("\0")[:-1]
    assert called[0] == "run"
    assert called[called.index("--network") + 1] == f"{stack}_{network}"
    at = called.index("r:5000/x:1")
    assert called[at + 1 :] == ["mpirun", "first", *words]
    shutil.rmtree(site)


# 300 mistakes in a file that uses every kind of value

VALID = """\
name: lab
image:
  base: debian:trixie-slim
  packages: [gdb, hwloc]
app:
  source: app
  build: |
    make
    make install
  check: hello 1
mpi:
  params: {btl_tcp_eager_limit: 65536, mine: "on"}
user: {name: runner, uid: 1001}
network:
  subnet: 10.77.0.0/24
  mtu: 1500
workers:
  - name: cpu
    replicas: 4
    cpus: 2.5
    memory: 4g
    constraints: [node.role==worker]
    stack:
      environment: {OMP_NUM_THREADS: "2"}
  - name: big
    slots: 8
    shm: 1g
stack:
  volumes: {data: {driver: local}}
"""

RETYPED: list[Any] = [
    None,
    True,
    -1,
    0,
    1.5,
    10**30,
    "",
    "x",
    [],
    ["x"],
    {},
    {"x": 1},
    [[1]],
    {"x": {}},
]


def _delete(text: str, pick: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    first = pick.randrange(len(lines))
    return "".join(lines[:first] + lines[first + pick.randint(1, 3) :])


def _duplicate(text: str, pick: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    line = pick.randrange(len(lines))
    return "".join(lines[: line + 1] + lines[line : line + pick.randint(1, 3)] + lines[line + 1 :])


def _misspell(text: str, pick: random.Random) -> str:
    at = pick.randrange(len(text))
    return (
        text[:at]
        + pick.choice("axZ0 :-,[]{}'\"#\n\t&*!|>%@`$é\0") * pick.randint(0, 2)
        + text[at + 1 :]
    )


def _reindent(text: str, pick: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    line = pick.randrange(len(lines))
    lines[line] = " " * pick.randint(0, 5) + lines[line].lstrip()
    return "".join(lines)


def _retype(text: str, pick: random.Random) -> str:
    data = yaml.safe_load(text)
    parent: Any = data
    while True:
        key = pick.choice(list(parent) if isinstance(parent, dict) else range(len(parent)))
        if not (isinstance(parent[key], (dict, list)) and parent[key] and pick.random() < 0.8):
            break
        parent = parent[key]
    parent[key] = pick.choice(RETYPED)
    dumped: str = yaml.safe_dump(data, sort_keys=False)
    return dumped


EDITS: list[Callable[[str, random.Random], str]] = [
    *(_delete, _duplicate, _misspell, _reindent, _retype)
]


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
def test_a_random_edit_gives_a_place_or_a_render_and_never_a_traceback(
    edit: Callable[[str, random.Random], str], tmp_path: Path
) -> None:
    (tmp_path / "app").mkdir()
    refused = rendered = 0
    for seed in range(60):
        pick = random.Random(seed)
        text = VALID
        for _ in range(pick.choice([1, 1, 2])):
            try:
                text = edit(text, pick)
            except yaml.YAMLError:
                break  # a second retyping needs a file that can be read
        try:
            sites.artifacts(tmp_path, text)
        except InputError as error:
            refused += 1
            for line in error.message.splitlines():
                assert re.match(rf"{tmp_path}/mpigen\.yaml:[0-9]+:[0-9]+: ", line), (seed, line)
        else:
            rendered += 1
    assert refused > 5 and refused + rendered == 60


def test_the_valid_file_is_valid(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    assert "services" in sites.artifacts(tmp_path, VALID)["stack.yml"].text
