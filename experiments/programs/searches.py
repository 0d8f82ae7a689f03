"""What the studies of programs share: the scripted model as a choice, a search played to its end, its best program."""

from collections.abc import Callable
from typing import Any

import numpy as np

from qd import keys
from qd.search import run, start
from qd.support.errors import UserError
from qd.types import Array, Search

SCRIPTED = ["lm=toy", "lm.model=scripted", "lm.server._target_=experiments.programs.scripted.Scripted"]


def played(search: Search, seed: int, first: Array, is_over: Callable[[int], bool]) -> tuple[list[str], np.ndarray]:
    """Runs a search of programs.

    Args:
        search: the recipe.
        seed: of the run.
        first: programs to begin with, [N].
        is_over: number of programs so far -> whether the search ends.

    Returns:
        All sources, the oldest first, and their objectives; NaN where one failed.
    """
    try:
        state, batch = start(search, keys.new(seed), first)
    except UserError as error:  # the first programs fail: the search has nothing to begin with
        print(f"not started: {error}", flush=True)
        return [str(each) for each in first], np.full(len(first), np.nan)
    batches = [batch]
    while not is_over(int(state.evaluations)):
        ((state, batch),) = run(search, state, state.evaluations + 1)
        batches.append(batch)
    sources = [str(each) for batch in batches for each in batch.solutions]
    return sources, np.concatenate([np.asarray(batch.evaluation.objective, float) for batch in batches])


def best(objective: np.ndarray) -> int:
    """Returns which program is the best, the oldest of equals; NaN counts as worst."""
    return int(np.nanargmax(objective))


def check_answers(lm: Any) -> None:
    """Checks that the model answered all calls of a run.

    Args:
        lm: the client.

    Raises:
        RuntimeError: it left some unanswered, e.g. because its server died, so that the run is none.
    """
    if failed := sum(row["failed"] for row in lm.report()):
        raise RuntimeError(f"{failed} calls of the model got no answer")
