"""The workers on the live line, also while a generation is under way."""

import time
from typing import Any

from qd import abilities
from qd.remote.tasks import Status
from qd.runner.job import Display
from qd.types import Domain

_GLANCE = 0.5  # seconds between two updates
_ALONE = 2.0  # seconds without a worker after which the line says so


class WorkerView:
    """Shows the workers of a domain beside the last row of metrics."""

    def __init__(self, domain: Domain, console: Display) -> None:
        self._console, self._row = console, {}
        self._row: dict[str, Any]
        self._shown, self._alone, self._warned = 0.0, None, False
        self._alone: float | None  # since when there is no worker
        self._dispatcher: Any = abilities.of_domain(domain).dispatcher
        if self._dispatcher:
            self._dispatcher.watch = self._watch

    def update(self, row: dict[str, Any]) -> None:
        """Shows a row of metrics, with the workers where there are some."""
        self._row, self._shown = row, time.monotonic()
        self._console.update(self._with_workers(self._dispatcher.status()) if self._dispatcher else row)

    def say(self, text: str) -> None:
        """Shows a line."""
        self._console.say(text)

    def close(self, summary: dict[str, Any]) -> None:
        """Shows the result."""
        self._console.close(summary)

    def _watch(self, status: Status) -> None:
        now = time.monotonic()
        if status.alive:
            self._alone, self._warned = None, False
        else:
            self._alone = self._alone or now
            if not self._warned and now - self._alone > _ALONE:
                self._warned = True
                self._console.say(f"no worker is alive; {self._dispatcher.patience:g} s are waited for one (remote.patience)")
        if self._row and now - self._shown > _GLANCE:
            self._shown = now
            self._console.update(self._with_workers(status))

    def _with_workers(self, status: Status) -> dict[str, Any]:
        return self._row | {"workers": str(status)}
