"""`mpigen init`, `validate` and `schema` as users run them."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from mpigen import __version__
from mpigen.config import starter
from mpigen.config.docs import Section, entries, markdown
from mpigen.config.models import Config
from mpigen.errors import InputError
from tests import sites
from tests.conftest import ROOT, Mpigen, snapshot
from tests.unit.cli.test_render import git

FILES = ["mpigen.yaml", "mpigen.schema.json", ".gitignore", "app/Makefile", "app/hello.cpp"]
BROKEN = sorted((ROOT / "tests/golden/broken").glob("*.yaml"))

# a field or a section that is a comment; prose has a space behind its #
COMMENTED = re.compile(r"^( *)#((?:- )?([a-z_]+):.*)$")
KEY = re.compile(r"^( *)#?((?:- )?[a-z_]+:.*)$")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that the test is in."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def written(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_what_mpigen_writes_into_a_site_at_work_is_not_for_git(here: Path, mpigen: Mpigen) -> None:
    assert mpigen("init").code == 0
    git(here, "init", "--quiet")
    for name in ("report.html", "report.json", ".mpigen-new"):
        (here / name).touch()
    git(here, "add", "--all")
    staged = git(here, "ls-files").split()
    assert "mpigen.yaml" in staged and ".gitignore" in staged
    assert not {"report.html", "report.json", ".mpigen-new"} & set(staged)


@pytest.mark.parametrize(
    ("ci", "more"),
    [("github", {".github/workflows/mpigen.yml"}), ("gitlab", {".gitlab-ci.yml"}), ("none", set())],
)
def test_a_new_site_can_be_rendered_at_once(
    here: Path, mpigen: Mpigen, ci: str, more: set[str]
) -> None:
    done = mpigen("init", "my site", "--ci", ci)
    assert done.code == 0, done.err
    assert written(here / "my site") == {*FILES, *more}
    assert all(f"     new  my site/{path}\n" in done.out for path in (*FILES, *more))
    assert done.out.endswith("next: cd 'my site' && mpigen render\n")
    assert mpigen("render", "-c", "my site/mpigen.yaml").code == 0
    stack = (here / "my site/output/stack.yml").read_text()
    assert "my-site:latest" in stack


def test_a_new_site_here_names_the_command_alone(here: Path, mpigen: Mpigen) -> None:
    assert mpigen("init").out.endswith("\nnext: mpigen render\n")
    assert sites.schema().is_valid({"name": "here", "app": {"source": "app", "check": "hello"}})
    assert (here / "mpigen.yaml").read_text().startswith("# yaml-language-server: $schema=mpigen.s")
    assert mpigen("validate").out.startswith("here: 2 containers, 4 slots, ")


def test_the_program_is_that_of_the_reference_site(here: Path, mpigen: Mpigen) -> None:
    mpigen("init")
    for name in ("Makefile", "hello.cpp"):
        assert (here / "app" / name).read_bytes() == (ROOT / "app" / name).read_bytes()


@pytest.mark.parametrize("ci", ["github", "gitlab"])
def test_init_says_that_ci_needs_mpigen_itself(here: Path, mpigen: Mpigen, ci: str) -> None:
    done = mpigen("init", "--ci", ci)
    pipeline = starter.CI_FILES[ci]
    assert (
        "\nCI needs mpigen itself: commit a wheel by `pip wheel --no-deps -w ci PATH_OF_MPIGEN`, "
        f"or set MPIGEN in {pipeline} to a checkout or a git+https:// URL (docs/committing.md)\n"
    ) in done.out
    assert f" ci/mpigen-{__version__}-py3-none-any.whl\n" in (here / pipeline).read_text()


def test_a_ci_file_is_written_where_it_is_read(here: Path, mpigen: Mpigen) -> None:
    git(here, "init", "--quiet")
    (here / "worktree").mkdir()
    (here / "worktree/.git").write_text("gitdir: elsewhere\n")
    for folder, given, written_to in (
        (".", (), True),
        ("worktree", (), True),
        ("below", (), False),
        ("asked", ("--ci", "github"), True),
    ):
        done = mpigen("init", folder, *given)
        assert (here / folder / starter.CI_FILES["github"]).exists() == written_to
        assert ("CI needs mpigen itself" in done.out) == written_to


@pytest.mark.parametrize("wrong", ["--ci=jenkins", "--name=x"])
def test_a_word_that_init_does_not_know_is_refused(here: Path, mpigen: Mpigen, wrong: str) -> None:
    assert mpigen("init", wrong).code == 2
    assert not written(here)


def test_what_a_folder_has_is_kept_and_what_is_missing_is_written(
    here: Path, mpigen: Mpigen
) -> None:
    """A repository has a .gitignore and sources long before it is a site."""
    (here / ".gitignore").write_text("mine\n")
    (here / "app").mkdir()
    (here / "app" / "solver.c").write_text("int main(void) { return 0; }\n")
    before = snapshot(here)
    done = mpigen("init")
    assert done.code == 0, done.err
    assert re.findall(r"^    kept  (.*)$", done.out, re.MULTILINE) == [".gitignore", "app"]
    after = snapshot(here)
    assert {path: after[path] for path in before} == before
    assert written(here) - set(before) == {"mpigen.yaml", "mpigen.schema.json"}
    # the program of init is not there, so the checks must not ask for it
    assert sites.config(here, (here / "mpigen.yaml").read_text()).app.check is None
    assert mpigen("render").code == 0


def test_a_site_is_kept_as_it_is(here: Path, mpigen: Mpigen) -> None:
    mpigen("init")
    (here / "mpigen.schema.json").unlink()
    (here / "mpigen.yaml").unlink()
    (here / "mpigen.yaml").symlink_to("nowhere")
    before = snapshot(here)
    assert mpigen("init").code == 0
    after = snapshot(here)
    assert {path: after[path] for path in before} == before
    assert set(after) - set(before) == {"mpigen.schema.json"}


@pytest.mark.parametrize("blocked", [".github", "app/Makefile"])
def test_a_write_that_fails_leaves_nothing_behind(
    here: Path, blocked: str, monkeypatch: pytest.MonkeyPatch, mpigen: Mpigen
) -> None:
    if blocked == ".github":
        (here / blocked).write_text("a file\n")
    else:
        full = OSError(28, "No space left on device", blocked)
        real = Path.open

        def fail(self: Path, *words: object, **more: object) -> object:
            if self.name == "Makefile" and words == ("x",):
                raise full
            return real(self, *words, **more)  # type: ignore[call-overload]

        monkeypatch.setattr(Path, "open", fail)
    before = snapshot(here)
    done = mpigen("init", "--ci", "github")
    assert done.code == 2
    assert f"{blocked}" in done.err and "cannot be written" in done.err
    assert snapshot(here) == before


def test_a_failed_write_takes_the_new_folder_with_it(here: Path, mpigen: Mpigen) -> None:
    (here / "file").write_text("mine\n")
    assert mpigen("init", "file/site").code == 2
    assert mpigen("init", "file").code == 2
    with pytest.raises(InputError):
        starter.write({"a/b": "x", "a/b/c": "y"}, here / "new" / "site")
    assert written(here) == {"file"}
    assert not (here / "new").exists()


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("solver", "solver"),
        ("My Solver_2", "my-solver-2"),
        ("-x-", "x"),
        ("2024", "2024"),
        ("1e3", "1e3"),
        ("yes", "yes"),
        ("Größe", "grosse"),
        ("My Prögram 2", "my-program-2"),
        ("日本", "mpi"),
        ("a" * 39 + "-b", "a" * 39),
    ],
)
def test_the_name_is_the_folders_made_a_dns_label(
    tmp_path: Path, mpigen: Mpigen, folder: str, name: str
) -> None:
    done = mpigen("init", tmp_path / folder)
    assert done.code == 0
    assert (f"\nname: {name}\n" in done.out) == (name != folder)
    done = mpigen("validate", "-c", tmp_path / folder / "mpigen.yaml")
    assert done.out.startswith(f"{name}: "), done.err


def test_git_takes_no_private_key_of_a_new_site(here: Path, mpigen: Mpigen) -> None:
    mpigen("init")
    mpigen("render")
    (here / "output/.gitignore").unlink()
    (here / "output/.mpigen-left").write_text("x")
    subprocess.run(["git", "init", "-q"], check=True)
    command = ["git", "ls-files", "--others", "--exclude-standard", "output"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    keys = {path for path in done.stdout.splitlines() if "keys/" in path or ".mpigen" in path}
    assert keys == {"output/keys/id_ed25519.pub", "output/keys/ssh_host_ed25519_key.pub"}


def commented(text: str) -> dict[int, str]:
    """The lines that are fields as comments: number to name; not those of sections."""
    found = {}
    for number, line in enumerate(text.splitlines()):
        match = COMMENTED.match(line)
        if match and not line.endswith(":"):
            found[number] = match[3]
    return found


def uncommented(text: str, wanted: set[int]) -> str:
    """`text` with the # gone from the `wanted` lines and from what they are indented under."""
    lines = text.splitlines()
    for number in wanted:
        match = COMMENTED.match(text.splitlines()[number])
        assert match
        indent = len(match[1])
        lines[number] = match[1] + match[2]
        for above in range(number - 1, -1, -1):
            parent = KEY.match(text.splitlines()[above])
            if parent and len(parent[1]) < indent:
                lines[above] = parent[1] + parent[2]
                indent = len(parent[1])
    return "\n".join(lines) + "\n"


