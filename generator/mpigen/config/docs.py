"""The reference of mpigen.yaml, docs/configuration.md: a whole file, then every field.

The tables, and that of a job's file in docs/jobs.md, are generated from the JSON Schemas, and so
from the models.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files as resources
from typing import Any

import yaml

from mpigen.config import job_file
from mpigen.config.schema import json_schema

_OPENING = """\
# mpigen.yaml

This page is the reference of mpigen.yaml. The smallest working file is one line: `name: mycluster`.
`mpigen init` writes a file with every field, most of them as comments, and `mpigen validate` checks
a file and reports every mistake with its line. [Typical clusters](typical-clusters.md) has five
whole files to start from.

For completion and checks in an editor, write the schema with `mpigen schema > mpigen.schema.json`
and make this the first line of mpigen.yaml: `# yaml-language-server: $schema=mpigen.schema.json`.

## A whole file

```yaml
"""
_RULES = """\
```

Delete what you do not need: everything except `name` has a default.

## Rules

- Unknown keys are errors. A setting that cannot work is refused with the reason.
- Sizes are written as in Docker (`512m`, `4g`), or as a number of bytes.
- Names are DNS labels of at most 63 characters, including what Swarm and the host names add.
- The subnet needs an address for each container and each server, one for the gateway and one for a
  job. If there are fewer servers than containers, set `network.nodes`.
- MPI parameters that name the network interface or the hostfile cannot be set: each container
  determines them when it starts.

## Top level
"""


@dataclass(frozen=True)
class Field:
    """A field; `takes` describes its type in words, `default` is None if it has none."""

    name: str
    takes: str
    description: str
    required: bool
    default: object
    examples: tuple[object, ...]


@dataclass(frozen=True)
class Section:
    """A mapping of fields, or a list of mappings; `optional` if it is absent by default."""

    name: str
    description: str
    is_list: bool
    optional: bool
    fields: tuple[Field, ...]


def entries() -> list[Field | Section]:
    """Return the keys of mpigen.yaml, in the order of the models."""
    schema = json_schema()
    # a field has a description of its own, a section has that of its model
    return [
        _field(key, form, schema) if "description" in form else _section(key, form, schema["$defs"])
        for key, form in schema["properties"].items()
    ]


def _section(key: str, form: dict[str, Any], models: dict[str, Any]) -> Section:
    one = form.get("items") or form.get("anyOf", [form])[0]
    model = models[one["$ref"].removeprefix("#/$defs/")]
    return Section(
        name=key,
        description=model["description"],
        is_list="items" in form,
        optional=not form["default"] and form["default"] != {},
        fields=tuple(_field(name, part, model) for name, part in model["properties"].items()),
    )


def _field(name: str, form: dict[str, Any], model: dict[str, Any]) -> Field:
    return Field(
        name=name,
        takes=_takes(form),
        description=form["description"],
        required=name in model.get("required", ()),
        default=form.get("default"),
        examples=tuple(form.get("examples", ())),
    )


def _takes(form: dict[str, Any]) -> str:
    match form:
        case {"title": str(title)}:
            return title
        case {"anyOf": list(forms)}:
            return " or ".join(_takes(each) for each in forms if each.get("type") != "null")
        case {"const": value}:
            return f"`{value}`"
        case {"enum": list(values)}:
            return " or ".join(f"`{value}`" for value in values)
        case {"type": "array", "items": dict(item)}:
            return f"list of {_takes(item)}" + ("" if "enum" in item else "s")
        case {"type": "integer", "minimum": least, "maximum": most}:
            return f"whole number, {least} to {most}"
        case {"type": "integer", "minimum": least}:
            return f"whole number, {least} or more"
        case {"type": "object"}:
            return "mapping"
        case {"type": "string"}:
            return "text"
        case {"type": "boolean"}:
            return "true or false"
    raise NotImplementedError(f"say in words what this takes: {form}")


def inline_yaml(value: object) -> str:
    """Format `value` as YAML on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, width=2**31, sort_keys=False)
    return text.removesuffix("...\n").strip()


def markdown() -> str:
    """Return the text of docs/configuration.md."""
    every = entries()
    top = tuple(entry for entry in every if isinstance(entry, Field))
    example = resources(__package__).joinpath("skeleton", "example.yaml").read_text("utf-8")
    parts = [_OPENING + example + _RULES, "\n".join(_table(top))]
    for section in every:
        if isinstance(section, Section):
            about = [section.description]
            if section.is_list:
                about.append(
                    "A list, empty by default."
                    if section.optional
                    else "A list of at least one item. Default: one item with the defaults below."
                )
            elif section.optional:
                about.append("Absent by default.")
            parts.append(f"## {section.name}\n\n{' '.join(about)}\n")
            parts.append("\n".join(_table(section.fields)))
    return "\n".join(parts)


def job_markdown() -> str:
    """Return the table of the fields of a job's file, for docs/jobs.md."""
    schema = job_file.json_schema()
    fields = [_field(name, form, schema) for name, form in schema["properties"].items()]
    return "\n".join(_table(tuple(fields))).rstrip("\n") + "\n"


def _table(fields: tuple[Field, ...]) -> Iterator[str]:
    yield "| field | takes | default | meaning |"
    yield "| --- | --- | --- | --- |"
    for field in fields:
        default = "none" if field.default in (None, "") else f"`{inline_yaml(field.default)}`"
        meaning = field.description
        # what a switch looks like needs no example
        shown = [f"`{inline_yaml(each)}`" for each in field.examples if each is not True]
        if shown:
            meaning += f" Example{'s' if len(shown) > 1 else ''}: {', '.join(shown)}."
        cells = (f"`{field.name}`", field.takes, "required" if field.required else default, meaning)
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
    yield ""
