"""A job's file: every problem at its line, and a schema for editors."""

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from mpigen.config import job_file
from mpigen.errors import InputError
from tests.conftest import ROOT, Mpigen

WHOLE = """\
command: ["./heat", --steps, "100"]
name: heat
ranks: 4
workers: [cpu, gpu]
env: {A: "1", B: x y}
workdir: /scratch
mounts: ["type=volume,source=data,target=/data"]
timeout: 1h30m
grace: 30
label: true
detach: true
retries: 3
fetch: ["out*.csv"]
"""


def load(folder: Path, text: str) -> job_file.JobFile:
    file = folder / "job.yaml"
    file.write_text(text)
    return job_file.load(file)


def test_every_field_is_read(tmp_path: Path) -> None:
    job = load(tmp_path, WHOLE)
    assert job.command == ["./heat", "--steps", "100"]
    assert (job.env, job.timeout, job.retries) == ({"A": "1", "B": "x y"}, "1h30m", 3)
    assert job.fetch == ["out*.csv"]
    assert set(yaml.safe_load(WHOLE)) == set(job_file.JobFile.model_fields)


def test_the_file_in_the_documents_is_right(tmp_path: Path) -> None:
    text = (ROOT / "docs/jobs.md").read_text("utf-8")
    shown = text.split("$schema=job.schema.json\n")[1].split("```")[0]
    assert load(tmp_path, shown).command == ["./heat", "--steps", "1000"]
    # every field is in it, or in a comment
    uncommented = shown.replace("# fetch:", "fetch:")
    assert set(yaml.safe_load(uncommented)) == set(job_file.JobFile.model_fields)
    assert load(tmp_path, uncommented).fetch == ["out/*.csv"]


def test_a_command_in_one_text_is_split_as_a_shell_does(tmp_path: Path) -> None:
    job = load(tmp_path, "command: ./heat 'a b' $HOME *\n")
    assert job.command == ["./heat", "a b", "$HOME", "*"]


def test_every_problem_is_reported_at_its_line(tmp_path: Path) -> None:
    text = """\
comand: ./heat
ranks: 0
env: {A-B: "1"}
timeout: 5 minutes
workdir: here
name: Heat
label: "yes"
ranks: 3
"""
    with pytest.raises(InputError) as caught:
        load(tmp_path, text)
    found = {(fault.line, fault.path): fault.message for fault in caught.value.faults}
    assert list(found) == [
        *((1, "command"), (1, "comand"), (2, "ranks"), (3, "env.A-B"), (4, "timeout")),
        *((5, "workdir"), (6, "name"), (7, "label"), (8, "ranks")),
    ]
    assert found[1, "comand"] == "unknown key; did you mean command?"
    assert found[1, "command"].startswith("must be given: the program with its arguments")
    assert "is not a duration: write it like 90s" in found[4, "timeout"]
    assert "twice" in found[8, "ranks"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"job.yaml:1:1: command: must be given"),
        ("[a]", r"job.yaml:1:1: must be keys and values such as command: ./heat"),
        ("command: './heat \"a'", r"job.yaml:1:1: command: No closing quotation: close the quotes"),
        ("command: []", r"job.yaml:1:1: command: must not be empty"),
        ("command: ''", r"job.yaml:1:1: command: must not be empty"),
        ("command: [1]", r"job.yaml:1:11: command\[0\]: must be text, not the number 1"),
        ("command: x\n\tname: y", r"job.yaml:2:1: not valid YAML"),
    ],
)
def test_what_is_no_job_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(tmp_path, text)


def test_the_schema_takes_what_is_right_and_no_more(mpigen: Mpigen) -> None:
    schema = json.loads(mpigen("schema", "job").out)
    Draft202012Validator.check_schema(schema)
    right = Draft202012Validator(schema)
    assert right.is_valid(yaml.safe_load(WHOLE))
    assert right.is_valid({"command": "./heat"})
    for wrong in ({}, {"command": "x", "comand": "y"}, {"command": "x", "ranks": 0}):
        assert not right.is_valid(wrong), wrong
    assert not right.is_valid({"command": "x", "timeout": "5 minutes"})


def test_the_documentation_of_the_fields_is_fresh(mpigen: Mpigen) -> None:
    table = mpigen("schema", "job", "--markdown").out
    rows = [line.split("`")[1] for line in table.splitlines()[2:]]
    assert rows == list(job_file.JobFile.model_fields)
    stale = "docs/jobs.md is stale: put the output of `mpigen schema job --markdown` there"
    assert f"\n\n{table}\n" in (ROOT / "docs/jobs.md").read_text("utf-8"), stale


@pytest.mark.parametrize("text", ["command: [", "command: x\x07", "command: x\n---\na: b"])
def test_what_is_no_yaml_started_nothing(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="not valid YAML") as caught:
        load(tmp_path, text)
    assert caught.value.hint == "Nothing was started."
    assert "mpigen.yaml" not in caught.value.message


def test_text_of_another_encoding_started_nothing(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_bytes("command: é".encode("latin-1"))
    with pytest.raises(InputError, match="not UTF-8 text") as caught:
        job_file.load(tmp_path / "job.yaml")
    assert caught.value.hint == "Nothing was started."


def test_lists_of_a_job_are_shown_as_they_are_written(tmp_path: Path) -> None:
    text = "command: a\nworkers: cpu gpu\nmounts: type=volume,source=d,target=/d\n"
    with pytest.raises(InputError) as caught:
        load(tmp_path, text)
    assert "not the text 'cpu gpu': write [cpu, gpu]" in caught.value.message
    assert "write ['type=volume,source=d,target=/d']" in caught.value.message
