"""The exit code of several jobs."""

from mpigen.job.waiting import Awaited, first_failure


def test_the_first_exit_code_that_is_not_0_counts_in_the_order_given() -> None:
    jobs = [Awaited(name, code) for name, code in (("a", 0), ("b", 7), ("c", 3))]
    assert first_failure(jobs) == 7
    assert first_failure(jobs[::-1]) == 3
    assert first_failure(jobs[:1]) == 0
