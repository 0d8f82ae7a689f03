"""QDHF as published: a linear projection fitted to triplet judgements by a hinge loss (Ding et al., ICML 2024).

Faithful to the paper (arXiv 2310.12103) and to what its authors' code does, its defects included: round 1 asks about
fresh random solutions, the split is by time, the fit starts from scratch each round and stops early by a noisy validation, and
the bounds are minimum and maximum of the elites. ``feedback.descriptors.triplets`` is what we recommend instead.

N answers, F feature length, M measures. ẑ = W^T f, Δ = |ẑ_x - ẑ_1|² - |ẑ_x - ẑ_2|², y = 1 where 2 is nearer.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from feedback.descriptors.scaling import Box, around, check_varies, into_bounds
from feedback.features import flat
from feedback.preferences import comparisons
from feedback.preferences.comparisons import Answers
from qd import keys
from qd.types import Array, Features, Fresh, Rows


class Projection(NamedTuple):
    """What the published recipe has learned."""

    answers: Answers
    fits: Array  # int32 []
    weights: Array  # [F, M]; the paper's bias cancels in every distance and in the bounds
    box: Box
    accuracy: Array  # float32 [], of the last validation
    epochs: Array  # int32 [], of the last fit


@dataclass(frozen=True)
class QDHFPaper:
    """The published recipe.

    An answer "can't tell" counts as a question, but nothing is learned from it: the hinge has no term for it.
    """

    judge: Any = field(compare=False)  # used in fit only: learners that differ only in it share compiled programs
    reads: tuple[str, ...]
    questions_per_fit: tuple[int, ...] = (250, 250, 250, 250)  # judgements at each fit; (1000,) without refitting is QDHF-Base
    measures: int = 2
    margin: float = 0.05  # m of the hinge
    learning_rate: float = 1e-3
    batch: int = 32  # drawn with replacement
    epochs: int = 1000  # at most
    patience: int = 10  # epochs in the window of validation accuracies
    pure: bool = True
    learns: bool = True
    fewest: ClassVar[int] = 2  # solutions that a fit needs

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        """M pairs (-1, 1)."""
        return ((-1.0, 1.0),) * self.measures

    def init(self, key: Array, rows: Rows, fresh: Fresh) -> Projection:
        """Asks about new random solutions, three for each triplet, and fits.

        Args:
            key: of solutions and training.
            rows: generation 0, features [N, ...]; the bounds are fitted to them.
            fresh: draws and evaluates the random solutions.

        Returns:
            Answers, projection and box.

        Raises:
            UserError: the rows do not vary, or the judge answers other than 1, -1 and 0.
        """
        key, fresh_key = keys.split(key)
        n = self.questions_per_fit[0]
        new = fresh(fresh_key, 3 * n)
        length = flat(rows.features, self.reads).shape[1]
        buffer = comparisons.empty(sum(self.questions_per_fit), length)
        buffer = comparisons.ask(self.judge, buffer, new, np.arange(3 * n).reshape(n, 3), self.reads)
        return self._fit_map(key, buffer, 1, rows)

    def fit(self, key: Array, params: Projection, rows: Rows, fresh: Fresh) -> Projection:
        """Asks about elites, drawn evenly with replacement, and refits to all answers.

        Args:
            key: of triplets and training.
            params: with the answers so far.
            rows: elites and whatever else is learned from, features [N, ...].
            fresh: unused.

        Returns:
            Answers, projection and box.

        Raises:
            UserError: the rows do not vary, or the judge answers other than 1, -1 and 0.
        """
        key, draw_key = keys.split(key)
        fits, buffer = int(params.fits), params.answers
        n = self.questions_per_fit[fits] if fits < len(self.questions_per_fit) else 0
        if n:
            triplets = comparisons.with_replacement(draw_key, n, len(rows.ids))
            buffer = comparisons.ask(self.judge, buffer, rows, triplets, self.reads)
        return self._fit_map(key, buffer, fits + 1, rows)

    def __call__(self, params: Projection, features: Features) -> Array:
        """Projects; arguments as in ``Descriptor``."""
        return into_bounds(flat(features, self.reads) @ params.weights, params.box)

    def agreement(self, params: Projection) -> tuple[int, int]:
        """Returns how many of the clear answers this map agrees with, and how many there are."""
        return comparisons.agreement(self, params)

    def _fit_map(self, key: Array, buffer: Answers, fits: int, rows: Rows) -> Projection:
        x = np.asarray(flat(rows.features, self.reads), np.float32)
        check_varies(x, self.reads, self.fewest)
        weights, accuracy, epochs = map(np.asarray, _train(self, key, *_differences(buffer)))
        return Projection(buffer, np.int32(fits), weights, around(x @ weights), accuracy, epochs)


def _differences(buffer: Answers) -> tuple[Array, Array, Array, Array]:
    """Returns x - 1, x - 2 [N, F], y [N] and how many answers there are; those that can tell first, in their order."""
    order = np.argsort(buffer.answer == 0, kind="stable")
    features, answer = buffer.features[order], buffer.answer[order]
    return (
        features[:, 0] - features[:, 1],
        features[:, 0] - features[:, 2],
        -answer.astype(np.float32),
        np.int32((answer != 0).sum()),
    )


@partial(jax.jit, static_argnums=0)
def _train(recipe: QDHFPaper, key: Array, to_1: Array, to_2: Array, y: Array, n: Array) -> tuple[Array, Array, Array]:
    """Returns weights, last validation accuracy and epochs. The first three quarters train, the last validates."""
    init_key, draw_key = jax.random.split(jax.random.wrap_key_data(key))
    n_train = n * 3 // 4
    steps = jnp.maximum(n_train // recipe.batch, 1)
    row = jnp.arange(len(y))
    validates = (row >= n_train) & (row < n)
    adam = optax.adam(recipe.learning_rate)

    def delta(weights: Array, rows: Any = slice(None)) -> Array:
        return ((to_1[rows] @ weights) ** 2).sum(1) - ((to_2[rows] @ weights) ** 2).sum(1)

    def loss(weights: Array, rows: Array) -> Array:
        return jnp.maximum(0, recipe.margin - y[rows] * delta(weights, rows)).mean()

    def step(_: Array, carry: tuple) -> tuple:
        weights, memory, step_key = carry
        step_key, this = jax.random.split(step_key)
        gradient = jax.grad(loss)(weights, jax.random.randint(this, (recipe.batch,), 0, jnp.maximum(n_train, 1)))
        update, memory = adam.update(gradient, memory)
        return optax.apply_updates(weights, update), memory, step_key

    def epoch(carry: tuple) -> tuple:
        t, learner, history = carry
        learner = jax.lax.fori_loop(0, steps, step, learner)
        right = (delta(learner[0]) * y > 0) & validates
        return t + 1, learner, history.at[t].set(right.sum() / jnp.maximum(validates.sum(), 1))

    def goes_on(carry: tuple) -> Array:
        t, _, history = carry
        worse = history[t - 1] < history[t - 1 - recipe.patience]  # the window's mean fell
        return (t < recipe.epochs) & ~((t > recipe.patience) & worse)

    reach = 1 / np.sqrt(to_1.shape[1])  # torch's initial weights of a linear layer
    weights = jax.random.uniform(init_key, (to_1.shape[1], recipe.measures), minval=-reach, maxval=reach)
    start = (jnp.int32(0), (weights, adam.init(weights), draw_key), jnp.zeros(recipe.epochs))
    t, (weights, *_), history = jax.lax.while_loop(goes_on, epoch, start)
    return weights, history[t - 1], t
