"""What experiments/qdhf/study.py runs, in this order: what the claims rest on first, then the curves."""

from typing import NamedTuple


class PlanEntry(NamedTuple):
    """A case, and the methods that are compared on it."""

    task: str
    answers: int
    flips: float  # share of the answers that is flipped
    methods: tuple[str, ...]


_NEIGHBOURS = ("truth", "paper", "ours", "ours uniform", "pca", "autoencoder", "random", "ours shuffled")
_LEARNERS = ("paper", "ours uniform", "ours")
_PUBLISHED_MAZE = ("truth", "paper", "ours now", "truth turned 15", "pca", "random", "ours shuffled", "ours", "autoencoder")
Plan = tuple[PlanEntry, ...]

ANSWERS = (50, 100, 200, 400, 1000)
FLIPS = (0.0, 0.1, 0.2, 0.3, 0.5)

_CLAIMS: Plan = (
    PlanEntry("arm", 1000, 0.0, ("truth", "truth turned 15", "paper", "base", "random", "pca", "pca once")),
    PlanEntry("arm", 200, 0.0, (*_LEARNERS, "ours wide uniform", "ours wide")),
    PlanEntry("arm", 200, 0.2, (*_LEARNERS, "ours wide uniform", "ours wide")),
    PlanEntry("arm", 1000, 0.2, ("paper", "ours")),
    PlanEntry("arm", 1000, 0.3, ("paper", "ours")),
    PlanEntry("arm", 1000, 0.5, ("ours",)),  # a control: random answers
    PlanEntry("arm", 400, 0.0, ("ours uniform",)),  # as a reference: how many active questions reach it?
    PlanEntry("arm", 120, 0.0, ("ours", "ours uniform")),
    PlanEntry("arm", 400, 0.1, ("ours uniform",)),
    PlanEntry("arm", 240, 0.1, ("ours", "ours uniform")),
    PlanEntry("arm", 160, 0.1, ("ours",)),
    PlanEntry("images", 200, 0.0, (*_NEIGHBOURS, "ours wide")),
    PlanEntry("maze", 200, 0.0, _NEIGHBOURS),
    PlanEntry("digits", 200, 0.0, _NEIGHBOURS),
    PlanEntry("images", 400, 0.0, ("ours uniform",)),
    PlanEntry("images", 400, 0.1, ("ours uniform",)),
    PlanEntry("images", 240, 0.1, ("ours",)),
    PlanEntry("arm", 1000, 0.0, ("ours", "ours shuffled", "autoencoder", "autoencoder once")),
)


def _curves(task: str, answers: tuple[int, ...], flips: tuple[float, ...]) -> Plan:
    return tuple(PlanEntry(task, n, share, _LEARNERS) for share in flips for n in answers)


PLAN: Plan = (
    *_CLAIMS,
    *_curves("arm", ANSWERS, (0.0,)),
    *_curves("images", ANSWERS, (0.0,)),
    *_curves("arm", ANSWERS, (0.2,)),
    *_curves("arm", (200, 1000), (0.1, 0.3, 0.5)),
    *_curves("images", (400,), FLIPS),
    *_curves("arm", (50, 100, 400), (0.1, 0.3, 0.5)),
    *(PlanEntry(task, 200, 0.0, ("ours now",)) for task in ("arm", "maze", "images", "digits")),
    PlanEntry("published maze", 200, 0.0, _PUBLISHED_MAZE),
)
QUICK: Plan = (
    PlanEntry("arm-quick", 40, 0.0, ("truth", "paper", "ours", "pca")),
    PlanEntry("arm-quick", 40, 0.2, ("ours uniform",)),
)
