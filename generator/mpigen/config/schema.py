"""The JSON Schema of mpigen.yaml, made from the models in `models.py`."""

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from mpigen.config.models import Config
from mpigen.stackfile.schema import definitions

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _Plain(GenerateJsonSchema):
    """Without the titles that only say a field's name again."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False


def json_schema() -> dict[str, Any]:
    """What mpigen.yaml may say, with defaults, descriptions and examples (draft 2020-12).

    It is what can be said of single fields; what fields must be together only `load` knows.
    """
    top = Config.model_json_schema(schema_generator=_Plain)
    models = top.pop("$defs")
    parts = ((top, "stack"), (models["Network"], "network"), (models["Workers"], "service"))
    for model, part in parts:
        model["properties"]["stack"]["$ref"] = f"#/$defs/{part}"
    return {"$schema": DIALECT, **top, "title": "mpigen.yaml", "$defs": models | definitions()}


def schema_text() -> str:
    """The schema as a file has it."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
