"""Texts on a topic: a language model writes them, and judges say how good each is and of what kind.

    texts = Texts(Writer(lm, "An opinion about bicycles"), grade)     # grade(["..."]) -> [[quality, axis 1, ...]]

Quality-diversity through AI feedback (QDAIF, Bradley et al. 2024, https://arxiv.org/abs/2310.13032). Nothing here knows which
model it is: conf passes the client and the judges in. B texts, M axes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from domains.text.writer import Writer
from qd import abilities, keys
from qd.support.separation import LEAST, separation
from qd.types import Array, Evaluation, Rendering

_TRIES = 3  # texts written for each end of an axis, to see whether its judge can tell them apart


@dataclass(frozen=True)
class Texts:
    """Solutions are texts. The objective is the judge's quality, ``kind`` [B, M] where it puts a text on each axis,
    ``words`` [B, 1] how many there are; ``views`` are more features by name, functions of the texts.

    A text that is empty, or that the judge gives no answer for, has failed: its objective is NaN.
    """

    writer: Writer
    grade: Callable[[Sequence[str]], np.ndarray] = field(compare=False)  # [B, 1 + M]: quality from 0 to 1, then the axes
    views: Mapping[str, Callable[[Sequence[str]], np.ndarray]] = field(default_factory=dict, compare=False)
    objective_range: tuple[float, float] = (0.0, 1.0)
    pure: bool = False

    def sample(self, key: Array, n: int) -> Array:
        """Returns the writer's first texts, then others written after three of them at a time.

        Judge and views see no text first, so that a missing model or package is a message before anything is written.

        Args:
            key: of the draws and of the writer.
            n: how many texts.

        Returns:
            Texts, objects [n].
        """
        for function in (self.grade, *self.views.values()):
            function([])
        return self.writer.begin(key, n)

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Judges B texts.

        Args:
            keys: unused.
            solutions: texts [B].

        Returns:
            Objective 0 to 1, and the features kind, words and those of ``views``; NaN where a text is empty or has no grade.
        """
        texts = [str(text) for text in solutions]
        grades = np.asarray(self.grade(texts), float).reshape(len(texts), -1)
        whole = np.isfinite(grades).all(axis=1) & np.array([bool(text.strip()) for text in texts], bool)
        features = {"kind": grades[:, 1:].astype(np.float32)}
        features["words"] = np.array([[len(text.split())] for text in texts], np.float32)
        features |= {name: np.asarray(view(texts)) for name, view in self.views.items()}
        return Evaluation(np.where(whole, grades[:, 0], np.nan), features)

    def render(self, solutions: Array) -> list[Rendering]:
        """Returns each text as it is."""
        return [Rendering("text", str(text)) for text in solutions]

    def faults(self) -> Iterator[tuple[str, str, str]]:
        """Yields (name, problem, what to type) for each axis with two ends that the judge cannot tell apart.

        Called by `qd doctor`: three texts are written for each end, and judged.
        """
        for i, (question, *answers) in enumerate(abilities.of_grade(self.grade).axes):
            low, high = answers[0], answers[-1]
            lows, highs = (self._grade(i, end, j) for j, end in enumerate((low, high)))
            if not (len(lows) and len(highs)):
                yield (
                    "axis",
                    f"no text could be written and judged for both ends of axis {i + 1} ({low}, {high})",
                    "another lm=...",
                )
                continue
            if separation(lows, highs) < LEAST:
                where = ", ".join(f"{end}: {np.round(grades, 2).tolist()}" for end, grades in ((low, lows), (high, highs)))
                yield (
                    "axis",
                    f"the judge cannot tell the ends of axis {i + 1} apart ({question} of texts written to be {where})",
                    "a question with answers that differ more (grade.axes=...), or a stronger judge (lm@judge_lm=...)",
                )

    def _grade(self, axis: int, end: str, number: int) -> np.ndarray:
        texts = [text for text in self.writer.write_to_wishes(keys.new(number), [end] * _TRIES) if text]
        grades = np.asarray(self.grade(texts), float)[:, 1 + axis] if texts else np.zeros(0)
        return grades[np.isfinite(grades)]
