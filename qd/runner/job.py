"""One search in one folder, and its output: what each stage of a run receives."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from qd.config.compose import Components
from qd.config.estimate import Consent
from qd.config.settings import RunSettings
from qd.runner.stopping import Stop


class Display(Protocol):
    """Shows a run on a terminal, a notebook or nowhere."""

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
    parts: Components
    path: Path  # the folder
    console: Display
    stop: Stop
    consent: Consent | None = None  # asks before a long or paid run; None: it does not
    header: Mapping[str, Any] = MappingProxyType({})  # what archive.json says of the run; evaluations: those of the moment
