"""Texts that are good and short: quality and brevity are two objectives. B texts."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from domains.text import Texts
from qd.support.errors import UserError
from qd.types import Array, Evaluation


@dataclass(frozen=True)
class BriefTexts(Texts):
    """Texts with objectives [B, 2]: the judge's quality, and brevity, which falls evenly from 1 to 0 at ``longest`` words."""

    longest: int = 60  # words
    objective_range: Any = ((0.0, 1.0), (0.0, 1.0))
    objective_names: tuple[str, str] = ("quality", "brevity")

    def __post_init__(self) -> None:
        if self.longest < 1:
            raise UserError(f"domain.longest={self.longest} leaves no brevity", "type domain.longest=60")

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Judges B texts.

        Args:
            keys: unused.
            solutions: texts [B].

        Returns:
            Objectives [B, 2], NaN where a text is empty or has no grade, and the features of Texts.
        """
        quality, features = super().evaluate(keys, solutions)
        brevity = np.clip(1 - features["words"][:, 0] / self.longest, 0, 1)
        return Evaluation(np.stack([quality, np.where(np.isfinite(quality), brevity, np.nan)], axis=1), features)
