"""How far a search goes before somebody looks at it again: some rows of metrics at a time, which changes none of them."""

from typing import Any

from qd.config.settings import RunSettings

_SECONDS = 0.2  # that a stretch may take: console, signals and checkpoints wait for its end
_GROWTH = 8  # at most, from one stretch to the next


class Stride:
    """Takes the time of each stretch: short ones are made longer, for each costs some work beside the search."""

    def __init__(self, settings: RunSettings, referee: Any) -> None:
        self.log_every, self.save_every = settings.log_every, settings.save_every
        self.one = referee is not None or bool(settings.stop) or settings.refit == "outside"  # they act on each row
        self.rows = 1

    def end(self, evaluations: int, rested: bool) -> int:
        """Returns where the next stretch ends; at a checkpoint, where one is due by now."""
        stop = (evaluations // self.log_every + self.rows) * self.log_every
        return min(stop, (evaluations // self.save_every + 1) * self.save_every) if rested else stop

    def took(self, seconds: float) -> None:
        """Learns how long the last one took."""
        if not self.one:
            self.rows = max(1, min(int(self.rows * _SECONDS / max(seconds, 1e-6)), self.rows * _GROWTH))
