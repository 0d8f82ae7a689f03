"""A domain of your own, with a small neural policy: a cart on a plane, pushed by a network of 82 weights.

    python examples/own_domain.py

A domain says how to sample solutions and how to evaluate a batch of them. Here a solution is the flat vector of the network's
weights; the map shows all places where the cart can end, and how to get there with little effort.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

import qd
from feedback.descriptors.select import Select
from qd.archives import Grid
from qd.emitters import IsoLine, Vary

HIDDEN, STEPS = 16, 50
SIZES = [(3, HIDDEN), (HIDDEN, 2)]  # inputs (time and place) -> hidden layer -> force


@dataclass(frozen=True)
class Cart:
    """Objective: minus the mean effort. Feature: position [B, 2], where the cart ends."""

    objective_range: tuple[float, float] = (-1.0, 0.0)  # the scale of the QD score
    pure: bool = True  # JAX compiles evaluate; with False it may be any Python

    def sample(self, key, n):
        return qd.keys.normal(key, (n, sum(rows * columns for rows, columns in SIZES)))

    def evaluate(self, keys, solutions):
        effort, position = jax.vmap(episode)(solutions)
        return qd.Evaluation(-effort, {"position": position})


def policy(weights, observation):
    first, last = jnp.split(weights, [SIZES[0][0] * SIZES[0][1]])
    layer = jnp.tanh(observation @ first.reshape(SIZES[0]))
    return jnp.tanh(layer @ last.reshape(SIZES[1]))


def episode(weights):
    def step(carry, time):
        position, velocity = carry
        force = policy(weights, jnp.array([time, *position]))
        velocity = 0.9 * velocity + 0.01 * force
        return (position + velocity, velocity), (force**2).mean()

    (position, _), effort = jax.lax.scan(step, (jnp.zeros(2), jnp.zeros(2)), jnp.linspace(-1, 1, STEPS))
    return effort.mean(), position


search = qd.Search(Cart(), Select("position", ((-5, 5), (-5, 5))), Grid((50, 50)), Vary(IsoLine(0.05, 0.3), batch_size=256))
state, _ = qd.start(search, qd.keys.new(0), search.domain.sample(qd.keys.new(1), 256))
for state, batch in qd.progress(qd.run(search, state, until=50_000)):
    pass
print(f"the cart ends in {len(state.archive)} of {state.archive.cells} cells")
