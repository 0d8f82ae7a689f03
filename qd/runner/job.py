"""One search in one folder, and where a person looks on: what each stage of a run is given."""

from pathlib import Path
from typing import Any, NamedTuple, Protocol

from qd.config.compose import Assembled
from qd.config.settings import RunSettings
from qd.runner.stopping import Stop


class Display(Protocol):
    """Where a person looks on."""

    def update(self, row: dict[str, Any]) -> None:
        """Shows a row of metrics."""
        ...

    def say(self, text: str) -> None:
        """Shows a line."""
        ...

    def close(self, summary: dict[str, Any]) -> None:
        """Shows the result."""
        ...


class Job(NamedTuple):
    """A search that runs in a folder."""

    settings: RunSettings
    parts: Assembled
    path: Path  # the folder
    console: Display
    stop: Stop
