"""Metrics of one's own, good and bad."""

from dataclasses import dataclass
from typing import Any

import numpy as np


def spread(state: Any, batch: Any) -> float:
    return float(np.ptp(state.archive.data("objective")))


def rows(state: Any, batch: Any) -> int:
    return len(batch.ids)


def undefined(state: Any, batch: Any) -> float:
    return float("nan")


def faulty(state: Any, batch: Any) -> float:
    return {}["a key"]


def words(state: Any, batch: Any) -> str:
    return "many"


def lonely(state: Any) -> float:
    return 0.0


@dataclass(frozen=True)
class Above:
    """Share of elites above a threshold."""

    threshold: float

    def __call__(self, state: Any, batch: Any) -> float:
        return float((state.archive.data("objective") > self.threshold).mean())
