"""What a domain of programs refuses before it is built: axes that are no features."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from domains.programs import Programs, check_axes


def check(settings: Mapping[str, Any]) -> None:
    """Checks the names of the axes.

    Args:
        settings: of the domain, plain; those of its problem are a node.

    Raises:
        UserError: one of them is no feature.
    """
    problem = settings.get("problem")
    if not isinstance(problem, Mapping) or not str(problem.get("_target_")).startswith("domains.programs.problems."):
        return
    module, _, name = str(problem["_target_"]).rpartition(".")
    features = problem.get("features", getattr(getattr(import_module(module), name), "features", ()))
    names = [settings.get(each, getattr(Programs, each)) for each in ("axes", "logarithmic")]
    if all(isinstance(each, list | tuple) for each in (*names, features)):
        check_axes(sum(map(tuple, names), ()), tuple(features))
