"""The JSON Schema of mpigen.yaml, generated from the models in `models.py`."""

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from mpigen.config.models import Config
from mpigen.stackfile.keys import definitions

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class WithoutTitles(GenerateJsonSchema):
    """Omits the titles that only repeat a field's name."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False


def json_schema() -> dict[str, Any]:
    """Return the schema of mpigen.yaml with defaults, descriptions and examples (draft 2020-12).

    It covers single fields; only `load` checks fields against each other.
    """
    top = Config.model_json_schema(schema_generator=WithoutTitles)
    models = top.pop("$defs")
    parts = ((top, "stack"), (models["Network"], "network"), (models["Workers"], "service"))
    for model, part in parts:
        model["properties"]["stack"]["$ref"] = f"#/$defs/{part}"
    return {"$schema": DIALECT, **top, "title": "mpigen.yaml", "$defs": models | definitions()}


def schema_text() -> str:
    """Return the schema as the text of a file."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
