"""Checks of `storage`: what it hides in a container, and which fields each type has."""

from collections.abc import Iterator

from mpigen.config.conflict import Conflict
from mpigen.config.document import KeyPath
from mpigen.config.models import Config
from mpigen.config.models_image import VENV
from mpigen.notation.sizes import format_bytes

# the fields that each storage type requires, and those that it accepts
_STORAGE = {
    "volume": ({"source"}, {"source"}),
    "bind": ({"source"}, {"source"}),
    "nfs": ({"source", "server"}, {"source", "server", "options"}),
    "tmpfs": (set(), {"size"}),
}
# keys of a volume in stack.yml by which it can lie on a file server
_ELSEWHERE = {"driver", "driver_opts", "external"}
# folders of the image that no storage may hide, since containers need them
_IMAGE_FOLDERS = (
    "/bin",
    "/dev",
    "/etc",
    "/lib",
    "/lib64",
    "/proc",
    "/run",
    "/sbin",
    "/sys",
    "/tmp",
    "/usr",
    "/var",
)


def storage_conflicts(config: Config) -> Iterator[Conflict]:
    """Check the targets and volumes, and the fields that each storage type requires and accepts."""
    yield from _sharing_conflicts(config)
    first: dict[str, int] = {}
    volumes: dict[str, int] = {}
    for index, each in enumerate(config.storage):
        at: KeyPath = ("storage", index)
        if first.setdefault(each.target, index) != index:
            message = f"storage[{first[each.target]}] also has {each.target}"
            yield Conflict(((*at, "target"), at), message)
        name = each.volume
        if name and volumes.setdefault(name, index) != index:
            message = f"storage[{volumes[name]}] is also the volume {name}"
            yield Conflict(((*at, "source"), at), message)
        if each.target in _IMAGE_FOLDERS or any(
            each.target.startswith(f"{ours}/") for ours in _IMAGE_FOLDERS
        ):
            message = f"{each.target} belongs to the image: use another folder, for example /data"
            yield Conflict(((*at, "target"),), message)
        for name, place in _program_folders(config):
            if f"{place}/".startswith(f"{each.target}/"):
                message = f"{each.target} would hide {name}, at {place} in the image: "
                message += "use another folder, for example /data"
                yield Conflict(((*at, "target"), ("app", "bin")), message)
                break
        yield from _contradictions(config, index)
        needs, takes = _STORAGE[each.type]
        for name in ("source", "server", "options", "size"):
            if name in needs and getattr(each, name) is None:
                yield Conflict(((*at, name), (*at, "type"), at), f"is needed with {each.type}")
            if name not in takes and getattr(each, name) is not None:
                message = f"does not apply to {each.type}"
                yield Conflict(((*at, name), (*at, "type")), message)
        is_path = (each.source or "").startswith("/")
        if each.source and "source" in takes and is_path == (each.type == "volume"):
            wanted = "a name such as data" if each.type == "volume" else "an absolute path"
            yield Conflict(((*at, "source"), (*at, "type")), f"is {wanted} with {each.type}")


def _contradictions(config: Config, index: int) -> Iterator[Conflict]:
    """Check that the fields of one item do not contradict each other, or the memory of workers."""
    each, at = config.storage[index], ("storage", index)
    options = (each.options or "").split(",")
    if ("ro" in options and not each.read_only) or ("rw" in options and each.read_only):
        message = f"contradicts read_only: {str(each.read_only).lower()}: set it only there"
        yield Conflict(((*at, "options"), (*at, "read_only")), message)
    if each.type == "tmpfs" and each.read_only:
        message = "makes no sense with a tmpfs, which is empty at first and would stay empty"
        yield Conflict(((*at, "read_only"), (*at, "type")), message)
    for number, group in enumerate(config.workers):
        if each.type == "tmpfs" and each.size and group.memory and each.size > group.memory:
            message = f"{format_bytes(each.size)} of a tmpfs count against the memory limit of "
            message += f"{format_bytes(group.memory)}: make it smaller or memory larger"
            yield Conflict(((*at, "size"), ("workers", number, "memory")), message)


def _sharing_conflicts(config: Config) -> Iterator[Conflict]:
    """Check that what is said to be shared can be, and can be proved to be."""
    declared = config.stack.get("volumes")
    own = declared if isinstance(declared, dict) else {}
    for index, each in enumerate(config.storage):
        if not each.shared:
            continue
        at: tuple[KeyPath, ...] = (("storage", index, "shared"), ("storage", index))
        options = own.get(each.volume or "")
        if each.type == "tmpfs":
            yield Conflict(at, "does not apply to tmpfs")
        elif each.read_only:
            yield Conflict(at, "is proved by writing a file, which read_only forbids: leave it out")
        elif each.type == "volume" and not (isinstance(options, dict) and {*options} & _ELSEWHERE):
            message = "a volume is on one server, unless stack.volumes gives it another driver: "
            yield Conflict(at, message + "use nfs, or bind with a folder that the servers share")


def _program_folders(config: Config) -> Iterator[tuple[str, str]]:
    """What `app` brings, and the folder of the image where it lies."""
    if config.app:
        yield "the program (app.bin)", config.app.bin
    if config.app and config.app.python:
        yield "the packages of app.python", VENV
        yield "the sources of app.python", f"/home/{config.user.name}"
