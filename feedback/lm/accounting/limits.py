"""How fast calls may follow each other: token buckets for requests and for tokens, and how long a call may take."""

from dataclasses import dataclass, fields

from qd.support.errors import UserError


@dataclass(frozen=True)
class Limits:
    concurrency: int = 8  # calls at the same time, at most; fewer while the endpoint says 429
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    deadline: float = 180.0  # seconds for a call with all its retries, from its first turn on
    timeout: float = 60.0  # seconds for one attempt, slow drips included
    attempts: int = 6
    response_mb: float = 8.0  # of one response, unpacked; a larger one is a failure

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if value is None and f.name.endswith("per_minute"):
                continue
            whole = f.name in ("concurrency", "attempts")
            if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or not value > 0:
                raise UserError(f"lm.limits.{f.name}={value} is not a limit", f"type lm.limits.{f.name}={f.default or 60}")


class Bucket:
    """Fills evenly, up to what ``seconds`` of it hold. What is taken may exceed that: it is then owed, and waited for after."""

    def __init__(self, per_minute: float | None, now: float, seconds: float = 6.0) -> None:
        self.rate = None if per_minute is None else per_minute / 60
        self.room = 0.0 if self.rate is None else max(self.rate * seconds, 1.0)
        self.level, self.at = self.room, now

    def wait(self, amount: float, now: float) -> float:
        """Returns the seconds until so much may be taken; 0 for now.

        Args:
            amount: requests or tokens.
            now: the time in seconds, on any clock that does not go back.
        """
        if self.rate is None:
            return 0.0
        self.level, self.at = min(self.room, self.level + (now - self.at) * self.rate), now
        return max(0.0, (min(amount, self.room) - self.level) / self.rate)

    def take(self, amount: float) -> None:
        """Takes, or with a negative amount gives back."""
        if self.rate is not None:
            self.level = min(self.room, self.level - amount)
