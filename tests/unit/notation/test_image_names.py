"""Image references: tags, registries, and the names that engines print."""

import pytest

from mpigen.notation import image_names


@pytest.mark.parametrize(
    ("image", "tagged"),
    [
        ("a", "a:t"),
        ("a:1", "a:t"),
        ("host:5000/a/b", "host:5000/a/b:t"),
        ("host:5000/a/b:v1", "host:5000/a/b:t"),
        ("a@sha256:0", "a:t"),
    ],
)
def test_another_tag_of_an_image(image: str, tagged: str) -> None:
    assert image_names.with_tag(image, "t") == tagged


@pytest.mark.parametrize(
    ("image", "familiar"),
    [
        ("a:1", "a"),
        ("docker.io/library/a:1", "a"),
        ("index.docker.io/me/a", "me/a"),
        ("library/a", "library/a"),
        ("host:5000/library/a:1", "host:5000/library/a"),
    ],
)
def test_an_image_as_engines_call_it(image: str, familiar: str) -> None:
    assert image_names.familiar(image) == familiar


@pytest.mark.parametrize(
    ("image", "host"),
    [
        ("a:1", ""),
        ("me/a", ""),
        ("localhost/a", "localhost"),
        ("host:5000/a", "host:5000"),
        ("r.example.org/a/b:1", "r.example.org"),
    ],
)
def test_the_registry_that_an_image_names(image: str, host: str) -> None:
    assert image_names.registry(image) == host
