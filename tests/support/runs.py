"""For runs without a command line: settings, and consoles that show nothing."""

from typing import Any

from qd.config.settings import RunSettings
from qd.runner.stopping import Stop


def run_settings(**settings: Any) -> RunSettings:
    """Returns settings with their defaults; nodes of components are empty unless they are given."""
    nodes: dict[str, Any] = {name: {} for name in ("domain", "descriptor", "archive", "emitter")} | {"driver": {"name": "host"}}
    return RunSettings(**{"name": "toy", "console": "off"} | nodes | settings)


class QuietRun:
    """A console that shows nothing and keeps its lines and rows."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.rows: list[dict] = []
        self.closed: dict | None = None

    def update(self, row: dict) -> None:
        self.rows.append(row)

    def say(self, text: str) -> None:
        self.said.append(text)

    def close(self, summary: dict) -> None:
        self.closed = summary


class Quiet:
    def update(self, row: dict) -> None: ...

    def say(self, text: str) -> None: ...

    def close(self, summary: dict) -> None: ...


class Cut(Stop):
    """Requests a stop every few generations."""

    def __init__(self, generations: int) -> None:
        super().__init__()
        self.generations, self.looks = generations, 0

    @property
    def is_requested(self) -> bool:
        self.looks += 1
        return self.looks > self.generations

    @is_requested.setter
    def is_requested(self, value: bool) -> None: ...