def fields_set(config: Config) -> set[str]:
    """The paths of the fields that the file says, as in `workers.slots`."""
    found = set()
    for name in config.model_fields_set:
        value = getattr(config, name)
        for section in value if isinstance(value, list) else [value]:
            inner = getattr(section, "model_fields_set", None)
            found |= {name} if inner is None else {f"{name}.{each}" for each in inner}
    return found


ALWAYS = {"name", "app.source", "app.check"} | {
    f"workers.{field}" for field in ("name", "cpus", "max_per_node")
}
# what each kind of storage takes: not all of its fields go together
STORAGE = {
    "volume": {"target", "type", "source", "read_only"},
    "nfs": {"target", "type", "source", "server", "options", "shared"},
    "tmpfs": {"target", "type", "size"},
}
EVERY = {
    f"{entry.name}.{field.name}" if isinstance(entry, Section) else entry.name
    for entry in entries()
    for field in (entry.fields if isinstance(entry, Section) else (entry,))
}


def test_a_new_site_says_what_its_cpus_should_be(here: Path, mpigen: Mpigen) -> None:
    mpigen("init")
    lines = (here / "mpigen.yaml").read_text().splitlines()
    number = lines.index("    cpus: 2")
    assert "number of cores" in lines[number - 1]


def test_the_file_of_a_new_site_says_little_and_shows_every_field(tmp_path: Path) -> None:
    text = starter.config_text("x")
    (tmp_path / "app").mkdir()
    assert fields_set(sites.config(tmp_path, text)) == ALWAYS
    assert len(commented(text)) == len(EVERY - ALWAYS)
    assert max(map(len, text.splitlines())) <= 100


