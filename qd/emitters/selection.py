"""Evaluated solutions, and how novelty search selects among them: novelty, Pareto fronts, crowding.

N rows, R rows of reference, K measures, C criteria.
"""

from typing import NamedTuple

import numpy as np

from qd.types import Array, Batch, Describe, Elites, Features, Rows


class EvaluatedSolutions(NamedTuple):
    """Evaluated solutions, with the features from which a refit describes them again."""

    ids: Array  # [N]
    solutions: Array  # [N, D]
    objective: Array  # [N]
    measures: Array  # [N, K]
    features: Features  # name -> [N, ...]
    signals: Features  # name -> [N]; NaN where the descriptor has not given it

    def take(self, index: Array) -> "EvaluatedSolutions":
        ids, solutions, objective, measures, features, signals = self
        indexed_columns = ({name: column[index] for name, column in columns.items()} for columns in (features, signals))
        return EvaluatedSolutions(ids[index], solutions[index], objective[index], measures[index], *indexed_columns)

    def rows(self) -> Rows:
        return Rows(self.ids, self.solutions, self.objective, self.features, np.ones(len(self.ids), bool))


def of_batch(batch: Batch) -> EvaluatedSolutions:
    """Returns the rows that did not fail."""
    objective, features = batch.evaluation
    whole = EvaluatedSolutions(batch.ids, batch.solutions, objective, batch.measures, dict(features), dict(batch.signals))
    return whole.take(np.flatnonzero(batch.status >= 0))


def of_elites(elites: Elites) -> EvaluatedSolutions:
    """Returns all elites; they have no signals, which the archive does not store."""
    names = elites.features
    index = np.arange(elites.size)
    ids, solutions, objective, measures = elites.take(index, "id", "solution", "objective", "measures")
    return EvaluatedSolutions(
        ids, solutions, objective, measures, dict(zip(names, elites.take(index, *names), strict=True)), {}
    )


def join(several: list[EvaluatedSolutions]) -> EvaluatedSolutions:
    """Joins groups of rows, in order; a signal that a group lacks is NaN there."""
    if len(several) == 1:
        return several[0]
    pairs = zip(*((k.ids, k.solutions, k.objective, k.measures) for k in several), strict=True)
    ids, solutions, objective, measures = (np.concatenate(column) for column in pairs)
    features = {name: np.concatenate([k.features[name] for k in several]) for name in several[0].features}
    names = dict.fromkeys(name for rows in several for name in rows.signals)
    blanks = [np.full(len(rows.ids), np.nan, np.float32) for rows in several]
    signals = {n: np.concatenate([k.signals.get(n, blank) for k, blank in zip(several, blanks, strict=True)]) for n in names}
    return EvaluatedSolutions(ids, solutions, objective, measures, features, signals)


def novelty(measures: Array, reference: Array, neighbours: int) -> np.ndarray:
    """Mean Euclidean distance to the nearest rows of the reference, which contains the rows themselves: the nearest is skipped.

    Args:
        measures: [N, K].
        reference: [R, K], R of 1 or more, the N rows among them.
        neighbours: how many nearest to take the mean over; all where there are fewer.

    Returns:
        Novelty [N], in the measures' own units; 0 where R is 1.
    """
    squares = squared_distances(measures, reference)
    count = min(neighbours + 1, len(reference))
    nearest = np.sort(np.partition(squares, count - 1, axis=1)[:, :count], axis=1)[:, 1:]
    return np.sqrt(np.maximum(nearest, 0)).mean(axis=1) if count > 1 else np.zeros(len(squares))


def dominated_novelty(measures: Array, objective: Array, neighbours: int) -> np.ndarray:
    """Mean distance to the nearest with at least the same objective, infinite where there are none.

    Dominated novelty search (Bahlous-Boldi et al. 2025); it is novelty where all objectives are equal.

    Args:
        measures: [N, K].
        objective: [N].
        neighbours: how many nearest to take the mean over; all where there are fewer.

    Returns:
        Distances [N], in the measures' own units.
    """
    squares = squared_distances(measures, measures)
    np.fill_diagonal(squares, np.inf)
    squares[objective[:, None] > objective] = np.inf
    count = min(neighbours, len(squares) - 1)
    nearest = np.partition(squares, max(count - 1, 0), axis=1)[:, :count]
    there = np.isfinite(nearest)
    total = np.sqrt(np.where(there, np.maximum(nearest, 0), 0)).sum(axis=1)
    return np.where(there.any(axis=1), total / np.maximum(there.sum(axis=1), 1), np.inf)


