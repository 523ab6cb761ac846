"""The base of every section of mpigen.yaml."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A mapping of fields: unknown keys are errors, and nothing changes after it is read."""

    # defer_build: only Config's validator is ever used, and it holds those of the sections
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
