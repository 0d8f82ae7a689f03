"""The script that a user of pyribs writes for one map: scheduler, archive, an evaluation in NumPy, one heatmap at 200 dpi.

python plain_pyribs.py arm|cvt|cma_me map.png
"""

import sys

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np
from ribs.archives import CVTArchive, GridArchive, k_means_centroids
from ribs.emitters import EvolutionStrategyEmitter, IsoLineEmitter
from ribs.schedulers import Scheduler

EVALUATIONS = 50_000


def arm(angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A planar arm of length 1: objective (1 - variance of the angles) x 100, measures the gripper's position.

    Args:
        angles: [B, J] in radians.
    """
    heading = np.cumsum(angles, axis=1)
    gripper = np.stack([np.cos(heading).mean(1), np.sin(heading).mean(1)], axis=1)
    return (1 - angles.var(axis=1)) * 100, gripper


def sphere(solutions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The sphere of Fontaine et al. (2020): two measures, each the sum of half the clipped coordinates.

    Args:
        solutions: [B, D].
    """
    n, limit = solutions.shape[1], 5.12
    worst = (-limit - 0.4 * limit) ** 2 * n
    objective = 100 * (worst - ((solutions - 0.4 * limit) ** 2).sum(1)) / worst
    clipped = np.where(np.abs(solutions) > limit, limit / solutions, solutions)
    return objective, np.stack([clipped[:, : n // 2].sum(1), clipped[:, n // 2 :].sum(1)], axis=1)


def draw_map(case: str, file: str) -> None:
    """Searches, and draws the map.

    Args:
        case: arm, cvt or cma_me.
        file: of the figure.
    """
    if case == "cma_me":
        reach = 5.12 * 5
        archive, evaluate = GridArchive(solution_dim=10, dims=[50, 50], ranges=[(-reach, reach)] * 2), sphere
        emitters = [EvolutionStrategyEmitter(archive, x0=np.zeros(10), sigma0=0.5, batch_size=36) for _ in range(5)]
    else:
        evaluate = arm
        if case == "arm":
            archive = GridArchive(solution_dim=10, dims=[50, 50], ranges=[(-1, 1)] * 2)
        else:
            centroids = k_means_centroids(centroids=1000, ranges=[(-1, 1)] * 2, samples=50_000, seed=0)[0]
            archive = CVTArchive(solution_dim=10, centroids=centroids, ranges=[(-1, 1)] * 2)
        emitters = [IsoLineEmitter(archive, x0=np.zeros(10), iso_sigma=0.1, line_sigma=0.2, batch_size=100)]
    scheduler, evaluations = Scheduler(archive, emitters), 0
    while evaluations < EVALUATIONS:
        solutions = scheduler.ask()
        scheduler.tell(*evaluate(solutions))
        evaluations += len(solutions)
    elites = archive.data(["index", "objective", "measures"])
    plt.figure(figsize=(5, 4.3))
    if case == "cvt":
        plt.scatter(*elites["measures"].T, c=elites["objective"], s=8)
    else:
        image = np.full(2500, np.nan)
        image[elites["index"]] = elites["objective"]
        plt.imshow(image.reshape(50, 50).T, origin="lower")
    plt.colorbar()
    plt.savefig(file, dpi=200)


if __name__ == "__main__":
    draw_map(*sys.argv[1:])
