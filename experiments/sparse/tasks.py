"""The tasks of experiments/sparse/study.py: domains that pay only in few areas, and the ground truth of where episodes end."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from domains.curling import Curling
from domains.maze import Maze
from domains.maze.controller import OneBias
from domains.maze.maps import Areas
from domains.redundant_arm import RedundantArm
from feedback.descriptors.select import Select
from qd.support.spelling import unknown


@dataclass(frozen=True)
class SparseTask:
    """A domain with the true feature ``position``, and the box in which coverage is measured."""

    domain: Any
    box: tuple[float, float]
    steps: int = 200  # of each of the autoencoder's trainings

    @property
    def truth(self) -> Select:
        return Select("position", (self.box, self.box))


TASKS: dict[str, Callable[[], SparseTask]] = {
    "redundant arm": lambda: SparseTask(RedundantArm(), (0.0, 1.0)),
    "maze": lambda: SparseTask(Maze(controller=OneBias((5, 5)), goal=Areas()), (0.0, 1.0)),
    "curling": lambda: SparseTask(Curling(), (-1.35, 1.35)),
}


@lru_cache(maxsize=16)
def task(name: str) -> SparseTask:
    """Returns a task by name; "-quick" at its end makes its trainings short."""
    if name.endswith("-quick"):
        return replace(task(name.removesuffix("-quick")), steps=40)
    if name not in TASKS:
        raise unknown("task", name, TASKS)
    return TASKS[name]()
