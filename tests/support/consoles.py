"""Displays that show nothing."""


class QuietRun:
    """A console that keeps what it was told."""

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