def of_storage(text: str) -> dict[str, int]:
    """The lines of the storage's fields."""
    lines = text.splitlines()
    first, end = lines.index("#storage:"), lines.index("#launcher:")
    return {name: n for n, name in commented(text).items() if first < n < end}


@pytest.mark.parametrize("kind", STORAGE)
def test_each_kind_of_storage_can_be_uncommented(tmp_path: Path, kind: str) -> None:
    (tmp_path / "app").mkdir()
    text = starter.config_text("x")
    wanted = {number for name, number in of_storage(text).items() if name in STORAGE[kind]}
    text = uncommented(text, wanted).replace("    type: volume\n", f"    type: {kind}\n")
    text = text.replace("source: data", "source: /export") if kind == "nfs" else text
    config = sites.config(tmp_path, text)
    assert fields_set(config) - ALWAYS == {f"storage.{name}" for name in STORAGE[kind]}


def others(text: str) -> dict[int, str]:
    """The commented fields but those of the storage."""
    apart = set(of_storage(text).values())
    return {number: name for number, name in commented(text).items() if number not in apart}


@pytest.mark.parametrize("line", others(starter.config_text("x")).items(), ids=str)
def test_each_field_can_be_uncommented(tmp_path: Path, line: tuple[int, str]) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----")
    config = sites.config(tmp_path, uncommented(starter.config_text("x"), {line[0]}))
    said = fields_set(config) - ALWAYS
    assert {path.rpartition(".")[2] for path in said} == {line[1]}


def test_all_fields_can_be_uncommented_and_rendered(here: Path, mpigen: Mpigen) -> None:
    mpigen("init")
    (here / "ca.pem").write_text("-----BEGIN CERTIFICATE-----")
    text = (here / "mpigen.yaml").read_text()
    apart = {n for name, n in of_storage(text).items() if name not in STORAGE["volume"]}
    config = sites.config(here, uncommented(text, set(commented(text)) - apart))
    gone = {f"storage.{name}" for name in ("server", "options", "size", "shared")}
    assert fields_set(config) == EVERY - gone
    assert mpigen("render").code == 0


