"""Signals as events."""

import os
import signal

import pytest

from mpigen.job import events


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM])
def test_signals_become_events_and_come_too_late_after(number: signal.Signals) -> None:
    before = {each: signal.getsignal(each) for each in events._CAUGHT}
    try:
        with events.caught() as arrived:
            os.kill(os.getpid(), number)
            assert arrived.get(timeout=5) == number
        # a second one, after the job's end, must not take the place of its exit code
        os.kill(os.getpid(), number)
        for_ranks = number in events.PASSED_ON
        for each, handler in before.items():
            ignored = (each in events.PASSED_ON) == for_ranks
            assert signal.getsignal(each) == (signal.SIG_IGN if ignored else handler)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        with events.caught() as arrived:
            os.kill(os.getpid(), signal.SIGUSR1)
            assert arrived.empty()
    finally:
        signal.signal(signal.SIGUSR1, before)
