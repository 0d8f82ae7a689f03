"""Which numbers of a run are drawn against evaluations, and what they are called."""

from typing import NamedTuple


class CurvePanel(NamedTuple):
    """One column of the metrics, and why it may have no number."""

    column: str
    label: str
    why: str


PANELS = (
    CurvePanel("coverage", "coverage (%)", "the archive has no cells"),
    CurvePanel("qd_score", "QD score", "an objective is negative and\nthe domain states no range"),
    CurvePanel("best", "best objective", "nothing was found"),
)
OPTIONAL = (  # drawn where a run has the column
    CurvePanel("hypervolume", "hypervolume of all rows", "nothing was found"),
    CurvePanel("coverage_current", "referee's coverage (%), elites", "the referee's archive has no cells"),
    CurvePanel("qd_score_current", "referee's QD score, elites", "an objective is negative and\nthe domain states no range"),
    CurvePanel("qd_score_all", "referee's QD score, all evaluated", "an objective is negative and\nthe domain states no range"),
)
