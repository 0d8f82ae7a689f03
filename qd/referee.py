"""A second archive with ground-truth measures, which the search never uses (facts: QDHF's evaluation, sections 6 and 9).

*all*: everything evaluated; *current*: the final elites only; both also on a coarser grid. N elites, M measures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from qd import abilities, archives, keys, metrics, programs
from qd.archives import Grid, HostElites
from qd.support.errors import UserError
from qd.types import OBJECTIVES, Archive, Batch, Descriptor, Evaluation, Params, Rows, Search, State


@dataclass(frozen=True)
class Referee:
    """Settings: a hand-made descriptor of the ground truth, and the archive that is filled by it.

    The features it reads must be in the search's ``keep``.
    """

    descriptor: Descriptor
    archive: Archive
    coarse: tuple[int, ...] | None = None  # dims of a coarser grid, on which aliasing of cells weighs less
    seed: int = 0

    def __post_init__(self) -> None:
        if abilities.of_descriptor(self.descriptor).learns:
            raise UserError(
                f"a referee's descriptor must be hand-made, but {type(self.descriptor).__name__} learns",
                "type a hand-made one, e.g. Select of a feature",
            )

    @property
    def keep(self) -> tuple[str, ...]:
        """What the search must keep for it."""
        return tuple(self.descriptor.reads)

    def open(self, batch: Batch) -> "Bench":
        """Opens its archives for a search that begins with ``batch``; ``add`` that batch too.

        Raises:
            UserError: the search does not keep a feature that the referee reads.
        """
        lacking = [name for name in self.keep if name not in batch.evaluation.features]
        if lacking:
            raise UserError(
                f"the referee reads {', '.join(lacking)}, which the search does not keep", f"type Search(..., keep={self.keep})"
            )
        return Bench(self, self._open(self.archive, _rows(batch)), self._open_coarse(_rows(batch)))

    def judge(self, archive: Any, rows: Rows) -> None:
        """Offers rows to one of its archives by ground truth.

        Args:
            archive: an opened pyribs archive; it changes.
            rows: N of them, with the features that the referee's descriptor reads.
        """
        params: Params = self.descriptor.init(keys.new(self.seed), rows, _no_fresh)
        measures = programs.describe(self.descriptor, params, rows.features)[0]
        archives.insert(archive, rows.ids, rows.solutions, rows.objective, measures, {})

    def _open(self, settings: Archive, rows: Rows) -> Any:
        return settings.open(rows, self.descriptor.bounds, (), self.seed)

    def _open_coarse(self, rows: Rows) -> Any | None:
        return None if self.coarse is None else self._open(Grid(self.coarse), rows)


@dataclass
class Bench:
    """A referee at work: its archives of everything evaluated. It is picklable, and part of a checkpoint."""

    referee: Referee
    archive: Any
    coarse: Any | None

    def add(self, batch: Batch) -> None:
        """Judges everything evaluated in a batch."""
        for archive in self._both():
            self.referee.judge(archive, _rows(batch))

    def scores(
        self, elites: HostElites, measures: np.ndarray | None = None, scale: metrics.Range | None = None
    ) -> dict[str, float]:
        """Compares the search's elites, and everything evaluated, by ground truth.

        Args:
            elites: N of them, of the search's archive.
            measures: [N, K] the search's own of its elites; None: those in its archive.
            scale: (low, high), the domain's objective range; None: not stated.

        Returns:
            qd_score and coverage, *current* and *all* (and of the coarser grid), and aligned_r2.
        """
        rows, table = elites.rows(), {}
        for suffix, everything in (("", self.archive), ("_coarse", self.coarse)):
            if everything is None:
                continue
            settings = self.referee.archive if suffix == "" else Grid(self.referee.coarse or ())
            current = self.referee._open(settings, rows)
            self.referee.judge(current, rows)
            for when, archive in (("current", current), ("all", everything)):
                for name in ("qd_score", "coverage"):
                    table[f"{name}_{when}{suffix}"] = metrics.of_archive(archive, scale)[name]
        if measures is None:
            (measures,) = elites.take(np.arange(elites.size), "measures")
        truth = programs.describe(self.referee.descriptor, (), rows.features)[0]
        return table | {"aligned_r2": aligned_r2(measures, truth)}

    def _both(self) -> list[Any]:
        return [archive for archive in (self.archive, self.coarse) if archive is not None]


def aligned_r2(measures: np.ndarray, truth: np.ndarray) -> float:
    """R² of the truth by the measures after the best shift, rotation and scale (Procrustes), in 0..1.

    Args:
        measures: [N, K] the search's own.
        truth: [N, M] of the same solutions.

    Returns:
        R²; NaN where all rows of one of the two are the same.
    """
    x, y = (np.asarray(a, np.float64) - np.mean(a, axis=0, dtype=np.float64) for a in (measures, truth))
    power = (x**2).sum() * (y**2).sum()
    if power == 0:
        return float("nan")
    return min(1.0, float(np.linalg.svd(x.T @ y, compute_uv=False).sum() ** 2 / power))


class Repeats(NamedTuple):
    """N elites, each evaluated R times more."""

    objective: np.ndarray  # [R, N] NaN where it failed
    measures: np.ndarray  # [R, N, M]
    several: np.ndarray | None = None  # [R, N, K], where the archive stores K objectives


def reevaluate(
    search: Search, params: Params, rows: Rows, names: tuple[str, ...], seed: Sequence[int], repeats: int
) -> Repeats:
    """Evaluates elites again.

    Args:
        search: the recipe.
        params: what its descriptor has learned.
        rows: N elites.
        names: of the features that are stored with them.
        seed: numbers of 0 or more, of the keys.
        repeats: R, 1 or more.

    Returns:
        Objectives and measures of every repeat.

    Raises:
        UserError: fewer than 1 repeat.
    """
    if repeats < 1:
        raise UserError(f"{repeats} repeats re-evaluate nothing", "type repeats=1 or more")
    key = np.random.SeedSequence([*seed, repeats]).generate_state(2)
    components = search.domain, search.descriptor, names, params
    results = [programs.evaluate_and_describe(*components, each, rows.solutions) for each in keys.split(key, repeats)]
    objective, measures = (
        np.stack(rows) for rows in zip(*((r.evaluation.objective, r.measures) for r in results), strict=True)
    )
    several = np.stack([r.evaluation.features[OBJECTIVES] for r in results]) if OBJECTIVES in names else None
    return Repeats(objective, measures, several)


def archive_of_means(search: Search, rows: Rows, names: tuple[str, ...], repeats: Repeats) -> Any:
    """Returns a new archive of elites by their mean objectives and measures.

    Args:
        search: the recipe.
        rows: N elites, with the features ``names``.
        names: of the features that are stored.
        repeats: of these elites. One that fails in any repeat fails.

    Returns:
        A pyribs archive opened as the search's is; elites that failed, or found no place in it, are left out.
    """
    archive = search.archive.open(rows, search.descriptor.bounds, names, 0)
    objective, features = repeats.objective.mean(axis=0), rows.features
    if repeats.several is not None:
        means = Evaluation(repeats.several.mean(axis=0), {})
        objective, own = programs.with_one_objective(search.domain, means)
        features = features | own
    archives.insert(archive, rows.ids, rows.solutions, objective, repeats.measures.mean(axis=0), features)
    archives.restart_thresholds(archive)
    return archive


def corrected_archive(search: Search, state: State, repeats: int) -> Any:
    """Re-evaluates every elite ``repeats`` times and returns a new archive of their mean objectives and measures.

    For noisy domains, where an archive keeps the lucky (winner's curse; PPGA's corrected metrics, Batra et al. 2023).
    The state is not spent. An elite that fails in any repeat fails.

    Args:
        search: the recipe.
        state: its archive, params and key are read.
        repeats: evaluations of each elite, 1 or more.

    Returns:
        A pyribs archive opened as the search's is; elites that failed, or found no place in it, are left out.

    Raises:
        UserError: fewer than 1 repeat.
    """
    elites = HostElites(state.archive)
    rows, names = elites.rows(), elites.features
    again = reevaluate(search, state.params, rows, names, tuple(map(int, keys.to_host(state.key))), repeats)
    return archive_of_means(search, rows, names, again)


def _rows(batch: Batch) -> Rows:
    return Rows(batch.ids, batch.solutions, *batch.evaluation, batch.status >= 0)


def _no_fresh(key: Any, n: int) -> Rows:
    raise UserError("a referee's descriptor must be hand-made: this one asks for new solutions to learn from")
