"""Discount Model Search's archive: pyribs' DiscountArchive beside a grid of elites (DMS, Tjanaka et al. 2026).

CMA-MAE keeps a threshold in each cell; here a small network gives it at every place in measure space, so that improvement is
smooth. pyribs' own network needs torch; the one here is of JAX, with the paper's layers, optimizer, epochs. B rows, M measures.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from ribs.archives import ArchiveBase, DiscountArchive

from qd.archives.lean import OpenGrid
from qd.archives.settings import Bounds, check_bounds, check_dims, common
from qd.support.errors import UserError
from qd.types import Array, Rows

_RATE = 1e-3  # Adam's
_WIDTH = 128  # of both hidden layers


@dataclass(frozen=True)
class Discount:
    """A grid whose elites are the best of each cell, and whose ``value`` is the improvement over a learned discount."""

    dims: tuple[int, ...]
    rate: float = 0.1  # alpha: how fast the discount follows objectives
    lowest: float = 0.0  # the discount of places where nothing was found: no higher than the worst objective worth keeping
    highest: float = 100.0  # about the best objective: discounts are scaled between the two for the network
    first_points: int = 1000  # places at which the network is trained to the lowest discount at the start
    empty_points: int = 100  # empty cells in each training
    epochs: int = 5  # of each training, at most
    enough: float = 5e-4  # mean squared error of discounts scaled to 0..1 at which a training ends: the paper's at 0..100
    batch: int = 32
    dtype: str = "float32"

    def open(self, example: Rows, bounds: Bounds, keep: tuple[str, ...], seed: int) -> ArchiveBase:
        """Opens an empty archive and trains its network to the lowest discount; arguments as in ``Archive``.

        Raises:
            UserError: the bounds, names, dims or settings are invalid, or memory is too small.
        """
        check_bounds(bounds)
        cells = check_dims(self.dims, bounds)
        if not (np.isfinite([self.lowest, self.highest]).all() and self.lowest < self.highest and 0 < self.rate <= 1):
            raise UserError(
                f"archive.lowest={self.lowest}, highest={self.highest}, rate={self.rate} are no scale of discounts",
                "type archive.lowest=0 archive.highest=100 archive.rate=0.1",
            )
        archive = OpenDiscount(dims=self.dims, ranges=bounds, seed=seed, **common(self, example, keep, cells))
        archive.settings, archive.seed, archive.gives = self, seed, ("value", "discount")
        archive.begin()
        return archive


class OpenDiscount(OpenGrid):
    settings: Discount
    seed: int
    discount: DiscountArchive
    gives: tuple[str, ...]

    def begin(self) -> None:
        """Trains a new network to the lowest discount everywhere."""
        of = self.settings
        self.discount = DiscountArchive(
            solution_dim=self.solution_dim,
            measure_dim=self.measure_dim,
            learning_rate=of.rate,
            threshold_min=of.lowest,
            discount_model_manager=Model(of, self.lower_bounds, self.upper_bounds, self.seed),  # type: ignore[arg-type]
            result_archive=self,
            init_train_points=min(of.first_points, self.cells),
            empty_points=of.empty_points,
            seed=self.seed,
            solution_dtype=self.dtypes["solution"],
            objective_dtype=self.dtypes["objective"],
            measures_dtype=self.dtypes["measures"],
        )
        self.discount.init_discount_model()

    def clear(self) -> None:
        """Forgets the discount too: a refit's new measures have nothing to do with the old ones."""
        super().clear()
        self.begin()

    def add(self, solution: Array, objective: Array, measures: Array, **fields: Array) -> dict:
        """Offers rows to the grid, and trains the discount on them afterwards; arguments as in ``Cells``.

        Returns:
            Name -> [B]: status of the grid; value, the improvement over the discount; discount.
        """
        improvement = self.discount.add(solution, objective, measures)
        result = super().add(solution, objective, measures, **fields)
        self.discount.train_discount_model()
        return result | {name: improvement[name] for name in ("value", "discount")}


class Model:
    """A network from measures to a discount, with the two methods that pyribs' archive calls; it can be pickled."""

    def __init__(self, settings: Discount, low: np.ndarray, high: np.ndarray, seed: int) -> None:
        self.settings, self.low, self.high = settings, np.asarray(low, np.float32), np.asarray(high, np.float32)
        self._rng = np.random.default_rng(seed)
        sizes = (len(self.low), _WIDTH, _WIDTH, 1)
        self.layers = [self._layer(i, o) for i, o in pairwise(sizes)]
        self.memory = _numpy(_adam().init(self.layers))

    def training_loop(self, measures: Array, targets: Array) -> list[float]:
        """Fits the network to discounts.

        Args:
            measures: [N, M].
            targets: discounts, [N].

        Returns:
            The mean squared error of each epoch, of discounts scaled to 0..1; the last one is small enough, or is the last.
        """
        of = self.settings
        x, y = self._scaled(measures), ((targets - of.lowest) / (of.highest - of.lowest)).astype(np.float32)
        losses: list[float] = []
        while len(losses) < of.epochs and (not losses or losses[-1] > of.enough):
            order = self._rng.permutation(len(x))
            padded = np.concatenate([order, np.full(-len(order) % of.batch, -1)]).reshape(-1, of.batch)
            weight = (padded >= 0).astype(np.float32)
            (self.layers, self.memory), squares = _epoch()((self.layers, self.memory), x[padded], y[padded], weight)
            losses.append(float(squares.sum() / len(x)))
        self.layers, self.memory = _numpy((self.layers, self.memory))
        return losses

    def inference(self, measures: Array, batch_size: int | None = None) -> np.ndarray:
        """Returns discounts [N] of measures [N, M]; all at once, whatever the batch size."""
        of = self.settings
        return of.lowest + np.asarray(_discounts()(self.layers, self._scaled(measures))) * (of.highest - of.lowest)

    def _scaled(self, measures: Array) -> np.ndarray:
        return 2 * (np.asarray(measures, np.float32) - self.low) / (self.high - self.low) - 1

    def _layer(self, i: int, o: int) -> tuple[np.ndarray, np.ndarray]:
        """Weights and bias as torch draws a linear layer's."""
        reach = 1 / np.sqrt(i)
        weights, bias = self._rng.uniform(-reach, reach, (i, o)), self._rng.uniform(-reach, reach, o)
        return weights.astype(np.float32), bias.astype(np.float32)


# JAX and optax are imported where they are called: most runs open another archive.


def _numpy(tree: Any) -> Any:
    import jax

    return jax.tree.map(np.asarray, tree)


def _adam() -> Any:
    import optax

    return optax.adam(_RATE)


def _network(layers: Any, x: Array) -> Array:
    import jax

    for weights, bias in layers[:-1]:
        x = jax.nn.relu(x @ weights + bias)
    return (x @ layers[-1][0] + layers[-1][1])[:, 0]


@lru_cache(maxsize=1)
def _discounts() -> Callable:
    import jax

    return jax.jit(_network)


@lru_cache(maxsize=1)
def _epoch() -> Callable:
    import jax
    import optax

    adam = _adam()

    def loss(layers: Any, x: Array, y: Array, weight: Array) -> Array:
        return (weight * (_network(layers, x) - y) ** 2).sum() / weight.sum()

    def step(carry: Any, batch: Any) -> Any:
        layers, memory = carry
        value, gradient = jax.value_and_grad(loss)(layers, *batch)
        update, memory = adam.update(gradient, memory)
        return (optax.apply_updates(layers, update), memory), value * batch[2].sum()

    return jax.jit(lambda carry, x, y, weight: jax.lax.scan(step, carry, (x, y, weight)))
