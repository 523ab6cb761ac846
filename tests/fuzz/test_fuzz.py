"""Hostile sites through the real command: each ends with 0, 1 or 2, soon, and stays in the site.

`pytest tests/fuzz --fuzz-minutes 10` runs for long.
"""

import itertools
import json
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.figures import figure
from tests.fuzz.hostile import CONFIGS, TEMPLATES, Files, lay, manifests, mutated
from tests.fuzz.watched import FIGURES, ROOT, watched
from tests.unit.untrusted.confined import in_process, mpigen

COMMANDS = (("validate",), ("render",), ("render", "--check"))
ALL = ("mpigen.yaml", "output/manifest.json", "templates/notes.txt.j2", "templates/stack.yml.j2")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rendered site with templates of its own."""
    site = tmp_path_factory.mktemp("real")
    shutil.copy(ROOT / "mpigen.yaml", site)
    shutil.copytree(ROOT / "app", site / "app")
    lay(
        site,
        {
            "templates/notes.txt.j2": b"{% for each in cluster.groups %}\n{{ each.name }}\n"
            b"{% endfor %}",
            "templates/stack.yml.j2": b'{% extends "builtin/stack.yml.j2" %}{% block footer %}\n'
            b"x-a: {{ cluster.name }}\n{% endblock %}\n",
        },
    )
    assert mpigen(site, "render").code == 0
    return site


@pytest.fixture(scope="module")
def minutes(request: pytest.FixtureRequest) -> float:
    """How long to go on; 0 is a bounded number of examples."""
    return float(request.config.getoption("--fuzz-minutes"))


def attempt(files: Files, real: Path | None = None) -> None:
    """Run the commands on a site with these files, over those of the site `real`."""
    with tempfile.TemporaryDirectory(prefix="mpigen-fuzz-") as folder:
        site = Path(folder) / "site"
        if real:
            shutil.copytree(real, site, symlinks=True)
        (site / "app").mkdir(parents=True, exist_ok=True)
        lay(site, files)
        for words in COMMANDS:
            watched(site, *words)
        assert [path.name for path in Path(folder).iterdir()] == ["site"]


def _manifest() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((ROOT / "output/manifest.json").read_text())
    return document


PLAIN = b"name: x\n"


def _site(config: bytes, templates: Files, manifest: bytes | None) -> Files:
    files = {f"templates/{name}": data for name, data in templates.items()}
    return {"mpigen.yaml": config, **files} | (
        {} if manifest is None else {"output/manifest.json": manifest}
    )


# one hostile file at a time, mostly: the first mistake hides the others
SITES: st.SearchStrategy[Files] = st.one_of(
    st.builds(_site, CONFIGS, st.just({}), st.none()),
    st.builds(_site, st.just(PLAIN), TEMPLATES, st.none()),
    st.builds(_site, st.just(PLAIN), st.just({}), manifests(_manifest())),
    st.builds(_site, CONFIGS, TEMPLATES, manifests(_manifest())),
)


def _examples(number: int, minutes: float) -> settings:
    return settings(
        max_examples=10**9 if minutes else number,
        deadline=None,
        database=None,
        derandomize=not minutes,
        # making a failure smaller takes minutes
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def test_made_up_sites(minutes: float) -> None:
    ends = time.monotonic() + minutes * 30

    class Over(BaseException):
        """The time is over."""

    @_examples(150, minutes)
    @given(SITES)
    def check(files: Files) -> None:
        if minutes and time.monotonic() > ends:
            raise Over
        attempt(files)

    try:
        check()
    except Over:
        pass
    finally:
        figure(str(FIGURES))


def test_mutated_bytes_of_a_real_site(real: Path, minutes: float) -> None:
    ends = time.monotonic() + minutes * 30
    start = random.randrange(10**9) if minutes else 0
    seed = start
    try:
        for seed in itertools.count(start):
            if time.monotonic() > ends if minutes else seed >= 40:
                break
            name = ALL[seed % len(ALL)]
            attempt({name: mutated((real / name).read_bytes(), seed)}, real)
    except BaseException:
        figure(f"fuzz: failed with the seed {seed}")
        raise
    finally:
        figure(str(FIGURES))


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")
def test_some_in_processes_of_limited_memory(real: Path, tmp_path: Path) -> None:
    for seed in range(4):
        site = tmp_path / str(seed)
        shutil.copytree(real, site)
        (site / ALL[seed]).write_bytes(mutated((real / ALL[seed]).read_bytes(), seed))
        for words in COMMANDS:
            done = in_process(site, *words)
            assert done.code in (0, 1, 2) and "Traceback" not in done.err, done
