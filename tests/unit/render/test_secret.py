"""`ssh.delivery: secret`, as it is rendered; tests/swarm/test_secrets.py deploys it."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mpigen import site
from mpigen.errors import InputError
from mpigen.stackfile.schema import file_problems
from tests import sites

SECRET = "name: x\nssh: {delivery: secret}\n"


def test_the_image_is_built_without_private_keys(tmp_path: Path) -> None:
    files = sites.artifacts(tmp_path, SECRET)
    for path in ("Dockerfile", ".dockerignore", "scripts/build.sh"):
        assert "id_ed25519" not in files[path].text, path
        assert "host_ed25519" not in files[path].text, path


def test_the_stack_names_what_it_holds_by_content(tmp_path: Path) -> None:
    plain = yaml.safe_load(sites.artifacts(tmp_path, SECRET)["stack.yml"].text)
    assert file_problems(plain, (20, 10)) == []
    service = plain["services"]["worker"]
    assert {each["source"] for each in service["secrets"]} == set(plain["secrets"])
    assert {each["source"] for each in service["configs"]} == set(plain["configs"])
    assert [each["target"] for each in service["secrets"]] == [
        "/etc/mpi/id_ed25519",
        "/etc/mpi/ssh_host_ed25519_key",
    ]
    # a site that changes what is in one of them changes its name, and no other's
    name = "rootfs/etc/mpi/authorized_keys.j2"
    text = f"{{% extends 'builtin/{name}' %}}\n{{% block footer %}}\n# us\n{{% endblock %}}\n"
    sites.template(tmp_path, name, text)
    changed = yaml.safe_load(sites.artifacts(tmp_path, SECRET)["stack.yml"].text)
    assert changed["secrets"] == plain["secrets"]
    assert len(set(changed["configs"]) & set(plain["configs"])) == 1


def test_the_shell_of_it_is_clean(tmp_path: Path) -> None:
    shellcheck = Path(sys.executable).with_name("shellcheck")
    for path, file in sites.artifacts(tmp_path, SECRET).items():
        if file.text.startswith("#!/bin/sh"):
            done = subprocess.run(
                [shellcheck, "-"], input=file.text, capture_output=True, text=True
            )
            assert done.returncode == 0, (path, done.stdout)


def test_a_name_that_makes_too_long_a_secret_is_refused(tmp_path: Path) -> None:
    fits = "a" * 35
    sites.artifacts(tmp_path, SECRET.replace("x", fits))
    with pytest.raises(
        InputError, match=r"1:1: name: with ssh\.delivery secret the name may have at most 35 "
    ):
        sites.artifacts(tmp_path, SECRET.replace("x", fits + "a"))


def test_a_stack_file_of_the_site_that_leaves_the_keys_out_is_told(tmp_path: Path) -> None:
    (tmp_path / "mpigen.yaml").write_text(
        SECRET
        + "workers: [{stack: {secrets: [{source: token, target: /t}]}}]\n"
        + "stack: {secrets: {token: {external: true}}}\n"
    )
    here = site.at([tmp_path / "mpigen.yaml"], None)
    assert site.render_site(here).warnings == ()
    own = 'version: "3.8"\nservices: {worker: {image: x, secrets: [token]}}\n'
    sites.template(tmp_path, "stack.yml.j2", own + "networks: {mpi: {}}\nsecrets: {}\n")
    warnings = site.render_site(here).warnings
    assert (
        "stack.yml: services.worker.secrets is ['token', {'source': 'token', 'target': '/t'}]; "
        "the image has no private keys" in warnings
    )
    assert any(
        warning.startswith("stack.yml: services.worker.configs is not") for warning in warnings
    )
