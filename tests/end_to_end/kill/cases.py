"""The searches that are killed, small enough to end in a second or two."""

from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from domains.arm import Arm
from domains.functions import LinearProjection
from feedback.descriptors.pca import PCA
from feedback.descriptors.select import Select
from qd import fused, search
from qd.archives import CVT, Grid
from qd.config.settings import RunSettings
from qd.emitters.ribs import Ribs
from qd.emitters.vary import IsoLine, Vary
from qd.referee import Referee
from qd.runner import run as job
from qd.types import Search
from tests.support.runs import QuietRun, run_settings

_BATCH = 64


class Parts(NamedTuple):
    """What the command line builds from a config."""

    search: Search
    referee: Referee | None
    run: Callable
    services: tuple = ()
    metrics: Mapping = MappingProxyType({})  # more columns of metrics.csv
    warnings: tuple[str, ...] = ()


class Case(NamedTuple):
    domain: str
    emitter: str
    archive: str
    learner: str = "select"
    driver: str = "host"

    def __str__(self) -> str:
        return "-".join(self if self.driver != "host" else self[:-1])


CASES = [Case(*names) for names in product(("arm", "sphere"), ("isoline", "cma_me", "cma_mae"), ("grid", "cvt"))]


LEARNERS = [Case("arm", "isoline", "grid", "pca"), Case("arm", "cma_mae", "cvt", "pca")]


FUSED = [Case("arm", "isoline", "grid", "select", "fused")]  # without a referee, so that it is looked at seldom


def settings(case: Case, **more: Any) -> RunSettings:
    """Returns the settings of a case."""
    return run_settings(**{
        "name": case.domain, "seed": 3, "budget": 6000, "initial": _BATCH, "refit": 1500 if case.learner == "pca" else None,
        "log_every": 500, "save_every": 700, "save_seconds": 0, "renderings": 4,
        "domain": {"name": case.domain}, "descriptor": {"name": case.learner}, "archive": {"name": case.archive},
        "emitter": {"name": case.emitter}, "referee": {}, "driver": {"name": case.driver},
    } | more)  # fmt: skip


def assemble(case: Case) -> Parts:
    """Builds the parts of a case; a referee judges by the hand-made measures."""
    domain = Arm(joints=10) if case.domain == "arm" else LinearProjection("sphere", dim=20)
    truth = Select("gripper", ((-1.0, 1.0),) * 2) if isinstance(domain, Arm) else Select("projection", domain.bounds)
    descriptor = PCA(("angles",)) if case.learner == "pca" else truth
    soft = {"learning_rate": 0.01, "threshold_min": -500.0} if case.emitter == "cma_mae" else {}
    archive = Grid((20, 20), **soft) if case.archive == "grid" else CVT(200, samples=4000, **soft)
    if case.driver == "fused":
        return Parts(Search(domain, descriptor, archive, _emitter(case.emitter)), None, fused.run)
    referee = Referee(truth, Grid((12, 12)), coarse=(5, 5))
    return Parts(Search(domain, descriptor, archive, _emitter(case.emitter), keep=referee.keep), referee, search.run)


def run(case: Case, path: Path, **more: Any) -> dict[str, Any]:
    """Gives the command in this process."""
    return job.run(settings(case, **more), assemble(case), path, QuietRun())


def _emitter(name: str) -> Any:
    if name == "isoline":
        return Vary(IsoLine(), _BATCH)
    rules = {"ranker": "2imp"} if name == "cma_me" else {"ranker": "imp", "selection_rule": "mu", "restart_rule": "basic"}
    settings = {"sigma0": 0.5, "batch_size": _BATCH // 2} | rules
    return Ribs("EvolutionStrategyEmitter", settings, count=2)  # type: ignore[arg-type]
