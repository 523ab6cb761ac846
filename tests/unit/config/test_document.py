"""YAML with its places: values, marks, merge keys, and what is no YAML."""

import pytest

from mpigen.config.document import Mark, parse
from mpigen.errors import InputError

TEXT = """\
name: solver
workers:
  - &large
    name: large
    constraints: [a, b]
  - <<: *large
    name: larger
    slots: 4
"""


def test_the_data_is_what_yaml_says_with_merge_keys_resolved() -> None:
    large = {"name": "large", "constraints": ["a", "b"]}
    assert parse(TEXT, "f").data == {
        "name": "solver",
        "workers": [large, {**large, "name": "larger", "slots": 4}],
    }


@pytest.mark.parametrize(
    ("path", "mark"),
    [
        (("name",), Mark("f", 1, 1)),
        (("workers",), Mark("f", 2, 1)),
        (("workers", 0, "constraints", 1), Mark("f", 5, 22)),
        # own keys have their own place, merged ones that of the anchor
        (("workers", 1, "name"), Mark("f", 7, 5)),
        (("workers", 1, "constraints", 1), Mark("f", 5, 22)),
        # what is not there has the place of what it would be in
        (("workers", 0, "memory"), Mark("f", 3, 5)),
        (("network", "subnet"), Mark("f", 1, 1)),
    ],
)
def test_every_key_and_item_has_its_place(path: tuple[str | int, ...], mark: Mark) -> None:
    assert parse(TEXT, "f").mark(path) == mark


@pytest.mark.parametrize("order", ["<<: *base\n  list: [x]", "list: [x]\n  <<: *base"])
def test_an_overridden_value_has_its_own_place_wherever_the_merge_key_is(order: str) -> None:
    source = parse(f"base: &base\n  list: [a, b]\nown:\n  {order}\n", "f")
    assert source.data == {"base": {"list": ["a", "b"]}, "own": {"list": ["x"]}}
    line = 4 if order.startswith("list") else 5
    assert source.mark(("own", "list")) == Mark("f", line, 3)
    assert source.mark(("own", "list", 0)) == Mark("f", line, 10)


def test_the_first_of_several_merged_mappings_wins() -> None:
    source = parse("a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {<<: [*a, *b]}\n", "f")
    assert source.data == {"a": {"x": 1}, "b": {"x": 2, "y": 2}, "c": {"x": 1, "y": 2}}
    assert source.mark(("c", "x")) == Mark("f", 1, 8)
    assert source.mark(("c", "y")) == Mark("f", 2, 14)


def test_a_second_key_is_a_problem_and_the_first_value_stays() -> None:
    source = parse("a: 1\nb:\n  c: 2\n  c: 3\n", "f")
    assert source.data == {"a": 1, "b": {"c": 2}}
    (problem,) = source.problems
    assert (problem.path, problem.mark) == (("b", "c"), Mark("f", 4, 3))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: b: c", "f:1:5"),
        ('a: 1\nb: "open', "f:2:4"),
        ("a:\n\tb: 1", "f:2:1"),
        ("a: [1, 2\nb: 3\n", "f:1:4"),
        ("a: *b", "f:1:4"),
        ("a: &a [*a]", "f:1:4"),
        ("a: 2026-99-99", "f:1:4"),
        ("a: !!set {x}", "f:1:4"),
        ("a: 1\nb: x\x07y\n", "f:2:5"),
        ("a: 1\n---\nb: 2\n", "f:2:1"),
    ],
)
def test_what_is_no_yaml_is_an_error_with_its_place(text: str, place: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text, "f")
    assert caught.value.message.startswith(f"{place}: not valid YAML: ")


def test_problems_are_told_in_the_order_of_the_file() -> None:
    source = parse("b: {c: 1, c: 2}\na: {d: 1, d: 2}\n", "f")
    lines = source.error(list(reversed(source.problems))).message.splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["f:1:11", "f:2:11"]
