"""The syntax of each value type of mpigen.yaml, as JSON Schema for editors.

`values.py` is authoritative: a pattern may accept values that only code can reject, but never
rejects one that `values.py` accepts. The patterns mean the same in Python and JavaScript.
"""

from pydantic import WithJsonSchema

from mpigen.config import limits
from mpigen.mpi import IMPLEMENTATIONS

LABEL = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
LABEL_LIMIT = 63

# distribution/reference, regexp.go: [domain/]path[:tag][@digest], lower case except the tag
_HOST = r"([a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?(:[0-9]+)?/)?"
_PART = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
_TAG = r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?"
IMAGE = rf"{_HOST}{_PART}(/{_PART})*{_TAG}"

# swarmkit, manager/constraint/constraint.go; an unknown key matches no node
_NODE_LABEL = r"labels\.[a-zA-Z0-9][a-zA-Z0-9_.-]*"
_NODE_KEY = rf"node\.(id|hostname|ip|role|platform\.os|platform\.arch|{_NODE_LABEL})"
_NODE_VALUE = r"[a-zA-Z0-9:_ .*()?+\[\]\\^$|/-]+"
CONSTRAINT = rf" *({_NODE_KEY}|engine\.{_NODE_LABEL}) *(==|!=) *{_NODE_VALUE}"

# deb-version(7), and names of all distributions: package_managers.py has what each takes
# apt-get would remove a package whose name ends with -
PACKAGE = r"[A-Za-z0-9][A-Za-z0-9+._-]*[A-Za-z0-9+._](=[0-9][A-Za-z0-9.+:~_-]*)?"

# users and groups of Debian's base-passwd and openssh-server, which useradd would refuse
_RESERVED_USERS = (
    "root|daemon|bin|sys|sync|games|man|lp|mail|news|uucp|proxy|www-data|backup|list|irc|_apt|"
    "nobody|nogroup|sshd|_ssh|adm|tty|disk|kmem|dialout|fax|voice|cdrom|floppy|tape|sudo|audio|"
    "dip|operator|src|shadow|utmp|video|sasl|plugdev|staff|users"
)
USER = rf"(?!({_RESERVED_USERS})$)[a-z_][a-z0-9_-]{{0,31}}"

# PEP 508: name, extras and version specifiers
_PYTHON_VERSION = r"(==|>=|<=|~=|!=|<|>)[0-9][A-Za-z0-9.+!*]*"
PYTHON = (
    r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(\[[a-z0-9,_-]+\])?"
    rf"({_PYTHON_VERSION}(,{_PYTHON_VERSION})*)?"
)

# the host name that `docker node ls` shows, and the URL that `docker --host` takes
NODE = r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?"
ENGINE = r"(unix://(/[A-Za-z0-9._+-]+)+|(ssh|tcp)://([A-Za-z0-9._-]+@)?[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]+)?)"

MIRROR = r"http://[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]+)?(/[A-Za-z0-9._~-]+)*"

# mount options of nfs(5) except addr=, which the field `server` sets
MOUNT_OPTIONS = (
    r"(?!(.*,)?addr=)[a-z][a-z0-9_]*(=[A-Za-z0-9._:/-]+)?(,[a-z][a-z0-9_]*(=[A-Za-z0-9._:/-]+)?)*"
)
SERVER = r"[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?"
# swarmkit, api/genericresource; dockerd takes them as NAME=VALUE
RESOURCE = r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?"
PATH = r"(/[A-Za-z0-9_][A-Za-z0-9._+-]*)+"
PARAM = r"[a-z][a-z0-9_]*|[A-Z][A-Z0-9_]*"
# the entrypoint sets these when a container starts
RESERVED_PARAMS = tuple(name for mpi in IMPLEMENTATIONS.values() for name in mpi.reserved_params)
ENGINE_VERSION = r"[0-9]{2,3}(\.[0-9]{1,2}(\.[0-9]{1,3})?)?"
CPUS = r"[0-9]+(\.[0-9]{1,9})?"