def test_defaults_are_shown_as_they_are(tmp_path: Path) -> None:
    text = starter.config_text("x")
    plain = sites.config(tmp_path, "name: x\n")
    for line, value in (
        ("  #base: {}", plain.image.base),
        ("  #name: {}", plain.network.name),
        ("  #port: {}", plain.ssh.port),
        ("    #replicas: {}", plain.workers[0].replicas),
    ):
        assert f"\n{line.format(value)}\n" in text


def test_validate_says_what_a_render_would_make_and_writes_nothing(
    here: Path, mpigen: Mpigen
) -> None:
    (here / "mpigen.yaml").write_text("name: x\nworkers: [{replicas: 4, slots: 2}]\n")
    before = snapshot(here)
    done = mpigen("validate")
    assert snapshot(here) == before
    assert (done.code, done.err) == (0, "")
    mpigen("render")
    made = written(here / "output") - {"keys/id_ed25519", "keys/ssh_host_ed25519_key"}
    assert done.out == f"x: 4 containers, 8 slots, {len(made)} artifacts; valid\n"
    report = json.loads(mpigen("validate", "--json").out)
    counts = {"containers": 4, "slots": 8, "artifacts": len(made)}
    cluster = {"name": "x", **counts}
    assert report == {"valid": True, "errors": [], "warnings": [], "cluster": cluster}


@pytest.mark.parametrize("broken", BROKEN, ids=lambda file: file.stem)
def test_validate_says_of_a_broken_file_what_render_says(
    here: Path, mpigen: Mpigen, broken: Path
) -> None:
    (here / "app").mkdir()
    (here / "mpigen.yaml").write_bytes(broken.read_bytes())
    done = mpigen("validate")
    assert (done.code, done.out) == (2, "")
    assert done.err == broken.with_suffix(".txt").read_text(encoding="utf-8")
    told = mpigen("validate", "--json")
    assert (told.code, told.err) == (2, "")
    report = json.loads(told.out)
    assert (report["valid"], report["cluster"]) == (False, None)
    rows = [
        f"{row['file']}:{row['line']}:{row['column']}: "
        + (f"{row['path']}: " if row["path"] else "")
        + row["message"]
        for row in report["errors"]
    ]
    lines = done.err.removeprefix("error: ").splitlines()
    assert rows == [line for line in lines if not line.startswith("Nothing was written")]


def test_validate_tells_warnings_and_errors_of_templates_too(here: Path, mpigen: Mpigen) -> None:
    (here / "mpigen.yaml").write_text("name: x\nworkers: [stack: {cap_add: [SYS_PTRACE]}]\n")
    done = mpigen("validate")
    assert done.code == 0
    assert done.err.startswith("warning: stack.yml: services.worker.cap_add")
    (warning,) = json.loads(mpigen("validate", "--json").out)["warnings"]
    assert done.err == f"warning: {warning}\n"
    sites.template(here, "a.txt.j2", "{{ nope }}\n")
    assert mpigen("validate").code == 2
    (row,) = json.loads(mpigen("validate", "--json").out)["errors"]
    assert "'nope' is undefined" in row["message"]
    assert row.keys() == {"file", "line", "column", "path", "message"}


def test_validate_takes_layers_and_names_the_right_file(here: Path, mpigen: Mpigen) -> None:
    (here / "base.yaml").write_text("name: x\n")
    (here / "upper.yaml").write_text("ssh:\n  port: 22\n")
    assert mpigen("validate", "-c", "base.yaml").code == 0
    done = mpigen("validate", "-c", "base.yaml", "-c", "upper.yaml", "--json")
    (row,) = json.loads(done.out)["errors"]
    assert (row["file"], row["line"], row["column"]) == ("upper.yaml", 2, 3)
    assert row["path"] == "ssh.port"


def test_a_missing_file_says_how_to_start(here: Path, mpigen: Mpigen) -> None:
    done = mpigen("validate")
    assert done.code == 2
    assert "mpigen init" in done.err
    (row,) = json.loads(mpigen("validate", "--json").out)["errors"]
    assert (row["file"], row["message"]) == (None, "mpigen.yaml: no such file")
    assert not written(here)


def test_schema_prints_what_init_writes(here: Path, mpigen: Mpigen) -> None:
    mpigen("init")
    done = mpigen("schema")
    assert done.out == (here / "mpigen.schema.json").read_text(encoding="utf-8")
    Draft202012Validator.check_schema(json.loads(done.out))
    assert mpigen("schema", "--markdown").out == markdown()
