"""A judge that no search looks at: vectors of MiniLM, scaled like the judge that guides the searches.

B texts, M axes.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from feedback.judges.calibration import logit, sigmoid
from feedback.judges.encoders import MiniLM
from feedback.judges.grading.embedding import Anchors
from qd import metrics

# as in conf/domain
OPINIONS = (0.03, 0.08, 0.2, 0.35, 0.5, 0.65, 0.75, 0.83, 0.9)
GENRE = (0.25, 0.32, 0.36, 0.4, 0.44, 0.48, 0.52, 0.6, 0.75)
ENDING = (0.06, 0.12, 0.17, 0.2, 0.23, 0.26, 0.3, 0.4, 0.6)
BOTH = (0.32, 0.4, 0.46, 0.56), (0.12, 0.19, 0.24, 0.32)


class AnchorAxis(NamedTuple):
    """p = sigmoid(slope logit(p of the anchors) + offset): on initial texts its logits have the guiding judge's mean
    and spread.
    """

    low: tuple[str, ...]
    high: tuple[str, ...]
    slope: float = 1.0
    offset: float = 0.0


class Ruler(NamedTuple):
    embed: Any
    axes: tuple[AnchorAxis, ...]
    ticks: tuple[tuple[float, ...], ...]  # the map's own
    topic: tuple[tuple[str, ...], tuple[str, ...]]  # off it, on it

    def places(self, texts: Sequence[str]) -> np.ndarray:
        """Returns where texts lie on each axis, [B, M], from 0 to 1."""
        raw = [Anchors(self.embed, axis.low, axis.high)(texts) for axis in self.axes]
        return np.stack([sigmoid(a.slope * logit(p) + a.offset) for a, p in zip(self.axes, raw, strict=True)], axis=1)

    def quality(self, texts: Sequence[str]) -> np.ndarray:
        """Returns how much texts are on the topic, [B], from 0 to 1; vectors do not measure style."""
        return Anchors(self.embed, *self.topic, width=0.1)(texts)

    def fill(self, texts: Sequence[str]) -> dict[tuple[int, ...], float]:
        """Returns cell -> the best quality in it."""
        best: dict[tuple[int, ...], float] = {}
        if not len(texts):
            return best
        cells = np.stack(
            [np.searchsorted(t, p, "right") for t, p in zip(self.ticks, self.places(texts).T, strict=True)], axis=1
        )
        for cell, quality in zip(map(tuple, cells.tolist()), self.quality(texts), strict=True):
            best[cell] = max(best.get(cell, 0.0), float(quality))
        return best

    def qd_score(self, texts: Sequence[str], cells: int) -> float:
        """Returns the QD score of texts by this judge.

        Args:
            texts: N texts.
            cells: of the map.
        """
        return metrics.qd_score(np.array(list(self.fill(texts).values())), cells, (0.0, 1.0))


_GENRE = AnchorAxis(("a horror story full of fear and death",), ("a romance story full of love and tenderness",), 0.41)
_ENDING = AnchorAxis(("the story ends in death, loss and grief",), ("the story ends in joy, reunion and success",), 0.42, -0.79)
_STORY = (("a list of facts", "advice to the reader"), ("a story about a spy and a politician",))
_VEGETABLES = AnchorAxis(
    ("I hate vegetables, they are disgusting.", "a negative opinion about eating vegetables"),
    ("I love vegetables, they are delicious.", "a positive opinion about eating vegetables"),
    2.15,  # of nine texts, before any run
    -1.8,
)
TICKS = {"opinions": (OPINIONS,), "stories_genre": (GENRE,), "stories_ending": (ENDING,), "stories": BOTH}
_AXES = {
    "opinions": ((_VEGETABLES,), (("a story about people", "a question"), ("an opinion about eating vegetables",))),
    "stories_genre": ((_GENRE,), _STORY),
    "stories_ending": ((_ENDING,), _STORY),
    "stories": ((_GENRE, _ENDING), _STORY),
}


@lru_cache(maxsize=1)
def ruler(case: str) -> Ruler | None:
    """Returns the held-out judge of a case; None, with a printed line, where MiniLM is missing."""
    embed = MiniLM()
    try:
        embed(["Is it there?"])
    except ValueError as missing:
        print(f"the held-out judge is left out: {missing}", flush=True)
        return None
    axes, topic = _AXES[case]
    return Ruler(embed, axes, TICKS[case], topic)
