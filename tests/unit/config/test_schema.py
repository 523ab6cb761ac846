"""The JSON Schema and the reference: what they say is what mpigen takes."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from jsonschema import ValidationError as JsonSchemaError
from pydantic import ValidationError

from mpigen.config.checks import conflicts
from mpigen.config.docs import Field, Section, entries, markdown
from mpigen.config.document import KeyPath, dotted, parse
from mpigen.config.models import Config
from mpigen.config.schema import json_schema
from mpigen.errors import InputError
from tests import sites
from tests.conftest import ROOT

BROKEN = ROOT / "tests" / "golden" / "broken"

# fields that mpigen refuses and the schema does not, and why no schema can say it
NOT_SAID = {
    ("29-memory-below-dockers-least", "workers[0].memory"): "a pattern cannot count with units",
    ("32-memory-too-large-to-count", "workers[0].memory"): "a pattern cannot count with units",
    ("37-cpus-too-precise", "workers[0].cpus"): "JSON has no decimals: 1e-9 divides few floats",
    ("41-subnet-with-host-bits", "network.subnet"): "a pattern cannot count with bits",
    ("53-app-folder-missing", "app.source"): "it is about the disk",
    ("102-engine-too-old", "engine.minimum"): "a pattern cannot count",
    ("146-engine-not-yet-known", "engine.minimum"): "a pattern cannot count",
    ("108-storage-of-another-type", "storage[3].target"): "one pattern is for all paths",
    ("112-packages-of-a-group-and-an-image-by-digest", "image.tag"): "the base may have a digest",
    ("104-build-stage-without-app", "image.ca"): "it is about the disk",
}


def fields() -> list[tuple[str, Field, bool]]:
    """Every field with the name of its section and whether that is a list."""
    found = []
    for entry in entries():
        if isinstance(entry, Section):
            found += [(entry.name, field, entry.is_list) for field in entry.fields]
        else:
            found.append(("", entry, False))
    return found


def site_of(section: str, field: Field, value: object, is_list: bool) -> dict[str, Any]:
    """The least mpigen.yaml that says `value` for `field`."""
    said: dict[str, Any] = {field.name: value}
    if section == "app":
        said = {"source": "app", **said}
    if section == "storage":
        said = {"target": "/data", **said}
    if not section:
        return {"name": "x", **said}
    return {"name": "x", section: [said] if is_list else said}


def test_the_schema_is_one_of_draft_2020_12() -> None:
    schema = json_schema()
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    assert schema["title"] == "mpigen.yaml"
    assert set(schema["properties"]) == set(Config.model_fields)


def test_every_field_and_section_says_what_it_is_and_has_a_default_or_an_example() -> None:
    assert all(entry.description.endswith((".", "...")) for entry in entries())
    for section, field, _ in fields():
        assert field.description.endswith((".", "...")), (section, field)
        assert field.takes, (section, field)
        assert field.default is not None or field.examples, (section, field)


@pytest.mark.parametrize(
    ("section", "field", "is_list"), fields(), ids=lambda part: getattr(part, "name", None)
)
def test_defaults_and_examples_are_right_by_the_schema_and_by_mpigen(
    section: str, field: Field, is_list: bool
) -> None:
    said = list(field.examples) + ([] if field.required else [field.default])
    for value in said:
        data = site_of(section, field, value, is_list)
        sites.schema().validate(data)
        Config.model_validate(data)


def test_the_reference_site_is_right_by_the_schema() -> None:
    sites.schema().validate(yaml.safe_load((ROOT / "mpigen.yaml").read_text(encoding="utf-8")))


def wrong_fields(data: object) -> set[KeyPath]:
    """The paths of what mpigen refuses by itself; a key is refused of the mapping that it is in."""
    try:
        config = Config.model_validate(data)
        alone = [each.paths[0] for each in conflicts(config, ROOT) if len(each.paths) == 1]
        return {path[:-1] if "params" in path else path for path in alone}
    except ValidationError as error:
        places = [(each["type"], each["loc"]) for each in error.errors()]
        up = ("extra_forbidden", "missing")
        return {
            loc[:-2] if loc[-1:] == ("[key]",) else loc[:-1] if kind in up else loc
            for kind, loc in places
        }


def single_faults() -> list[Any]:
    """The broken files that are YAML and have a field that is wrong by itself, with those."""
    cases = []
    for file in sorted(BROKEN.glob("*.yaml")):
        try:
            data = parse(file.read_text(encoding="utf-8"), file.name).data
        except (InputError, UnicodeDecodeError):
            continue  # no YAML, so no schema is ever asked
        wrong = wrong_fields({} if data is None else data)
        if wrong:
            cases.append(pytest.param(data, wrong, id=file.stem))
    return cases


def told(errors: Iterable[JsonSchemaError]) -> set[KeyPath]:
    """The paths of what the schema refuses, in branches of anyOf too."""
    every = list(errors)
    inner = [told(error.context) for error in every]
    return {tuple(error.absolute_path) for error in every}.union(*inner)


@pytest.mark.parametrize(("data", "wrong"), single_faults())
def test_the_schema_refuses_each_broken_field(
    data: Any, wrong: set[KeyPath], request: pytest.FixtureRequest
) -> None:
    slug = request.node.callspec.id
    silent = wrong - told(sites.schema().iter_errors(data or {}))
    assert {(slug, dotted(path)) for path in silent} == {key for key in NOT_SAID if key[0] == slug}


def test_what_the_schema_does_not_say_is_of_broken_files_that_there_are() -> None:
    assert {slug for slug, _ in NOT_SAID} <= {case.id for case in single_faults()}


def test_the_documentation_of_the_fields_is_fresh() -> None:
    file = ROOT / "docs" / "configuration.md"
    stale = "docs/configuration.md is stale: run `mpigen schema --markdown > docs/configuration.md`"
    assert file.read_text(encoding="utf-8") == markdown(), stale


def test_the_documentation_has_every_field_of_every_section() -> None:
    sections = markdown().split("\n## ")
    rows = {part.split("\n")[0]: part for part in sections}
    for section, field, _ in fields():
        text = rows[section or "Top level"]
        assert f"\n| `{field.name}` | {field.takes} |" in text


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("cpus", [2, 1.5, "2", "1.5", "0.01", None]),
        ("memory", ["512m", "4g", "4 GiB", "1.5gb", 6291456, "6291456", None]),
        ("shm", ["64m", 4096, None]),
        ("constraints", [["node.role==manager"], ["engine.labels.os==ubuntu 24.04"]]),
    ],
)
def test_what_users_may_write_of_a_group(field: str, values: list[object]) -> None:
    for value in values:
        data = {"name": "x", "workers": [{field: value}]}
        Config.model_validate(data)
        assert sites.schema().is_valid(data), value


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("cpus", ["0", "0.009", "1e3", "two", 0, True]),
        ("memory", ["4Gi", "4 g b", "-4g", ".5g", "", 6291455, True]),
        ("stack", [{"privileged": True}, {"deploy": {"replica": 2}}, "text"]),
        ("name", ["a_b", "-a", "a" * 64, None]),
    ],
)
def test_what_users_may_not_write_of_a_group(field: str, values: list[object]) -> None:
    for value in values:
        data = {"name": "x", "workers": [{field: value}]}
        assert not sites.schema().is_valid(data), value


def test_a_size_is_of_plain_letters(tmp_path: Path) -> None:
    # the sign for kelvin is a k to those who ignore case
    with pytest.raises(InputError, match="is not a size"):
        sites.config(tmp_path, "name: x\nworkers: [memory: 9999999\N{KELVIN SIGN}]\n")
