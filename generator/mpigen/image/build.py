"""Build the cluster's images with the rendered build.sh, unless the engine has them already."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mpigen.artifacts.folder import Artifacts
from mpigen.artifacts.paths import BUILD_SCRIPT, DOCKERFILE
from mpigen.errors import ClusterError, InputError
from mpigen.image import content, cures, platforms, select
from mpigen.image.buildlog import BuildLog, shorten
from mpigen.notation import image_names
from mpigen.notation.platforms import architecture
from mpigen.swarm.engine import Engine, blame
from mpigen.swarm.processes import Say, ignore

_SHOWN = 25
_SHOWN_WITH_REASON = 5
_QUIET_SECONDS = 2.0
"""How long a step may take before its last line of output is shown with it."""


@dataclass(frozen=True)
class Built:
    """An image on an engine. `image` has the user's tag, `reference` the tag by content.

    `variant` is empty for the cluster's own image. `new`: it was built just now. `stored` is its
    name on the `engine` that built it, which is `reference` unless there are several platforms.
    """

    image: str
    reference: str
    variant: str
    new: bool
    engine: Engine
    platform: str
    stored: str


def build(
    builders: Mapping[str, Engine],
    artifacts: Artifacts,
    site: Path,
    say: Say,
    see: Say = ignore,
) -> list[Built]:
    """Build the images with build.sh, unless the engines have images of the same content.

    `builders` has the engine for each platform, as `platforms.builders` returns it. Returns the
    cluster's own image first. `site` is the folder that holds the sources. `say` gets a line for
    each step, and `see` the last line that a step which takes long has printed. Raises InputError
    if build.sh reports something missing, ClusterError, with the end of its output, if the build
    fails.
    """
    if "@" in artifacts.image:
        raise InputError(
            f"an image cannot be built as {artifacts.image}", "Use a tag, not a digest."
        )
    if large := content.describe_data(artifacts, site):
        say(large)
    context = content.hash_context(artifacts, site)
    if context is None:  # build.sh reports what is missing, unless a site's own needs less
        for platform, engine in builders.items():
            _run(engine, artifacts, site, "", platform, say, see)
        platform, engine = next(iter(builders.items()))
        made = select.get(engine, platforms.name_of(artifacts, artifacts.image, platform))
        own = content.PREFIX + str(made.id).rpartition(":")[2][:12]
        new = set(builders)
    else:
        ids = [
            platforms.base(engine, name, platform, say)
            for platform, engine in builders.items()
            for name in _bases(artifacts)
        ]
        own = content.tag(context, ids)
        new = {
            platform
            for platform, engine in builders.items()
            if not _has(engine, artifacts, own, platform)
        }
        for platform in [each for each in builders if each in new]:
            _run(builders[platform], artifacts, site, context, platform, say, see)
    return [
        each
        for platform, engine in builders.items()
        for each in _tagged(engine, artifacts, own, platform, new=platform in new)
    ]


def _bases(artifacts: Artifacts) -> list[str]:
    return content.bases((artifacts.folder / DOCKERFILE).read_text("utf-8"))


def _has(engine: Engine, artifacts: Artifacts, own: str, platform: str) -> bool:
    """Whether an engine has all images of the content `own` for a platform."""
    tagged = image_names.with_tag(artifacts.image, own)
    names = [image_names.add_variant(tagged, variant) for variant in artifacts.images]
    try:
        for name in names:
            select.get(engine, platforms.name_of(artifacts, name, platform))
    except select.Missing:
        return False
    return True


def _run(
    engine: Engine,
    artifacts: Artifacts,
    site: Path,
    context: str,
    platform: str,
    say: Say,
    see: Say,
) -> None:
    if not platforms.runs_on(platform, engine):
        say(f"building for {platform}, which {engine.where.url} emulates: this takes longer")
    command = ["sh", str(artifacts.folder / BUILD_SCRIPT)]
    if context:
        command += ["--label", f"{content.LABEL}={context}"]
    # BuildKit's default progress is for terminals
    environment = {**os.environ, **engine.environment, "BUILDKIT_PROGRESS": "plain"}
    log, began, step_began = BuildLog(), time.monotonic(), time.monotonic()
    with subprocess.Popen(
        command,
        env={**environment, "SITE": str(site), "PLATFORM": platform},
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
    hint = _next_step(engine, artifacts, log.lines, platform)
    if hint:
        end = end[-_SHOWN_WITH_REASON:]
    with tempfile.NamedTemporaryFile("w", prefix="mpigen-build-", suffix=".log", delete=False) as f:
        f.write("\n".join([*log.lines, ""]))
    raise ClusterError(
        "\n".join([f"build.sh ended with {process.returncode}", *end]),
        "\n".join([*hint, f"Its full output is in {f.name}"]),
    )


def _next_step(
    engine: Engine, artifacts: Artifacts, lines: Sequence[str], platform: str
) -> list[str]:
    """What to do about a failed build, where its output or the engine shows the reason."""
    foreign = "" if platforms.runs_on(platform, engine) else f" --platform {platform}"
    lacking = []
    for name in _bases(artifacts):
        own = image_names.add_architecture(name, architecture(platform)) if foreign else name
        try:
            select.get(engine, own)
        except select.Missing:
            lacking.append((name, own))
        except ClusterError:  # an invalid name, as of a build argument
            continue
    if not lacking or not any("FROM" in line or "pull" in line for line in lines):
        return cures.find(lines, artifacts)
    return [
        f"the engine at {engine.where.url} has no {own} and could not pull it: mpigen lab base "
        f"{name}{foreign} makes a Debian image; mpigen lab load {own} copies it into a lab"
        for name, own in lacking
    ]


def _tagged(
    engine: Engine, artifacts: Artifacts, own: str, platform: str, new: bool
) -> list[Built]:
    """Give each image the user's tag and `own`, the tag by content; new ones have the user's.

    Images of one platform of several get the same without the platform, where it is the engine's.
    """
    found = []
    for variant, name in artifacts.images.items():
        reference = image_names.add_variant(image_names.with_tag(artifacts.image, own), variant)
        stored = platforms.name_of(artifacts, reference, platform)
        theirs = platforms.name_of(artifacts, name, platform)
        made = select.get(engine, theirs if new else stored)
        names = {stored, theirs}
        if platforms.runs_on(platform, engine):
            names |= {reference, name}
        with blame(f"tagging {reference}"):
            for each in sorted(names):
                made.tag(image_names.repository(each), image_names.tag(each))
        found.append(Built(name, reference, variant, new, engine, platform, stored))
    return found
