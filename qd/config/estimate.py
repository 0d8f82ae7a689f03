"""What the rest of a run will take, measured on its first evaluations; a question where that is paid for or over an hour."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from qd.support.errors import UserError

_LOOK = 10.0  # seconds of search, without compilation, after which speed is known well enough
_LONG = 3600.0  # seconds; a shorter run begins without a question
_COUNTS = ("calls", "tokens_in", "tokens_out", "money")  # of a service's report


class Estimate(NamedTuple):
    """Of the evaluations that remain."""

    evaluations: int
    seconds: float
    rate: float  # evaluations a second
    calls: float  # of language models, as are tokens and money
    tokens: float
    money: float  # in the currency of the prices

    def __str__(self) -> str:
        time = f"about {_in_words(self.seconds)} at {self.rate:,.3g} evaluations a second"
        parts = [f"{self.evaluations:,} evaluations remain: {time}"]
        if self.calls:
            parts.append(f"{self.calls:,.0f} calls, {self.tokens:,.0f} tokens")
        if self.money:
            money = f"{self.money:,.2f}" if self.money >= 1 else f"{self.money:.2g}"
            parts.append(f"{money} in the currency of the prices")
        return ", ".join(parts)


def _in_words(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"


@dataclass
class Consent:
    """Looks at a run once: after its first paid evaluations, or after ten seconds of search."""

    budget: int  # evaluations
    yes: bool  # typed as yes=true: it begins without a question
    ask: Callable[[str], bool] | None = None  # None: by the terminal, where there is one
    others: int = 0  # evaluations of other runs of the same command, which are as fast and cost as much
    at_once: int = 1  # runs that go on at the same time
    done: bool = False
    _first: tuple[int, float, dict[str, float]] | None = field(default=None, repr=False)

    def begin(self, evaluations: int, busy: float, services: Sequence[Any]) -> None:
        """Takes the counts from which on the estimate is measured.

        Args:
            evaluations: of the run, before it begins or goes on.
            busy: seconds that it has taken, without compilation.
            services: shared components with ``report() -> rows``.
        """
        self._first = evaluations, busy, _counts(services)

    def check(
        self, evaluations: int, busy: float, services: Sequence[Any], save: Callable[[], None], say: Callable[[str], None]
    ) -> None:
        """Asks where the rest is paid for or takes over an hour; a later call does nothing.

        Args:
            evaluations: of the run by now.
            busy: seconds that it has taken, without compilation.
            services: shared components with ``report() -> rows``.
            save: writes a checkpoint; called before a refusal.
            say: shows a line.

        Raises:
            UserError: nobody agrees, or there is no terminal for a question; says what to type.
        """
        if self.done or self._first is None or not self._first[0] < evaluations < self.budget:
            return
        before, busy_before, counts_before = self._first
        used = {name: count - counts_before[name] for name, count in _counts(services).items()}
        if busy - busy_before < _LOOK and not used["money"]:
            return
        self.done = True
        remaining = self.budget - evaluations + self.others
        estimate = _scaled(used, (busy - busy_before) / self.at_once, evaluations - before, remaining)
        if estimate.seconds <= _LONG and not estimate.money:
            return
        if self.yes or self.ask or has_terminal():  # else the refusal below says it
            say(str(estimate))
        if not self.yes and not (self.ask or by_terminal)("go on?"):
            save()
            raise UserError(f"stopped with a checkpoint: {estimate}", "add yes=true to the command, and it goes on from there")


def has_terminal() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def by_terminal(question: str) -> bool:
    """Asks a person; False where none sits there."""
    return has_terminal() and input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def of_pace(evaluations: int, seconds: float, remaining: int) -> Estimate:
    """Returns the estimate by the pace so far, of a run that costs nothing here.

    Args:
        evaluations: that took ``seconds``.
        seconds: above 0.
        remaining: evaluations.
    """
    return _scaled(dict.fromkeys(_COUNTS, 0.0), seconds, evaluations, remaining)


def _scaled(used: dict[str, float], busy: float, evaluations: int, remaining: int) -> Estimate:
    factor, rate = remaining / evaluations, evaluations / max(busy, 1e-9)
    tokens = used["tokens_in"] + used["tokens_out"]
    return Estimate(remaining, remaining / rate, rate, used["calls"] * factor, tokens * factor, used["money"] * factor)


def _counts(services: Sequence[Any]) -> dict[str, float]:
    rows = [row for service in services for row in service.report()]
    return {name: sum(float(row[name]) for row in rows if isinstance(row.get(name), int | float)) for name in _COUNTS}
