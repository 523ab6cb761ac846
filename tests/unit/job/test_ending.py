"""How a job in the foreground is ended."""

from mpigen.job import ending


def test_a_job_is_ended_by_its_signal_then_in_a_hurry_by_a_second_and_then_by_force() -> None:
    def steps(*hurry: bool) -> list[str | None]:
        step, taken = None, []
        for each in hurry:
            taken.append(step := ending.next_step(step, each))
        return taken

    assert steps(True, True, True, True) == ["first", "SIGTERM", "SIGKILL", "SIGKILL"]
    assert steps(True, False, False) == ["first", "SIGKILL", None]
    assert steps(True, True, False, False) == ["first", "SIGTERM", "SIGKILL", None]
    assert steps(False, False, True, False) == ["first", "SIGKILL", "SIGKILL", None]
