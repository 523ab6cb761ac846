"""The base of every section of mpigen.yaml."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A mapping of fields; unknown keys are errors, and instances are immutable."""

    # defer_build: only Config's validator is used, and it includes those of the sections
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
