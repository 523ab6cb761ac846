"""Values reach YAML, shell, JSON, Python and Dockerfile as themselves, by the real parsers."""

import ast
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mpigen.artifacts.manifest import File
from mpigen.errors import InputError
from mpigen.render import quote
from mpigen.render.render import render
from mpigen.render.templates import Templates
from tests import sites

NASTY = [
    "a'b",
    'a"b',
    'it\'s "both"',
    "$HOME",
    "${HOME}",
    "$$",
    "$(id)",
    "`id`",
    "{{ cluster.name }}",
    "{% raw %}",
    "{# a",
    "-x",
    "--option",
    "ends with \\",
    "\\n",
    "a # b",
    "#a",
    "key: value",
    "- item",
    "!!python/name:os.system",
    "&a *a",
    "<b>&amp;",
    "a;b|c&d>e",
    "*?[a]",
    "~",
    "%s %%",
    "@interface@",
    "@single_copy@",
    "größe",
    "数",
    "🚀",
    "no",
    "0x10",
    " outer spaces ",
    "",
    "two\nlines",
    "a\ttab",
    "a\rb",
    "a\x00b",
    "a\x1b[31mb",
    "a\u2028b",
    "a\u202eb",
    "'''\"\"\"",
    "EOF",
]


def one_line(values: list[str]) -> list[str]:
    return [value for value in values if value.isprintable()]


@pytest.mark.parametrize("value", [value for value in NASTY if "\0" not in value])
def test_sh_makes_one_word_of_a_value(value: str) -> None:
    for word in (quote.sh(value), quote.sh([value])):
        printed = subprocess.run(["sh", "-c", f"printf %s {word}"], capture_output=True, check=True)
        assert printed.stdout.decode() == value


def test_sh_makes_a_word_of_each_item() -> None:
    values = ["a b", "$x", ""]
    script = f"printf '%s\\n' {quote.sh(values)}"
    printed = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert printed.stdout == "a b\n$x\n\n"


@pytest.mark.parametrize("value", one_line(NASTY))
def test_sh_inside_is_text_in_double_quotes(value: str) -> None:
    script = f'printf %s "<{quote.sh_inside(value)}>"'
    printed = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
    assert printed.stdout.decode() == f"<{value}>"


@pytest.mark.parametrize("value", one_line(NASTY))
def test_perl_gives_the_value_back(value: str) -> None:
    command = ["perl", "-e", f"print {quote.perl(value)};"]
    assert subprocess.run(command, check=True, capture_output=True).stdout.decode() == value


@pytest.mark.parametrize("value", [*NASTY, 7, 1.5, True, None, ["a", "$b"], {"a: b": "c"}])
def test_yaml_json_and_python_give_the_value_back_from_one_line(value: object) -> None:
    in_yaml = quote.yaml(value)
    # Compose reads $$ as $
    assert undollared(yaml.safe_load(f"key: {in_yaml}\n")) == {"key": value}
    assert json.loads(quote.json_text(value)) == value
    assert ast.literal_eval(quote.python(value)) == value
    assert not {"\n", "\r"} & set(in_yaml + quote.json_text(value) + quote.python(value))


def undollared(data: Any) -> Any:
    """`data` as `docker stack deploy` sees it, which wants every $ doubled."""
    if isinstance(data, str):
        assert "$" not in data.replace("$$", "")
        return data.replace("$$", "$")
    if isinstance(data, list):
        return [undollared(item) for item in data]
    if isinstance(data, dict):
        return {undollared(key): undollared(value) for key, value in data.items()}
    return data


@pytest.mark.parametrize("value", [value for value in one_line(NASTY) if "`" not in value])
def test_dockerfile_makes_one_word_of_a_value(value: str) -> None:
    # in double quotes Docker reads \, " and $ as a shell does; a ` means nothing to it
    script = f"printf %s {quote.dockerfile(value)}"
    printed = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
    assert printed.stdout.decode() == value


@pytest.mark.parametrize("one", [quote.text, quote.dockerfile, quote.sh_inside, quote.perl])
def test_a_value_of_several_lines_is_refused_where_there_is_room_for_one(one: quote.Quote) -> None:
    for value in set(NASTY) - set(one_line(NASTY)):
        with pytest.raises(ValueError, match="must be one line here"):
            one(value)


