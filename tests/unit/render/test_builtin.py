"""The code of built-in templates is kept where Python keeps its own, and never a stale one."""

import sys
from collections.abc import Iterator
from pathlib import Path

import jinja2
import pytest

from mpigen.render import builtin


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the code, as of a package of its own; nothing is remembered."""
    folder = tmp_path / "__pycache__"
    folder.mkdir()
    monkeypatch.setattr(builtin, "__file__", str(tmp_path / "compiled.py"))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    forget()
    yield folder
    forget()


def forget() -> None:
    builtin.code.cache_clear()
    builtin._code_cache.cache_clear()


def rendered(text: str) -> str:
    code = builtin.code(text, "builtin/x.j2")
    return jinja2.Template.from_code(builtin.compiler(), code, {}).render(b=1)


def test_a_template_is_compiled_once_for_all_processes(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rendered("a {{ b }}") == "a 1"
    assert len(list(kept.iterdir())) == 1
    forget()
    compiles: list[str] = []
    compile = builtin.compiler().compile
    monkeypatch.setattr(
        builtin.compiler(),
        "compile",
        lambda *words: [compiles.append(words[0]), compile(*words)][1],
    )
    assert rendered("a {{ b }}") == "a 1" and compiles == []
    # the same file with another text, as after an upgrade
    assert rendered("c {{ b }}") == "c 1" and compiles == ["c {{ b }}"]
    assert len(list(kept.iterdir())) == 1


def test_nothing_is_kept_where_python_keeps_nothing(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert rendered("a {{ b }}") == "a 1" and not list(kept.iterdir())
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    forget()
    kept.rmdir()
    assert rendered("a {{ b }}") == "a 1" and not kept.exists()


def test_a_full_disk_is_no_reason_to_fail(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(jinja2.FileSystemBytecodeCache, "dump_bytecode", full)
    assert rendered("a {{ b }}") == "a 1" and not list(kept.iterdir())
