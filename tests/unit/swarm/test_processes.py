"""Other programs, run and quoted in errors."""

import pytest

from mpigen.errors import ClusterError
from mpigen.swarm import processes


def test_a_failing_command_shows_its_last_lines() -> None:
    script = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo line $i >&2; done; exit 4"
    with pytest.raises(ClusterError) as error:
        processes.run(["sh", "-c", script], "counting")
    assert error.value.message.startswith("counting failed with exit code 4\n  line 3\n")
    assert error.value.message.endswith("  line 12")
