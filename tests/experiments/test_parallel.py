"""Several runs at a time: each is kept as soon as it ends, also where another fails."""

import threading

import pytest

from experiments import parallel

KEYS = [("a", "m", 0), ("a", "m", 1), ("a", "m", 2)]


def test_runs_are_kept_as_they_end_and_an_error_loses_none():
    last = threading.Event()

    def play(key):
        if key[2] == 0:
            last.wait(10)
            raise RuntimeError("no program")
        return key[2]

    kept = []
    with pytest.raises(RuntimeError, match="no program"):
        for key, value in parallel.results(KEYS, play, 2):
            kept.append((key, value))
            if len(kept) == 2:
                last.set()
    assert kept == [(KEYS[1], 1), (KEYS[2], 2)]
