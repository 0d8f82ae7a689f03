"""PGA- and DCRL-MAP-Elites on a toy: steps reach the critic and no archive, the critic is right, climbing helps."""

import pickle
from dataclasses import dataclass, replace

import jax
import numpy as np
import pytest

from domains.policies import Mlp
from feedback.descriptors.select import Select
from qd import keys
from qd.archives import Grid, HostElites
from qd.emitters.policy_gradient import pga, replay, td3
from qd.emitters.policy_gradient.dcrl import ConditionedPolicyGradient
from qd.emitters.policy_gradient.pga import PolicyGradient
from qd.emitters.policy_gradient.td3 import Td3
from qd.emitters.vary import IsoLine, Vary
from qd.search import step
from qd.types import Evaluation, Search
from tests.support.searches import advance, begin, columns, same
from tests.support.toys import SQUARE, Bowl

NETWORK = Mlp(2, 1, (8,))
STEPS = 6


@dataclass(frozen=True)
class Aim:
    """A policy is paid for acting the product of the two numbers it sees; measures are its mean action and its spread."""

    pure: bool = False
    objective_range: tuple = (-4.0 * STEPS, 0.0)
    network: Mlp = NETWORK

    def sample(self, key, n):
        return self.network.sample(key, n)

    def evaluate(self, keys_, solutions) -> Evaluation:
        n, rng = len(solutions), np.random.default_rng(0)
        x = np.broadcast_to(rng.uniform(-1, 1, (STEPS + 1, 2)).astype(np.float32), (n, STEPS + 1, 2))
        actions = self.network.act(self.network.unflatten(np.asarray(solutions)), x[:, :-1])
        rewards = -((actions[..., 0] - x[:, :-1].prod(axis=2)) ** 2)
        measures = np.stack([actions.mean((1, 2)), actions.std((1, 2))], axis=1)
        return Evaluation(rewards.sum(1), {
            "xy": measures, "observations": x[:, None], "actions": actions[:, None], "rewards": rewards[:, None],
            "lengths": np.full((n, 1), STEPS), "fell": np.ones((n, 1), bool),
        })  # fmt: skip


LEARNER = Td3(hidden=(32, 32), steps=60, minibatch=32, discount=0.0, critic_rate=3e-3)
PGA = PolicyGradient(NETWORK, batch_size=16, td3=LEARNER, policy_steps=20, policy_rate=1e-2, replay=2000)
DCRL = ConditionedPolicyGradient(NETWORK, SQUARE, 8, 4, 4, td3=LEARNER, policy_steps=20, policy_rate=1e-2, replay=2000)
SEARCH = Search(Aim(), Select("xy", SQUARE), Grid((8, 8)), PGA)


def transitions(n: int, steps: int = 3, value: float = 0.0) -> dict:
    numbered = value + np.arange(n * steps, dtype=np.float32).reshape(n, 1, steps)
    return {
        "observations": np.zeros((n, 1, steps + 1, 2), np.float32), "actions": np.zeros((n, 1, steps, 1), np.float32),
        "rewards": numbered, "lengths": np.full((n, 1), steps), "fell": np.zeros((n, 1), bool),
    }  # fmt: skip


def test_the_memory_is_bounded_keeps_the_newest_and_leaves_out_what_never_was():
    room = replay.empty(8, 2, 1, 0)
    nothing, ones = np.zeros((2, 0)), np.ones(2)
    features = transitions(2)
    features["lengths"], features["fell"] = np.array([[3], [2]]), np.array([[False], [True]])
    room = replay.add(room, features, np.array([True, True]), nothing, ones)
    assert (int(room.size), int(room.end)) == (5, 5)
    np.testing.assert_array_equal(room.columns.reward[:5], [0, 1, 2, 3, 4])
    np.testing.assert_array_equal(room.columns.fell[:5], [0, 0, 0, 0, 1])  # the last step of the one that fell
    room = replay.add(room, transitions(2, value=10), np.array([False, True]), nothing, np.array([1.0, 2.0]))
    np.testing.assert_array_equal(room.columns.reward, [0, 1, 2, 3, 4, 26, 28, 30])
    room = replay.add(room, transitions(1, value=50), np.array([True]), nothing[:1], ones[:1])
    assert (int(room.size), int(room.end)) == (8, 3)
    np.testing.assert_array_equal(room.columns.reward, [50, 51, 52, 3, 4, 26, 28, 30])
    with pytest.raises(ValueError, match=r"a generation has 9 steps, and the memory holds 8; type emitter.replay=36"):
        replay.add(room, transitions(3), np.ones(3, bool), np.zeros((3, 0)), np.ones(3))