def best_near(rows: EvaluatedSolutions, others: EvaluatedSolutions, neighbours: int) -> np.ndarray:
    """The highest objective among the nearest others of each row, in measure space.

    Args:
        rows: N rows.
        others: R rows, 1 or more.
        neighbours: how many nearest to look at, 1 or more; all where there are fewer.

    Returns:
        Objectives [N].
    """
    squares = squared_distances(rows.measures, others.measures)
    count = min(neighbours, len(others.ids))
    nearest = np.argpartition(squares, count - 1, axis=1)[:, :count]
    return others.objective[nearest].max(axis=1)


def redescribe(several: list[EvaluatedSolutions], describe: Describe) -> list[EvaluatedSolutions]:
    """Describes rows again, from their stored features: all in one call, which costs the same for few rows as for a thousand.

    Args:
        several: groups of rows, one or more.
        describe: the descriptor with its newest params.

    Returns:
        The same groups, in order, with new measures and signals; a signal that the descriptor does not give stays.
    """
    both = join(several)
    if len(both.ids):
        signals = both.signals | describe.signals(both.features)
        both = both._replace(measures=np.asarray(describe(both.features)), signals=signals)
    ends = np.cumsum([len(rows.ids) for rows in several])
    return [both.take(np.arange(end - len(rows.ids), end)) for end, rows in zip(ends, several, strict=True)]


def squared_distances(a: Array, b: Array) -> np.ndarray:
    """Squared Euclidean distances between rows [N, K] and [R, K].

    Args:
        a: [N, K].
        b: [R, K].

    Returns:
        [N, R], float64; rounding may leave those near 0 a little below it.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T


def fronts(values: Array) -> np.ndarray:
    """The front of each row of values [N, C], more is better: 0 is dominated by none (NSGA-II, Deb et al. 2002)."""
    values = np.asarray(values, np.float64)
    no_worse = (values[:, None] >= values[None]).all(axis=2)
    dominates = no_worse & (values[:, None] > values[None]).any(axis=2)
    rank, remaining, front = np.zeros(len(values), int), np.ones(len(values), bool), 0
    while remaining.any():
        best = remaining & ~dominates[remaining].any(axis=0)
        rank[best], remaining = front, remaining & ~best
        front += 1
    return rank


def crowding(values: Array) -> np.ndarray:
    """The distance between each row's two neighbours, summed over criteria in units of their range; infinite at the ends."""
    values = np.asarray(values, np.float64)
    total = np.zeros(len(values))
    for column in values.T:
        order = np.argsort(column, kind="stable")
        width = column[order[-1]] - column[order[0]]
        gaps = np.full(len(column), np.inf)
        if width > 0:
            gaps[1:-1] = (column[order[2:]] - column[order[:-2]]) / width
        else:
            gaps[:] = 0
        total[order] += gaps
    return total


def survivors(values: Array, n: int) -> np.ndarray:
    """Returns the n best rows of values [N, C]: by one criterion, or by fronts and within a front the least crowded.

    The latter as in NSGA-II (Deb et al. 2002).

    Args:
        values: [N, C], more is better.
        n: how many rows to keep.

    Returns:
        Their indices [n], the best first; [N] where there are fewer rows.
    """
    values = np.asarray(values, np.float64)
    if values.shape[1] == 1:
        return np.argsort(-values[:, 0], kind="stable")[:n]
    rank, space = fronts(values), np.zeros(len(values))
    for front in range(rank.max() + 1):
        space[rank == front] = crowding(values[rank == front])
    return np.lexsort((-space, rank))[:n]
