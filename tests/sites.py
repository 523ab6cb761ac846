"""Small sites for tests: from the text of mpigen.yaml to what becomes of it."""

import functools
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from mpigen import site
from mpigen.artifacts.manifest import File
from mpigen.cluster.model import Cluster
from mpigen.cluster.plan import plan
from mpigen.config.load import load
from mpigen.config.models import Config
from mpigen.config.schema import json_schema
from mpigen.errors import InputError
from mpigen.keys.pair import PublicKeys
from mpigen.mpi import IMPLEMENTATIONS
from mpigen.mpi.wheels import HASHES
from mpigen.render.render import render
from mpigen.render.templates import Templates

# a real key pair's public half: what matters is that it is always the same
PUBLIC = PublicKeys(
    user="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1VsUvHgSlsuOEwFB2+fY5pcbQn1qA8Sb1pG6wAZbcd",
    host="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOpcFgUHp2wYHgVfXjzqdMhHCqjCbOcJ4Xuwnz7vHzRa",
)


def config(folder: Path, text: str) -> Config:
    """The config of a site in `folder` whose mpigen.yaml is `text`.

    What can be loaded must be right by the schema too.
    """
    (folder / "mpigen.yaml").write_text(text, encoding="utf-8")
    loaded = load(folder / "mpigen.yaml")
    schema().validate(yaml.safe_load(text))
    return loaded


@functools.cache
def schema() -> Draft202012Validator:
    """What checks the data of a mpigen.yaml as an editor would."""
    return Draft202012Validator(json_schema())


def cluster(folder: Path, text: str) -> Cluster:
    """The cluster that mpigen.yaml, being `text`, describes."""
    return plan(config(folder, text))


def artifacts(folder: Path, text: str) -> dict[str, File]:
    """What is rendered for a site in `folder`: its templates/, and `text` as mpigen.yaml."""
    return render(cluster(folder, text), PUBLIC, Templates(folder / "templates"))


def template(folder: Path, name: str, text: str) -> None:
    """Put a template of its own into a site."""
    path = folder / "templates" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def rendered(folder: Path, text: str) -> site.Rendered:
    """What `mpigen render` would write for a site in `folder` whose mpigen.yaml is `text`."""
    (folder / "mpigen.yaml").write_text(text, encoding="utf-8")
    return site.render_site(site.at([folder / "mpigen.yaml"], None))


def refusal(folder: Path, text: str) -> list[str]:
    """The lines of the error with which the site is refused, without the file's path."""
    with pytest.raises(InputError) as caught:
        rendered(folder, text)
    return caught.value.message.replace(f"{folder}/mpigen.yaml:", "").splitlines()


def mpi_section(name: str) -> str:
    """A site's line for that MPI: those that no distribution has need their version on PyPI."""
    packaged = IMPLEMENTATIONS[name].packages
    version = "" if packaged else f", version: '{max(HASHES[IMPLEMENTATIONS[name].wheels[0]])}'"
    return f"mpi: {{implementation: {name}{version}}}\n"
