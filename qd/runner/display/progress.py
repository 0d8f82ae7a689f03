"""The progress of a search in a script or a notebook: one live line, or plain lines outside a terminal."""

import time
from collections.abc import Iterator
from typing import Any, TextIO

from qd import abilities, metrics
from qd.driver import Generations
from qd.metrics import Tally
from qd.runner.display.console import Console
from qd.types import Batch, State

_GLANCE = 0.25  # seconds between updates of the line, at least


def progress(
    generations: Generations, mode: str = "auto", every: float = 5.0, file: TextIO | None = None
) -> Iterator[tuple[State, Batch]]:
    """Shows how a search goes on: evaluations, speed, coverage, QD score, best, failures and the time left.

        for state, batch in qd.progress(qd.run(search, state, until=50_000)):
            ...

    Args:
        generations: what ``qd.run`` returns.
        mode: live (one line that changes), plain (a line every few seconds), off, or auto: live on a terminal and in a
            notebook that has ipywidgets, else plain.
        every: seconds between plain lines.
        file: where it is written; standard output by default.

    Yields:
        (state, batch), unchanged.
    """
    search, console = generations.search, Console(generations.until, mode, file, every)
    scale, tally, glance = abilities.of_domain(search.domain).objective_range, Tally(), 0.0
    try:
        for state, batch in generations:
            tally = metrics.count(tally, batch, search.descriptor.bounds)
            last = state.evaluations >= generations.until
            if last or time.monotonic() - glance > _GLANCE:
                console.update(_row(state, tally, scale), last)
                glance = time.monotonic()
            yield state, batch
    finally:
        console.stop()


def _row(state: State, tally: Tally, scale: metrics.Range | None) -> dict[str, Any]:
    counts = {"evals": state.evaluations, "generation": state.generation, "failed": tally.failed}
    return counts | metrics.of_archive(state.archive, scale)
