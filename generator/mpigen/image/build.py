"""Build the cluster's images with the rendered build.sh, unless the engine has them already."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mpigen.artifacts.folder import Artifacts
from mpigen.artifacts.paths import BUILD_SCRIPT, DOCKERFILE
from mpigen.errors import ClusterError, InputError
from mpigen.image import content, cures, select
from mpigen.image.buildlog import BuildLog, shorten
from mpigen.notation import image_names
from mpigen.swarm.engine import Engine, blame
from mpigen.swarm.processes import Say

_SHOWN = 25
_SHOWN_WITH_REASON = 5
_QUIET_SECONDS = 2.0
"""How long a step may take before its last line of output is shown with it."""


@dataclass(frozen=True)
class Built:
    """An image on an engine. `image` has the user's tag, `reference` the tag by content.

    `variant` is empty for the cluster's own image. `new`: it was built just now.
    """

    image: str
    reference: str
    variant: str
    new: bool


def _ignore(line: str) -> None:
    """Ignore the progress within a step."""


def build(
    engine: Engine, artifacts: Artifacts, site: Path, say: Say, see: Say = _ignore
) -> list[Built]:
    """Build the images with build.sh, unless the engine has images of the same content.

    Returns the cluster's own image first. `site` is the folder that holds the sources. `say` gets
    a line for each step, and `see` the last line that a step which takes long has printed. Raises
    InputError if build.sh reports something missing, ClusterError, with the end of its output, if
    the build fails.
    """
    if "@" in artifacts.image:
        raise InputError(
            f"an image cannot be built as {artifacts.image}", "Use a tag, not a digest."
        )
    if large := content.describe_data(artifacts, site):
        say(large)
    context = content.hash_context(artifacts, site)
    if context is None:  # build.sh reports what is missing, unless a site's own needs less
        _run(engine, artifacts, site, "", say, see)
        made = select.get(engine, artifacts.image)
        own = content.PREFIX + str(made.id).rpartition(":")[2][:12]
        return _tagged(engine, artifacts, own, new=True)
    own = content.tag(context, _bases(engine, artifacts, say))
    tagged = image_names.with_tag(artifacts.image, own)
    try:
        for name in artifacts.images:
            select.get(engine, image_names.add_variant(tagged, name))
        return _tagged(engine, artifacts, own, new=False)
    except select.Missing:
        _run(engine, artifacts, site, context, say, see)
        return _tagged(engine, artifacts, own, new=True)


def _bases(engine: Engine, artifacts: Artifacts, say: Say) -> list[str]:
    """The ids of the base images; the name of one that the engine cannot get."""
    dockerfile = (artifacts.folder / DOCKERFILE).read_text("utf-8")
    return [_base(engine, each, say) for each in content.bases(dockerfile)]


def _base(engine: Engine, name: str, say: Say) -> str:
    if name == "scratch" or "$" in name:
        return name
    try:
        return str(select.get(engine, name).id)
    except ClusterError:  # missing, or an invalid name
        pass
    # BuildKit would pull it into its own cache, and its id would stay unknown
    say(f"pulling {name}")
    try:
        engine.docker("pull", name)
        return str(select.get(engine, name).id)
    except ClusterError:  # the build fails too, or gets it elsewhere
        return name


def _run(
    engine: Engine, artifacts: Artifacts, site: Path, context: str, say: Say, see: Say
) -> None:
    command = ["sh", str(artifacts.folder / BUILD_SCRIPT)]
    if context:
        command += ["--label", f"{content.LABEL}={context}"]
    # BuildKit's default progress is for terminals
    environment = {**os.environ, **engine.environment, "BUILDKIT_PROGRESS": "plain"}
    log, began, step_began = BuildLog(), time.monotonic(), time.monotonic()
    with subprocess.Popen(
        command,
        env={**environment, "SITE": str(site)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        assert process.stdout
        try:
            for line in process.stdout:
                if step := log.take(line.rstrip("\n")):
                    step_began = time.monotonic()
                    say(f"{step_began - began:6.1f} s  {step}")
                elif time.monotonic() - step_began > _QUIET_SECONDS:
                    see(shorten(line))
        except BaseException:
            # the whole session: the script alone would wait for docker build to end
            os.killpg(process.pid, signal.SIGTERM)
            process.communicate()
            raise
    if not process.returncode:
        return
    end = log.lines[-_SHOWN:]
    # the exit code alone is not enough: docker build passes on a failed command's, perhaps 2
    if process.returncode == InputError.exit_code and end and end[-1].startswith("build.sh:"):
        raise InputError("\n".join(end))
    hint = _next_step(engine, artifacts, log.lines)
    if hint:
        end = end[-_SHOWN_WITH_REASON:]
    with tempfile.NamedTemporaryFile("w", prefix="mpigen-build-", suffix=".log", delete=False) as f:
        f.write("\n".join([*log.lines, ""]))
    raise ClusterError(
        "\n".join([f"build.sh ended with {process.returncode}", *end]),
        "\n".join([*hint, f"Its full output is in {f.name}"]),
    )


def _next_step(engine: Engine, artifacts: Artifacts, lines: Sequence[str]) -> list[str]:
    """What to do about a failed build, where its output or the engine shows the reason."""
    dockerfile = (artifacts.folder / DOCKERFILE).read_text("utf-8")
    lacking = []
    for name in content.bases(dockerfile):
        try:
            select.get(engine, name)
        except select.Missing:
            lacking.append(name)
        except ClusterError:  # an invalid name, as of a build argument
            continue
    if not lacking or not any("FROM" in line or "pull" in line for line in lines):
        return cures.find(lines, artifacts)
    return [
        f"the engine at {engine.where.url} has no {name} and could not pull it: mpigen lab base "
        f"{name} makes a Debian image; mpigen lab load {name} copies it into a lab"
        for name in lacking
    ]


def _tagged(engine: Engine, artifacts: Artifacts, own: str, new: bool) -> list[Built]:
    """Give each image the user's tag and `own`, the tag by content; new ones have the user's."""
    found = []
    for variant, name in artifacts.images.items():
        reference = image_names.add_variant(image_names.with_tag(artifacts.image, own), variant)
        made = select.get(engine, name if new else reference)
        with blame(f"tagging {reference}"):
            for each in (reference, name):
                made.tag(image_names.repository(each), image_names.tag(each))
        found.append(Built(name, reference, variant, new))
    return found
