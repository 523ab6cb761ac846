"""The output of a batch job, each byte once."""

import os
import threading
from pathlib import Path

from mpigen.job import logs


def test_a_second_look_at_a_log_copies_only_what_is_new(tmp_path: Path) -> None:
    text = bytes(range(256)) * 1000
    with (tmp_path / "copy").open("wb") as file:
        copy = logs._Copy(file.fileno())
        for end in (0, 10, 70_000, 70_000, len(text)):
            out, into = os.pipe()
            writer = threading.Thread(target=lambda end=end, into=into: _fill(into, text[:end]))
            writer.start()
            copy.take(out)
            writer.join()
            os.close(out)
    assert (tmp_path / "copy").read_bytes() == text


def _fill(descriptor: int, data: bytes) -> None:
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