@pytest.mark.parametrize(
    "one", [quote.text, quote.dockerfile, quote.sh, quote.sh_inside, quote.perl]
)
def test_no_value_is_refused_where_it_would_read_none(one: quote.Quote) -> None:
    with pytest.raises(ValueError, match="no value"):
        one(None)


def test_the_quoting_goes_by_the_kind_of_file() -> None:
    assert quote.for_file("Dockerfile", "") is quote.dockerfile
    assert quote.for_file("a/stack.yml", "") is quote.yaml
    assert quote.for_file("a.json", "") is quote.json_text
    assert quote.for_file("verify/a.py", "") is quote.python
    assert quote.for_file("a/b.sh", "") is quote.sh
    assert quote.for_file("usr/bin/mpirun", "#!/bin/sh\n") is quote.sh
    assert quote.for_file("a.conf", "") is quote.text


# Every field that takes text, with two values that do no harm. VALUE stands for the value.
FIELDS: dict[str, tuple[dict[str, Any], str, str]] = {
    "name": ({"name": "VALUE"}, "solver", "other"),
    # no release that is known: those differ in more than their name
    "image.base": ({"image": {"base": "VALUE"}}, "site:12", "site:13"),
    "image.tag": ({"image": {"tag": "VALUE"}}, "solver:1", "other:1"),
    "image.packages": ({"image": {"packages": ["VALUE"]}}, "gdb", "strace"),
    "image.build_packages": (
        {"image": {"bench": True, "build_packages": ["VALUE"]}},
        "cmake",
        "gfortran",
    ),
    "app.source": ({"app": {"source": "VALUE"}}, "src", "other"),
    "app.build": ({"app": {"build": "VALUE"}}, "make", "cmake"),
    "app.bin": ({"app": {"bin": "VALUE"}}, "/opt/bin", "/opt/other"),
    "app.check": ({"app": {"check": "VALUE"}}, "hello", "other"),
    "mpi.implementation": ({"mpi": {"implementation": "VALUE"}}, "openmpi", "openmpi"),
    "mpi.params": ({"mpi": {"params": {"VALUE": "1"}}}, "mine", "other"),
    "mpi.params.mine": ({"mpi": {"params": {"mine": "VALUE"}}}, "yours", "other"),
    "user.name": ({"user": {"name": "VALUE"}}, "runner", "other"),
    "network.name": ({"network": {"name": "VALUE"}}, "overlay", "other"),
    "network.subnet": ({"network": {"subnet": "VALUE"}}, "10.0.0.0/24", "10.1.0.0/24"),
    "workers.name": ({"workers": [{"name": "VALUE"}]}, "group", "other"),
    "workers.cpus": ({"workers": [{"cpus": "VALUE"}]}, "2", "3"),
    "workers.memory": ({"workers": [{"memory": "VALUE"}]}, "1g", "600m"),
    "workers.shm": ({"workers": [{"shm": "VALUE"}]}, "64m", "32m"),
    "workers.constraints": (
        {"workers": [{"constraints": ["VALUE"]}]},
        "node.labels.role==worker",
        "node.labels.role!=manager",
    ),
}

# compiled once: this is the slow part
BUILTIN = Templates()


def filled(pattern: Any, value: str) -> Any:
    if isinstance(pattern, dict):
        return {filled(key, value): filled(item, value) for key, item in pattern.items()}
    if isinstance(pattern, list):
        return [filled(item, value) for item in pattern]
    return value if pattern == "VALUE" else pattern


def site(folder: Path, field: str, value: str) -> dict[str, File]:
    """The artifacts of a site in which `field` has `value`, and all else is ordinary."""
    folder.mkdir()
    fields = filled(FIELDS[field][0], value)
    source = fields.get("app", {}).get("source", "app")
    try:
        (folder / source).mkdir(exist_ok=True, parents=True)
    except (OSError, ValueError):
        source = "app"
    app = {"source": "app", "check": "hello", **fields.get("app", {})}
    data = {"name": "x", **fields, "app": app}
    # JSON is YAML, and says every character
    cluster = sites.cluster(folder, json.dumps(data, ensure_ascii=False))
    return render(cluster, sites.PUBLIC, BUILTIN)


