"""A file that describes a job, for `mpigen run -f`: every problem is reported at its line."""

import json
import shlex
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, WithJsonSchema

from mpigen.config import limits
from mpigen.config.document import Problem
from mpigen.config.load import read_document
from mpigen.config.messages import path_of, problem_of
from mpigen.config.schema import DIALECT, WithoutTitles
from mpigen.config.section import Section
from mpigen.config.types import (
    EnvName,
    EnvValue,
    ImagePath,
    Label,
    StrictBool,
    StrictInt,
    StrictText,
)
from mpigen.notation.durations import PATTERN, parse_duration

_HINT = "Nothing was started. mpigen schema job prints the fields for editors."
_LONGEST = 86400


def _words(value: object) -> object:
    """The words of a command that is one text, as a shell splits it; nothing is replaced in it."""
    if not isinstance(value, str):
        return value
    try:
        return shlex.split(value)
    except ValueError as error:
        raise ValueError(f"{error}: close the quotes, or write the command as a list") from None


def _duration(text: str) -> str:
    parse_duration(text)
    return text


Words = Annotated[
    list[StrictText],
    BeforeValidator(_words),
    Field(min_length=1, max_length=limits.LINE),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
Duration = Annotated[
    StrictText,
    AfterValidator(_duration),
    WithJsonSchema({"title": "duration", "type": "string", "pattern": f"^{PATTERN}$"}),
]


class JobFile(Section):
    """A job for `mpigen run -f`: the options of `mpigen run` by their names."""

    command: Words = Field(
        description="The program with its arguments, as one text or a list of words; options of "
        "mpirun may precede it.",
        examples=["./heat --steps 100", ["./heat", "--steps", "100"]],
    )
    name: Label = Field("", description="The job's name. Default: generated.", examples=["heat"])
    ranks: Annotated[StrictInt, Field(ge=1)] | None = Field(
        None, description="Number of ranks. Default: all slots."
    )
    workers: list[Label] = Field([], description="Use only the hosts of these groups, in order.")
    env: dict[EnvName, EnvValue] = Field({}, description="Variables for every rank.")
    workdir: ImagePath | None = Field(None, description="The folder in which ranks start.")
    mounts: list[StrictText] = Field(
        [],
        description="Mounts for the job's own container, as in docker run --mount. Ranks run in "
        "the workers, whose storage is in mpigen.yaml.",
        examples=[["type=volume,source=data,target=/data"]],
    )
    timeout: Duration | None = Field(
        None, description="End the job after this time.", examples=["90s", "2h"]
    )
    grace: Annotated[StrictInt, Field(ge=0, le=_LONGEST)] = Field(
        0, description="Seconds between SIGTERM and SIGKILL for the ranks."
    )
    label: StrictBool = Field(False, description="Prefix each line of output with its rank.")
    detach: StrictBool = Field(False, description="Submit a batch job.")
    retries: Annotated[StrictInt, Field(ge=0, le=100)] = Field(
        0, description="Maximum number of times to run a batch job again if a host was lost."
    )
    fetch: list[StrictText] = Field(
        [],
        description="Pull these files when the job has ended. Not with detach.",
        examples=[["out/*.csv"]],
    )


def load(path: Path) -> JobFile:
    """Read a job's file. Raises InputError with a line for each problem, at its place."""
    missing = "A job's file has at least one line: command: ./PROGRAM"
    source = read_document(path, path.parent, _HINT, missing, "command: ./heat")
    problems = list(source.problems)
    try:
        job = JobFile.model_validate(cast(dict[str, Any], source.data))
    except ValidationError as error:
        details = error.errors(include_url=False)
        problems += [problem_of(detail, JobFile) for detail in details if path_of(detail)]
        raise source.error(problems or [Problem((), str(error))], _HINT) from None
    if problems:
        raise source.error(problems, _HINT)
    return job


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a job's file."""
    schema = JobFile.model_json_schema(schema_generator=WithoutTitles)
    return {"$schema": DIALECT, **schema, "title": "mpigen job file"}


def schema_text() -> str:
    """The JSON Schema of a job's file as the text of a file."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
