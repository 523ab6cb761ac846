"""A site's template ends, and leaves memory for others, whatever is in it."""

import resource
import signal
import threading
from pathlib import Path

import pytest

from mpigen.errors import InputError
from mpigen.render import sandbox
from tests import sites


def told(folder: Path, text: str) -> str:
    sites.template(folder, "a.txt.j2", f"first\n{text}\n")
    with pytest.raises(InputError) as caught:
        sites.artifacts(folder, "name: x\n")
    return caught.value.message.replace(f"{folder}/templates/", "")


@pytest.mark.parametrize(
    "text",
    [
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}"
        "{{ f(99) }}",
        "{{ 10 ** (10 ** 9) }}",
        "{% set ns = namespace(a=[]) %}"
        "{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns.a }}",
    ],
    ids=["loops", "macros", "power", "nested"],
)
def test_an_endless_template_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(sandbox, "SECONDS", 1)
    before = signal.getsignal(signal.SIGVTALRM)
    assert told(tmp_path, text).startswith("a.txt.j2:2: ran for 1 seconds: does a loop or a macro")
    assert signal.getsignal(signal.SIGVTALRM) == before
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0, 0)


@pytest.mark.parametrize(
    "text",
    [
        "{{ 'x' * 10 ** 12 }}",
        "{{ 'x' | center(10 ** 9) }}",
        "{{ [1] | batch(10 ** 9, 1) | list | length }}",
        "{{ '%2000000000d' % 1 }}",
        "{% set ns = namespace(a='xx') %}"
        "{% for i in range(60) %}{% set ns.a = ns.a ~ ns.a %}{% endfor %}",
    ],
)
def test_a_template_that_wants_all_memory_does_not_get_it(tmp_path: Path, text: str) -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    assert told(tmp_path, text).startswith("a.txt.j2:2: needs more than 512 MiB of memory\n")
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_a_site_renders_in_another_thread_too(tmp_path: Path) -> None:
    sites.template(tmp_path, "a.txt.j2", "{{ cluster.name }}\n")
    given: list[str] = []
    thread = threading.Thread(
        target=lambda: given.append(sites.artifacts(tmp_path, "name: x\n")["a.txt"].text)
    )
    thread.start()
    thread.join()
    assert given[0].endswith("\nx\n")
