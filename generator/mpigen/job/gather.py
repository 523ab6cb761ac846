"""What a host does to send files: the script that finds them, and the program that runs it."""

import posixpath
import secrets
import shlex
from collections.abc import Sequence
from importlib.resources import files

from mpigen.errors import InputError

MARK_VARIABLE = "MPIGEN_FETCH"
"""The variable that makes mpi-rank leave a mark, of that value, on each host that runs a rank."""

# The script of each host; "$@" are patterns, which the shell expands and nothing else of them.
_GATHER = """\
set -e
IFS=
{only_of_job}
top=$(mktemp -d)
trap 'rm -rf -- "$top" {marker}' EXIT
mkdir "$top/files"
number=0 missing=
for pattern; do
    found=
    [ "$number" -lt {own} ] || [ "${{first:-yes}}" = yes ] || pattern=
    for path in $pattern; do
        [ -e "$path" ] || continue
        found=yes
        link=$top/files/${{path##*/}}
        [ "$(readlink -- "$link" || :)" != "$path" ] || continue
        ln -s -- "$path" "$link" 2>/dev/null || {{
            echo "two of these are called ${{path##*/}}: pull them separately, or their folder" >&2
            exit 1
        }}
    done
    [ -n "$found" ] || missing=$missing$number,
    number=$((number + 1))
done
cd "$top/files"
find -L . -mindepth 1 -type f {newer} -fprintf ../sizes '%s\\n' -printf '%P\\0' > ../names
others=$(find -L . -mindepth 1 ! -type f ! -type d -printf x | wc -c)
xargs -0 -r sha256sum --zero -- < ../names > ../sums
bytes=$(awk '{{ all += $1 }} END {{ printf "%.0f", all }}' ../sizes)
echo "$(wc -c < ../sums) $bytes $others ${{missing:--}}"
cat ../sums
[ ! -s ../names ] || tar --create --dereference --hard-dereference --format=gnu --no-recursion \\
    --null --files-from=../names --file=-
"""


def new_mark() -> str:
    """A new word for a job whose files are to be fetched: the value of MARK_VARIABLE."""
    return secrets.token_hex(8)


def refuse_bad(pattern: str) -> None:
    """Raise InputError for what is no path or pattern of files of a host."""
    name = posixpath.basename(pattern.rstrip("/"))
    if name in ("", ".", ".."):
        hint = "Name files or folders of the hosts: mpigen pull 'out/*.csv'"
        raise InputError(f"{pattern!r} does not end with a name", hint)
    if not pattern.isprintable():
        raise InputError(f"{pattern!r} is not a path that can be pulled")


def program() -> str:
    """The program of the job's container, which runs a script on each host."""
    return files(__package__).joinpath("collect.pl").read_text("utf-8")


def script(patterns: Sequence[str], job: str = "", once: int = 0) -> str:
    """The script of a host, which prints a header, the hashes and a tar; see `arrival`.

    `job` is a mark of `new_mark`, which mpi-rank left on the hosts that ran ranks. The last `once`
    patterns are of storage that all hosts share: only the first host sends them.
    """
    marker = f"/run/mpi/ran-{job}" if job else ""
    only = f"[ -e {marker} ] || {{ echo none; exit; }}" if job else ""
    newer = f"-newer {marker}" if job else ""
    own = len(patterns) - once
    body = _GATHER.format(only_of_job=only, newer=newer, marker=marker, own=own)
    return f"set -- {' '.join(map(shlex.quote, patterns))}\n{body}"
