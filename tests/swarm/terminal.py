"""A plain user of this machine, at a shell in a terminal of 80 x 24."""

import os
import pwd
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.swarm.conftest import call, check

# the prompt has the exit code of what ran before; a command that failed within a paste says so
PROMPT = "PS1='[$?]> '\ntrap 'echo \"FAILED $?: $BASH_COMMAND\"' ERR\n"
_PROMPT = re.compile(r"^(?:\(\S+\) )?\[(\d+)\]> ", re.M)
# how this machine reaches package indexes is no part of what a reader does
_NETWORK = re.compile(r"(?:pip|curl|ssl|requests|https?|no)_", re.I)


@dataclass(frozen=True)
class Terminal:
    """A shell in tmux, of the user `name`, who has `home`."""

    name: str
    home: Path
    environment: dict[str, str]
    user: int
    group: int
    groups: tuple[int, ...]

    def run(self, *command: str | Path, given: str | None = None) -> str:
        """What a command of this user prints, beside the terminal."""
        done = subprocess.run(
            [str(word) for word in command],
            cwd=self.home,
            env=self.environment,
            user=self.user,
            group=self.group,
            extra_groups=self.groups,
            input=given,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, (command, done.stdout + done.stderr)
        return done.stdout

    def tmux(self, *words: str | Path, given: str | None = None) -> str:
        return self.run("tmux", "-L", self.name, *words, given=given)

    def screen(self) -> str:
        """All that the terminal has shown since it was last cleared, wrapped lines joined."""
        return self.tmux("capture-pane", "-p", "-J", "-S", "-")

    def paste(self, block: str, seconds: float) -> str:
        """Paste a block as terminals do, and press Enter; what is shown until the next prompt.

        Fails where a command of the block does.
        """
        self.tmux("send-keys", "C-l")
        time.sleep(1)
        self.tmux("clear-history")
        self.tmux("load-buffer", "-", given=block.rstrip("\n"))
        self.tmux("paste-buffer", "-p", "-d")
        self.tmux("send-keys", "Enter")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(1)
            shown = self.screen().rstrip("\n")
            if (last := _PROMPT.match(shown.rpartition("\n")[2] + " ")) and "\n" in shown:
                assert last[1] == "0" and "\nFAILED" not in shown, shown
                return shown
        raise AssertionError(f"not done after {seconds} s:\n{self.screen()}")


@contextmanager
def plain_user() -> Iterator[Terminal]:
    """A terminal of a new user who may use Docker; of this one where the tests are not root's."""
    if os.geteuid():
        home = Path(tempfile.mkdtemp(prefix="reader-"))
        me = pwd.getpwuid(os.geteuid())
        groups = tuple(os.getgroups())
    else:
        name = f"reader{os.getpid()}"
        check("useradd", "--create-home", "--shell", "/bin/bash", "--groups", "docker", name)
        me = pwd.getpwnam(name)
        home, groups = Path(me.pw_dir), (Path("/var/run/docker.sock").stat().st_gid,)
    environment = {name: value for name, value in os.environ.items() if _NETWORK.match(name)}
    environment |= {
        "HOME": str(home),
        "USER": me.pw_name,
        "LOGNAME": me.pw_name,
        "SHELL": "/bin/bash",
        "LANG": "C.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "TERM": "xterm-256color",
    }
    made = Terminal(me.pw_name, home, environment, me.pw_uid, me.pw_gid, groups)
    try:
        made.run("tee", home / ".bashrc", given=PROMPT)
        size = ("-x", "80", "-y", "24")
        made.tmux("-f", "/dev/null", "set-option", "-g", "history-limit", "50000", ";",
                  "new-session", "-d", *size, "bash")  # fmt: skip
        yield made
    finally:
        with suppress(AssertionError):  # none has begun
            made.tmux("kill-server")
        if os.geteuid():
            shutil.rmtree(home)
        else:
            call("pkill", "--signal", "KILL", "--uid", str(me.pw_uid))
            call("userdel", "--remove", "--force", me.pw_name)  # 12: it had no mail
