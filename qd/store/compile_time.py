"""Seconds that JAX spends in this process on tracing and compiling programs.

JAX reports each step of a compilation with its length at its end. What is compiled while a function is traced is reported by
itself, and again within the step that traces.
"""

import sys
import time
from functools import cache

_STEPS = "/jax/core/compile/"  # names of the events: trace to a jaxpr, lower to MLIR, compile by XLA


class CompileClock:
    """Adds up the steps of compilation; a step that lies within another one counts once."""

    def __init__(self) -> None:
        self.seconds = 0.0  # the sum of all steps so far
        self._spans: list[tuple[float, float]] = []  # begin and end of each outermost step

    def add(self, event: str, duration_secs: float, **_: object) -> None:
        """Takes an event that has just ended.

        Args:
            event: its name; others than steps of compilation do not count.
            duration_secs: its length.
        """
        if not event.startswith(_STEPS):
            return
        end = time.perf_counter()
        while self._spans and self._spans[-1][0] >= end - duration_secs:
            inner_begin, inner_end = self._spans.pop()
            self.seconds -= inner_end - inner_begin
        self._spans.append((end - duration_secs, end))
        self.seconds += duration_secs


def compile_clock() -> CompileClock:
    """Returns the clock of this process, which counts from the first call on at which JAX is imported."""
    return _listening() if "jax" in sys.modules else _SILENT


@cache
def _listening() -> CompileClock:
    import jax.monitoring

    clock = CompileClock()
    jax.monitoring.register_event_duration_secs_listener(clock.add)
    return clock


_SILENT = CompileClock()  # without JAX nothing is compiled
