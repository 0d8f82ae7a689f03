"""The budget: calls, tokens and money, reserved for the worst case before each call.

Prices are in money per million tokens. An unknown price is never taken as 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import NamedTuple

from qd.support.errors import UserError


class Cost(NamedTuple):
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    money: float = 0.0

    def plus(self, other: "Cost", times: int = 1) -> "Cost":
        """Returns the sum.

        Args:
            other: what is added.
            times: factor; -1 subtracts.
        """
        return Cost(
            self.calls + times * other.calls,
            self.tokens_in + times * other.tokens_in,
            self.tokens_out + times * other.tokens_out,
            self.money + times * other.money,
        )

    @property
    def tokens(self) -> int:
        return self.tokens_in + self.tokens_out


@dataclass(frozen=True)
class Budget:
    """The most that a client may spend; None: no limit."""

    calls: int | None = None
    tokens: int | None = None  # in and out together
    money: float | None = None

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
                raise UserError(f"lm.budget.{f.name}={value} is not a limit", f"type lm.budget.{f.name}=100, or null for none")

    def lacks(self, total: Cost) -> str | None:
        """Returns the name of the limit that this total exceeds, or None."""
        for name in ("calls", "tokens", "money"):
            limit = getattr(self, name)
            if limit is not None and getattr(total, name) > limit:
                return name
        return None


@dataclass(frozen=True)
class Price:
    """Of a million tokens, in one currency."""

    tokens_in: float
    tokens_out: float

    def of(self, tokens_in: int, tokens_out: int) -> float:
        """Returns the money that a call costs.

        Args:
            tokens_in: of the prompt.
            tokens_out: of the answer, thinking included.
        """
        return (tokens_in * self.tokens_in + tokens_out * self.tokens_out) / 1e6


def price(prices: Mapping[str, float] | None, free: bool, model: str) -> Price:
    """Reads a price.

    Args:
        prices: {in: ..., out: ...} of a million tokens, or None.
        free: whether the endpoint is on this machine, so that a call costs nothing.
        model: its name, for the message.

    Returns:
        The price of a million tokens; 0 where ``prices`` is None and the endpoint free.

    Raises:
        UserError: the price is missing and the endpoint is not free, or it is not valid.
    """
    if prices is None:
        if free:
            return Price(0.0, 0.0)
        raise UserError(
            f"the price of {model} is not known, and a budget needs it",
            "type lm.price.in=0.15 lm.price.out=0.6 (per million tokens), or both 0 if it is free",
        )
    if not isinstance(prices, Mapping) or prices.keys() != {"in", "out"} or not all(_is_price(p) for p in prices.values()):
        raise UserError(f"lm.price={prices} is not a price", "type lm.price.in=0.15 lm.price.out=0.6 (per million tokens)")
    return Price(float(prices["in"]), float(prices["out"]))


def _is_price(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")