def rendered(folder: Path, field: str) -> Iterator[tuple[str, dict[str, File]]]:
    """Each nasty value that `field` takes, with its artifacts."""
    # a value of its own, and as the end of one that fits the field
    values = [*NASTY, *(FIELDS[field][1] + nasty for nasty in NASTY if nasty)]
    for index, value in enumerate(values):
        try:
            yield value, site(folder / str(index), field, value)
        except InputError as error:
            # by mpigen.yaml's own checks, that is: not by a template's
            assert "mpigen.yaml" in error.message, (value, error.message)


@pytest.mark.parametrize("field", FIELDS)
def test_a_nasty_value_is_refused_or_changes_nothing_but_itself(field: str, tmp_path: Path) -> None:
    plain = site(tmp_path / "plain", field, FIELDS[field][1])
    other = site(tmp_path / "other", field, FIELDS[field][2])
    for value, files in rendered(tmp_path, field):
        assert list(files) == list(plain), value
        for path, file in files.items():
            # the lines that hold the value, and no others
            assert changed(plain[path], file) <= changed(plain[path], other[path]), (value, path)
            READERS.get(kind(path, file), str)(file.text)
        stacks = (yaml.safe_load(each["stack.yml"].text) for each in (plain, files))
        assert shape(next(stacks)) == shape(next(stacks)), value


def changed(one: File, other: File) -> set[int]:
    """The lines that are not the same, of which there must be as many in both."""
    pairs = zip(one.text.split("\n"), other.text.split("\n"), strict=True)
    return {number for number, (here, there) in enumerate(pairs, 1) if here != there}


def shape(data: Any) -> Any:
    """`data` without what it says: how many keys and items, and what kind each value is."""
    if isinstance(data, dict):
        return [shape(value) for value in data.values()]
    if isinstance(data, list):
        return [shape(item) for item in data]
    return type(data)


def kind(path: str, file: File) -> str:
    return "sh" if file.text.startswith("#!/bin/sh") else path.rpartition(".")[2]


def check_shell(text: str) -> None:
    done = subprocess.run(["sh", "-n"], input=text.encode(), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


READERS: dict[str, Callable[[str], object]] = {"sh": check_shell, "py": ast.parse}


def accepted(folder: Path, field: str) -> list[tuple[str, dict[str, File]]]:
    """As `rendered`, and there must be some."""
    found = list(rendered(folder, field))
    assert len(found) > 5
    return found


def test_the_build_command_arrives_whole(tmp_path: Path) -> None:
    for value, files in accepted(tmp_path, "app.build"):
        (line,) = [
            line for line in files["Dockerfile"].text.splitlines() if line.startswith("RUN [")
        ]
        *shell, command = json.loads(line.removeprefix("RUN "))
        assert shell == ["/bin/sh", "-euc"]
        assert command.partition("; ")[2] == value


def test_the_check_command_arrives_whole(tmp_path: Path) -> None:
    for value, files in accepted(tmp_path, "app.check"):
        tree = ast.parse(files["verify/test_cluster.py"].text)
        assert value in {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        (line,) = [
            line
            for line in files["scripts/deploy.sh"].text.splitlines()
            if line.startswith('echo "next: ')
        ]
        # the echo of some shells makes a newline of \n, and only the screen sees it
        script = "here=/h; " + line.replace("echo", "printf '%s\\n'", 1)
        printed = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
        assert printed.stdout.decode() == f"next: sh /h/scripts/run.sh {value}\n"


def test_the_source_folder_arrives_whole(tmp_path: Path) -> None:
    for value, files in accepted(tmp_path, "app.source"):
        (line,) = [
            line
            for line in files["scripts/build.sh"].text.splitlines()
            if line.startswith("source=")
        ]
        script = f'site=/s; {line}; printf %s "$source"'
        printed = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
        assert Path(printed.stdout.decode()) == Path("/s", value)


def test_constraints_arrive_whole(tmp_path: Path) -> None:
    for value, files in accepted(tmp_path, "workers.constraints"):
        stack = undollared(yaml.safe_load(files["stack.yml"].text))
        assert stack["services"]["worker"]["deploy"]["placement"]["constraints"] == [value]


def test_mpi_parameters_arrive_whole(tmp_path: Path) -> None:
    for value, files in accepted(tmp_path, "mpi.params.mine"):
        lines = files["rootfs/etc/mpi/openmpi-mca-params.conf"].text.splitlines()
        assert f"mine = {value}" in lines
