"""How good a judge is, and how its probabilities are calibrated with a few labels.

N texts with truth in {0, 1}; NaN is an answer that failed.
"""

from typing import NamedTuple

import numpy as np

from qd.support.errors import UserError
from qd.support.separation import separation


def accuracy(p: np.ndarray, truth: np.ndarray) -> float:
    """Returns the share of texts that are judged correctly; a failed answer counts as wrong.

    Args:
        p: probability of label 1, [N]; above 0.5 the answer is 1.
        truth: labels, [N].

    Returns:
        A share, 0 to 1.
    """
    p, truth = np.asarray(p, np.float64), np.asarray(truth)
    return float((np.isfinite(p) & ((p > 0.5) == (truth == 1))).mean())


def auc(score: np.ndarray, truth: np.ndarray) -> float:
    """Returns how often a text of label 1 scores above one of label 0, ties half: the area under the ROC curve.

    A failed answer lies below all others of label 1 and above all others of label 0: it counts against the judge.

    Args:
        score: higher for label 1, in any unit, [N].
        truth: labels, [N].

    Returns:
        A share, 0 to 1; NaN where a label is missing.
    """
    score, truth = np.asarray(score, np.float64), np.asarray(truth)
    return separation(np.nan_to_num(score[truth == 0], nan=np.inf), np.nan_to_num(score[truth == 1], nan=-np.inf))


def logit(p: np.ndarray) -> np.ndarray:
    """log(p / (1 - p)), with p kept 1e-6 away from 0 and 1."""
    p = np.clip(np.asarray(p, np.float64), 1e-6, 1 - 1e-6)
    return np.log(p / (1 - p))


def sigmoid(z: np.ndarray) -> np.ndarray:
    """Returns 1 / (1 + exp(-x))."""
    return 1 / (1 + np.exp(-np.clip(z, -40, 40)))


class Platt(NamedTuple):
    """p' = sigmoid(slope logit(p) + offset) (Platt 1999): the slope sharpens, the offset removes a bias."""

    slope: float = 1.0
    offset: float = 0.0

    def __call__(self, p: np.ndarray) -> np.ndarray:
        return sigmoid(self.slope * logit(p) + self.offset)


def platt(p: np.ndarray, truth: np.ndarray, pull: float = 0.05) -> Platt:
    """Fits a calibration to a few labelled answers (Platt 1999), by Newton's method.

    Where a judge separates the labels without error the likelihood has no maximum. ``pull`` therefore draws the slope, in
    units of the answers' spread, towards 0, and Platt's targets keep a distance from 0 and 1 that depends on the number of
    labels.

    Args:
        p: probability of label 1, [N]; failed answers are left out.
        truth: labels, [N].
        pull: strength of the penalty on the squared slope, for each answer.

    Returns:
        The function from probabilities to calibrated ones.

    Raises:
        ValueError: a label is missing, or all answers are the same.
    """
    p, truth = np.asarray(p, np.float64), np.asarray(truth)
    is_answer = np.isfinite(p)
    z, t = logit(p[is_answer]), truth[is_answer]
    ones, zeros = int((t == 1).sum()), int((t == 0).sum())
    if not ones or not zeros:
        raise UserError(
            f"{ones} texts of one label and {zeros} of the other cannot calibrate a judge", "label some texts of each"
        )
    spread, middle = float(z.std()), float(z.mean())
    if spread < 1e-9:
        raise UserError(f"the judge gives the same answer to all {len(z)} labelled texts, which calibration cannot correct")
    target = np.where(t == 1, (ones + 1) / (ones + 2), 1 / (zeros + 2))
    x, w = np.stack([(z - middle) / spread, np.ones(len(z))], axis=1), np.zeros(2)
    penalty = np.diag([pull * len(z), 0.0])
    for _ in range(50):
        q = sigmoid(x @ w)
        slope = x.T @ (q - target) + penalty @ w
        curve = (x * (q * (1 - q))[:, None]).T @ x + penalty + 1e-9 * np.eye(2)
        step = np.linalg.solve(curve, slope)
        w = w - np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-9:
            break
    return Platt(float(w[0] / spread), float(w[1] - w[0] * middle / spread))
