"""The schema of stack files, held against this machine's docker command; no engine is needed."""

from pathlib import Path
from typing import Any

import pytest

from mpigen.stackfile import schema
from mpigen.stackfile.keys import definitions
from mpigen.stackfile.versions import VERSIONS, Release, release
from tests import stackfiles
from tests.stackfiles import LATER, SERVICE, Keys, merged

# what the client's schema has and ours has not, apart from what the command ignores with a warning
LEFT_OUT = {
    ("services", "*", "depends_on"): "the command drops it: services start in any order",
    ("volumes", "*", "x-cluster-spec"): "any x- key may be there; the command makes no such volume",
}


def versions() -> list[str]:
    """The versions that the client takes."""
    return [version for version, first in VERSIONS.items() if first <= client()]


def client() -> Release:
    return stackfiles.client_release()


def our_keys() -> set[Keys]:
    whole = {"$defs": definitions()}
    return set(stackfiles.keys_of_schema(whole, {"$ref": "#/$defs/stack"}))


def test_the_client_takes_the_versions_that_we_know_and_no_newer_one() -> None:
    theirs = {each for each in stackfiles.client_schemas() if int(each[2:]) >= 8}
    assert theirs == set(versions())


def test_every_key_that_we_know_docker_takes(tmp_path: Path) -> None:
    """From the first version on that has it, by the table of releases."""
    newest = versions()[-1]
    document = stackfiles.stack(newest, client())
    if client() >= (27, 1):
        missing = our_keys() - set(stackfiles.keys_of_file(document, our_keys()))
        assert missing == set()
    for version in versions():
        document = stackfiles.stack(version, client())
        assert schema.file_problems(document, client()) == []
        assert stackfiles.refusal(tmp_path, document) == ""


@pytest.mark.parametrize("since", LATER, ids=str)
def test_a_key_is_refused_by_both_before_its_version(
    tmp_path: Path, since: tuple[str, str]
) -> None:
    version, first = since
    service = merged(SERVICE, LATER[since])
    for older in VERSIONS:
        document = {**stackfiles.stack(older, client()), "services": {"worker": service}}
        if VERSIONS[older] < VERSIONS[version] and VERSIONS[older] <= client():
            ((_, message),) = schema.problems(document, "stack", (29, 0), older)
            assert message == f"needs a stack file of version {version}"
            assert "Additional property" in stackfiles.refusal(tmp_path, document)
    engine = max(each for each in VERSIONS.values() if each < release(first))
    ((_, message),) = schema.problems(service, "service", engine)
    assert message == f"needs Docker {first}: set engine: {{minimum: '{first}'}}"


def test_every_key_that_docker_knows_we_know_or_say_why_not() -> None:
    ours = our_keys()
    ignored = {("services", "*", key) for key in schema._IGNORED} | set(LEFT_OUT)
    theirs = stackfiles.client_schemas()[versions()[-1]]
    unknown = {
        path
        for path in stackfiles.keys_of_schema(theirs, theirs)
        if path not in ours and not any(path[: len(key)] == key for key in ignored)
    }
    assert unknown == set()


def test_a_newer_version_than_the_client_knows_it_refuses(tmp_path: Path) -> None:
    known = [int(version[2:]) for version in versions()]
    document = {"version": f"3.{known[-1] + 1}", "services": {"worker": {"image": "x"}}}
    assert "unsupported Compose file version" in stackfiles.refusal(tmp_path, document)


@pytest.mark.parametrize(
    "keys",
    [
        {"enviroment": {"A": 1}},
        {"stop_grace_period": 30},
        {"stop_grace_period": "soon"},
        {"volumes": [{"target": "/x"}]},
        {"ulimits": {"core": {"soft": 1}}},
        {"networks": 7},
        {"init": "yes"},
        {"deploy": {"replicas": "2"}},
        {"deploy": {"resources": {"limits": {"cpus": 1.5}}}},
        {"deploy": {"resources": {"limits": {"pids": "9"}}}},
        {"deploy": {"resources": {"memory_swap": 1}}},
        {"deploy": {"update_config": {"order": "any"}}},
        {"healthcheck": {"interval": 5}},
        {"ports": [{"target": "80"}]},
        {"cap_add": ["A", "A"]},
        {"credential_spec": {"path": "x"}},
        {"group_add": ["video"]},
        {"oom_score_adj": "9"},
    ],
    ids=str,
)
def test_what_we_refuse_docker_refuses(tmp_path: Path, keys: dict[str, Any]) -> None:
    assert schema.problems(keys, "service", client()) != []
    document = {"version": versions()[-1], "services": {"worker": {"image": "x", **keys}}}
    assert stackfiles.refusal(tmp_path, document) != ""


def test_a_driver_of_a_config_both_refuse(tmp_path: Path) -> None:
    """Secrets have drivers."""
    document: dict[str, Any] = {"version": versions()[-1], "configs": {"a": {"driver": "b"}}}
    assert schema.problems(document, "stack", client()) != []
    assert stackfiles.refusal(tmp_path, document) != ""
