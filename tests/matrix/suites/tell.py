"""mpi4py's own tests, with a line for each begin and end: "@ RANK OUTCOME TEST".

It lies beside mpi4py's main.py in the image, and takes the same options. TELL_IN names a folder in
which each rank writes a file of its own, since MPI by itself tears lines; without it they are
printed. A test that takes more than LIMIT seconds has hung: its rank ends, and MPI ends the others.
"""

import faulthandler
import os
import unittest
from typing import Any

import main  # type: ignore[import-not-found,unused-ignore]

LIMIT = 600
RANKS = ("OMPI_COMM_WORLD_RANK", "PMI_RANK")
RANK = next(os.environ[name] for name in RANKS if name in os.environ)
FOLDER = os.environ.get("TELL_IN")
TOLD = os.open(f"{FOLDER}/told.{RANK}", os.O_WRONLY | os.O_CREAT) if FOLDER else 1


def tell(outcome: str, test: unittest.TestCase, why: str = "") -> None:
    """In one write, and without unittest's dots, so that lines of several ranks do not mix."""
    os.write(TOLD, f"@ {RANK} {outcome} {test.id()}\n{why}".encode())


class Result(unittest.TextTestResult):
    """Tells what each test does as it does it."""

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        tell("began", test)
        faulthandler.dump_traceback_later(LIMIT, exit=True)

    def stopTest(self, test: unittest.TestCase) -> None:
        faulthandler.cancel_dump_traceback_later()
        super().stopTest(test)

    def addSuccess(self, test: unittest.TestCase) -> None:
        super().addSuccess(test)
        tell("passed", test)

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        super().addFailure(test, err)
        tell("failed", test, self.failures[-1][1])

    def addError(self, test: unittest.TestCase, err: Any) -> None:
        super().addError(test, err)
        tell("failed", test, self.errors[-1][1])

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err:
            tell("failed", test)

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        super().addSkip(test, reason)
        tell("skipped", test)


with open(os.devnull, "w", encoding="utf-8") as dots:  # noqa: PTH123
    runner = unittest.TextTestRunner(dots, resultclass=Result)  # type: ignore[arg-type]
    main.main(module=None, testRunner=runner)
