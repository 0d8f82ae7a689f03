"""The settings that say when a descriptor is refitted, checked."""

from typing import Any

from qd.config.settings import RunSettings
from qd.support.errors import UserError

_INSTEAD = (
    "type refit=10000 for every so many evaluations, refit=[10000,25000] for these, refit=[0.1,0.25,0.5] for shares of "
    "the budget, or refit=outside"
)


def check(settings: RunSettings) -> None:
    """Raises ValueError on a schedule that cannot be."""
    stops = settings.refit
    if stops == "outside":
        rule = settings.outside
        if not (0 < rule.share < 1 and rule.over >= 1):
            raise UserError(
                f"an outside.share of {rule.share} over {rule.over} evaluations cannot be; "
                "type outside.share=0.05 (between 0 and 1) and outside.over=2000 (evaluations)"
            )
        return
    if stops is None or (isinstance(stops, int) and not isinstance(stops, bool) and stops >= 1):
        return
    if not isinstance(stops, list) or not all(_is_point(stop) for stop in stops):
        raise UserError(f"refit={stops} is no count of evaluations; {_INSTEAD}")


def points(settings: RunSettings) -> list[int]:
    """Returns the evaluations at which a list says to learn again, in order; none for another schedule."""
    stops = settings.refit
    if not isinstance(stops, list):
        return []
    return sorted(stop if isinstance(stop, int) else max(1, round(stop * settings.budget)) for stop in stops)


def _is_point(stop: Any) -> bool:
    if isinstance(stop, bool):
        return False
    return stop >= 1 if isinstance(stop, int) else isinstance(stop, float) and 0 < stop < 1