# the characters of one line, and of several lines of commands; neither may be blank
_CONTROL = r"\x00-\x08\x0a-\x1f\x7f"
_LINE = rf"(?=.*\S)[^\t{_CONTROL}]+"
_LINES = r"(?=[\s\S]*\S)[^\x00-\x08\x0b-\x1f\x7f]+"
_SOURCES = rf"(?![/~-])(?!(.*/)?\.\.(/|$)){_LINE}"
_FOLDER = rf"(?!(\.?/)*\.?$){_SOURCES}"
_PARAM_VALUE = rf'(?!\s)(?!.*\s$)[^"#\t{_CONTROL}]+'
ENV_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_ENV_VALUE = rf"[^\t{_CONTROL}]*"
_OCTET = r"(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_PREFIX = rf"(0*([89]|[12][0-9])|{_OCTET}(\.{_OCTET}){{3}})"
_SUBNET = rf"(?!(127|22[4-9]|23[0-9])\.){_OCTET}(\.{_OCTET}){{3}}/{_PREFIX}"
_SIZE = r"[0-9]+(\.[0-9]+)? ?([kKmMgGtTpP]([iI]?[bB])?|[bB])?"
_TOO_FEW_CPUS = r"0+(\.(0|00[0-9]*))?"


def text(title: str, pattern: str, limit: int = limits.LINE) -> WithJsonSchema:
    """The schema of text that matches `pattern` as a whole; docs show `title` as its type."""
    return WithJsonSchema({"title": title, **_matching(pattern), "maxLength": limit})


def _either(title: str, *forms: dict[str, object]) -> WithJsonSchema:
    return WithJsonSchema({"title": title, "anyOf": list(forms)})


def _matching(pattern: str) -> dict[str, object]:
    return {"type": "string", "pattern": f"^({pattern})$", "maxLength": limits.LINE}


label = text("DNS label", LABEL, LABEL_LIMIT)
image = text("image reference", IMAGE)
constraint = text("placement constraint", CONSTRAINT)
mirror = text("http URL", MIRROR)
package = text("package", PACKAGE)
python = text("Python package", PYTHON)
user = text("user name", USER)
node = text("host name of a node", NODE)
engine = text("Docker endpoint", ENGINE)
engine_version = text("version of Docker", ENGINE_VERSION)
path = text("absolute path", PATH)
# a volume's name (moby, volume/service: RestrictedNamePattern) after STACK_, or a path
STORAGE = rf"[a-zA-Z0-9][a-zA-Z0-9_.-]*|{PATH}"
storage = text("volume's name or absolute path", STORAGE)
mount_options = text("mount options", MOUNT_OPTIONS)
server = text("host name or address", SERVER)
resource = text("name of a resource", RESOURCE)
param = text("MPI parameter", rf"(?!({'|'.join(RESERVED_PARAMS)})$)({PARAM})")
folder = text("relative path", _SOURCES)
file = text("relative path of a file", _FOLDER)
env_name = text("name of an environment variable", ENV_NAME)
env_value = text("text in one line", _ENV_VALUE)
line = text("command, one line", _LINE)
commands = text("shell commands", _LINES, limits.COMMANDS)
subnet = text("IPv4 subnet, /8 to /29", _SUBNET)
cpus = _either(
    "number of CPUs",
    {"type": "number", "minimum": 0.01, "maximum": limits.CPUS},
    _matching(rf"(?!{_TOO_FEW_CPUS}$){CPUS}"),
)
slots = _either(
    "`auto` or whole number, 1 to " + str(limits.SLOTS),
    {"const": "auto"},
    {"type": "integer", "minimum": 1, "maximum": limits.SLOTS},
)
mpi_name = WithJsonSchema({"enum": list(IMPLEMENTATIONS), "type": "string"})
# PEP 440: release numbers, and the suffixes of PyPI's wheels of MPI
MPI_VERSION = r"[0-9]{1,4}(\.[0-9]{1,4}){1,3}(rc[0-9]{1,2}|\.post[0-9]{1,2})?"
mpi_version = text("version of an MPI", MPI_VERSION)
param_value = _either(
    "text, number or boolean",
    {"type": "number", "exclusiveMinimum": -limits.NUMBER, "exclusiveMaximum": limits.NUMBER},
    {"type": "boolean"},
    _matching(_PARAM_VALUE),
)


def size(least: int) -> WithJsonSchema:
    """The schema of a Docker size such as `4g`, or of a number of bytes from `least` upward."""
    return _either(
        "size", {"type": "integer", "minimum": least, "maximum": limits.BYTES}, _matching(_SIZE)
    )