@pytest.mark.ci
def test_steps_reach_the_emitter_and_no_archive():
    state, batch = step(SEARCH, begin(SEARCH, n=32))
    assert {"observations", "rewards", "fell"} <= set(batch.evaluation.features)
    assert HostElites(state.archive).features == ("xy",)
    assert int(state.memory.replay.size) == 16 * STEPS
    plain = SEARCH._replace(emitter=Vary(IsoLine(), 16))
    _, batch = step(plain, begin(plain, n=32))
    assert set(batch.evaluation.features) == {"xy"}


@pytest.mark.ci
def test_the_critic_learns_the_reward_and_policies_climb_it():
    state = advance(SEARCH, begin(SEARCH, n=64), 8)
    rows = replay.draw(state.memory.replay, jax.random.key(0), 200)
    guess = np.asarray(td3.q_values(state.memory.learner.critics, rows.observation, rows.action)).min(axis=0)
    error, spread = np.abs(guess - rows.reward).mean(), np.asarray(rows.reward).std()
    assert error < 0.3 * spread  # without discount Q is the reward
    domain = SEARCH.domain
    parents = domain.sample(keys.new(5), 8)
    climbed = pga.climb(replace(PGA, policy_steps=60), state.memory, parents, np.zeros((8, 0), np.float32), keys.new(0))
    gain = domain.evaluate(None, climbed).objective - domain.evaluate(None, parents).objective
    assert (gain > 0).all()
    actor = np.asarray(state.memory.learner.actor)[None]
    assert domain.evaluate(None, actor).objective[0] > np.median(domain.evaluate(None, parents).objective)


def test_a_generation_is_variations_climbers_and_the_actor():
    state = advance(SEARCH, begin(SEARCH, n=32), 1)
    memory, offspring = PGA.ask(keys.new(0), state.memory, HostElites(state.archive))
    assert offspring.solutions.shape == (16, NETWORK.size) and offspring.solutions.dtype == np.float32
    assert (offspring.parents[:8] >= 0).all() and (offspring.parents[8:15] >= 0).sum() == 7
    assert (offspring.parents[15] == -1).all()
    np.testing.assert_array_equal(offspring.solutions[15], memory.learner.actor)


@pytest.mark.ci
def test_the_actor_asked_for_measures_is_an_ordinary_policy():
    search = SEARCH._replace(emitter=DCRL)
    state = advance(search, begin(search, n=32), 2)
    memory, offspring = DCRL.ask(keys.new(0), state.memory, HostElites(state.archive))
    assert offspring.solutions.shape == (16, NETWORK.size) and memory.wishes.shape == (8, 2)
    observation = np.linspace(-1, 1, 8, dtype=np.float32).reshape(4, 2)
    wide = DCRL.actor
    actor = np.asarray(memory.learned.learner.actor)[None].repeat(4, 0)
    asked = wide.act(wide.unflatten(actor), np.concatenate([observation, memory.wishes[4:]], axis=1))
    injected = NETWORK.act(NETWORK.unflatten(offspring.solutions[12:]), observation)
    np.testing.assert_allclose(injected, asked, rtol=1e-4, atol=1e-5)


def test_what_misses_its_wish_is_paid_less():
    search = SEARCH._replace(emitter=DCRL)
    state, batch = step(search, advance(search, begin(search, n=32), 1))
    stored, n = state.memory.learned.replay, 16 * STEPS
    rewards = np.asarray(stored.columns.reward[n : 2 * n]).reshape(16, STEPS)
    share = rewards / batch.evaluation.features["rewards"][:, 0]
    np.testing.assert_allclose(share[:8], 1, rtol=1e-5)  # variations were asked for what they did
    wish = np.asarray(stored.columns.condition[n : 2 * n]).reshape(16, STEPS, 2)[:, 0]
    distance = np.linalg.norm(DCRL._scaled(batch.measures) - wish, axis=1)
    np.testing.assert_allclose(share[8:, 0], np.exp(-distance[8:] / DCRL.lengthscale), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("emitter", [PGA, DCRL], ids=["pga", "dcrl"])
def test_a_stored_state_goes_on_as_it_would_have(emitter):
    search = SEARCH._replace(emitter=emitter)
    state = advance(search, begin(search, n=32), 2)
    again = pickle.loads(pickle.dumps(state))
    state, again = advance(search, state, 2), advance(search, again, 2)
    same(state, again)
    jax.tree.map(np.testing.assert_array_equal, state.memory, again.memory)
    assert len(columns(state.archive)["id"]) > 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: replace(PGA, share=0.05), "share of 0.05 of 16 offspring is below two"),
        (lambda: replace(PGA, policy_steps=0), "type at least 1"),
        (lambda: replace(DCRL, lengthscale=0.0), "lengthscale above 0"),
        (lambda: Td3(minibatch=0), "type at least 1"),
        (lambda: begin(SEARCH._replace(emitter=replace(PGA, network=Mlp(3, 1)))), "a policy of .* has .* solution has shape"),
        (lambda: begin(SEARCH._replace(domain=Bowl())), "PolicyGradient learns from observations, .*which Bowl does not give"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
