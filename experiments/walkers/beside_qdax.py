"""Our PGA-MAP-Elites beside QDax', and MAP-Elites of both, on QDax' own walker2d_uni, at equal steps: is it the same method?

Brax' spring physics (other physics than MuJoCo's, so that no figure compares with walkers.learning), episodes of 250 steps
from one start, networks of 64-64 with tanh, the critic's settings of walkers.learning, generations of 50. One compiled
evaluation for all sides, and the same first 50 policies. QDax keeps steps after a fall too, and those of generation 0; ours
does not. QD score (0: QDax' offset, 1: our walker2d's best) on a grid of 32 x 32, by one function. Also measured: control
steps a CPU second of that evaluation and of ours in MuJoCo.

    qd study walkers.beside_qdax budget=quick|first      in an environment with qdax 0.5.0 and brax 0.14.2
"""

import sys
import time
from functools import partial
from types import ModuleType
from typing import Annotated, Any, NamedTuple

import jax
import numpy as np

from domains.policies import Mlp
from domains.walkers import Walker
from experiments import command, study
from experiments.walkers.learning import BATCH, MORE, REPLAY, VARIATION
from feedback.descriptors.select import Select
from qd import keys, metrics
from qd.archives import Grid
from qd.emitters.policy_gradient.pga import PolicyGradient
from qd.emitters.vary import Vary
from qd.report.table import Row, Runs, summary
from qd.search import run, start
from qd.types import Array, Evaluation, Search

BUDGETS = {"quick": 1, "first": 5}  # seeds
EVALUATIONS = {"quick": 100, "first": 600}
FIRST_SEED = 200
STEPS, DIMS = 250, (32, 32)
METHODS = ("PGA-ME", "QDax PGA-ME", "MAP-Elites", "QDax MAP-Elites")
METRICS = ("qd_score", "coverage", "best")
PAIRS = (("PGA-ME", "QDax PGA-ME"), ("MAP-Elites", "QDax MAP-Elites"), ("PGA-ME", "MAP-Elites"))
SPEED = "control steps a CPU second, batch 50"


def main(budget: Annotated[str, BUDGETS] = "quick", seeds: int = 0, out: str = "") -> None:
    """Does the missing runs, then writes and prints the table; arguments as in ``study``."""
    folder = study.folder("walkers_qdax", budget, out)
    runs = study.runs(folder)
    case, ours = (
        f"QDax' walker2d_uni, {EVALUATIONS[budget]} evaluations",
        range(FIRST_SEED, FIRST_SEED + (seeds or BUDGETS[budget])),
    )
    missing = list(study.missing(runs, ((case, method, seed) for seed in ours for method in METHODS)))
    if missing:
        task = task_of_qdax()
        for method, per_cpu_s in speeds(task).items():
            if not runs.has(SPEED, method, 0):
                study.add(runs, SPEED, method, 0, {"per_cpu_s": per_cpu_s, "compile_cpu_s": task.compile_seconds})
    for key in missing:
        study.add(runs, *key, play(task, key[1], key[2], EVALUATIONS[budget]))
    study.report(folder, rows(runs), (*METRICS, "cpu_s", "per_cpu_s"), 2, ("qdax", "brax", "jax", "mujoco-core", "numpy"))


class Task(NamedTuple):
    """QDax' walker2d_uni, compiled once."""

    env: Any
    network: Any  # of flax
    unravel: Any  # flat vectors [B, D] -> parameters of flax
    score: Any  # parameters of flax -> fitness [B], descriptors [B, 2], transitions
    compile_seconds: float  # of CPU time


def task_of_qdax() -> Task:
    """Compiles the task for a batch."""
    from jax.flatten_util import ravel_pytree
    from qdax.core.neuroevolution.networks.networks import MLP  # pyright: ignore[reportMissingImports]
    from qdax.tasks.brax import v2 as environments  # pyright: ignore[reportMissingImports]
    from qdax.tasks.brax.v2.env_creators import create_brax_scoring_fn  # pyright: ignore[reportMissingImports]

    begun = time.process_time()
    env = environments.create("walker2d_uni", episode_length=STEPS)
    layers = 64, 64, env.action_size
    network = MLP(layers, jax.numpy.tanh, final_activation=jax.numpy.tanh)
    one = network.init(jax.random.key(0), jax.numpy.zeros(env.observation_size))
    unravel = jax.vmap(ravel_pytree(one)[1])
    extract = environments.descriptor_extractor["walker2d_uni"]
    scoring = create_brax_scoring_fn(env, network, extract, jax.random.key(0), episode_length=STEPS)
    score = partial(scoring, key=jax.random.key(0))  # one start: the key plays no part
    task = Task(env, network, unravel, score, 0.0)
    jax.block_until_ready(score(unravel(domain_of(task).sample(keys.new(0), BATCH)))[0])
    return task._replace(compile_seconds=time.process_time() - begun)


class TheirWalker(NamedTuple):
    """That task as a domain of ours."""

    task: Task
    pure: bool = False

    @property
    def network(self) -> Mlp:
        """Of the policies."""
        return Mlp(self.task.env.observation_size, self.task.env.action_size)

    @property
    def objective_range(self) -> tuple[float, float]:
        """That of our own walker2d."""
        return Walker("walker2d", steps=STEPS).objective_range

    def sample(self, key: Array, n: int) -> Array:
        """Draws policies [n, D]; arguments as in ``Domain``."""
        return self.network.sample(key, n)

    def evaluate(self, keys: Array, solutions: Array) -> Evaluation:
        """Plays an episode of each of BATCH policies; arguments as in ``Domain``."""
        fitness, touch, extra = self.task.score(self.task.unravel(solutions))
        data = extra["transitions"]
        done = np.asarray(data.dones) > 0
        lengths = np.where(done.any(axis=1), done.argmax(axis=1) + 1, STEPS)
        fell = done.any(axis=1) & ~(np.asarray(data.truncations)[np.arange(len(done)), lengths - 1] > 0)
        observations = np.concatenate([data.obs, data.next_obs[:, -1:]], axis=1)
        steps = {
            "observations": observations,
            "actions": data.actions,
            "rewards": data.rewards,
            "lengths": lengths,
            "fell": fell,
        }
        features = {"touch": np.asarray(touch)} | {name: np.asarray(column)[:, None] for name, column in steps.items()}
        return Evaluation(np.asarray(fitness), features)


def domain_of(task: Task) -> TheirWalker:
    """Returns the task as a domain of ours."""
    return TheirWalker(task)


def play(task: Task, method: str, seed: int, evaluations: int) -> dict[str, float]:
    """Searches by one method.

    Args:
        task: compiled.
        method: of METHODS.
        seed: of the search.
        evaluations: the budget, the first 50 among them.

    Returns:
        QD score, coverage (%), best objective, and seconds of CPU time.
    """
    begun = time.process_time()
    found = by_qdax(task, method, seed, evaluations) if method.startswith("QDax") else by_ours(task, method, seed, evaluations)
    return found | {"cpu_s": time.process_time() - begun}


def by_ours(task: Task, method: str, seed: int, evaluations: int) -> dict[str, float]:
    """Searches with our loop; arguments as in ``play``."""
    domain = domain_of(task)
    learning = {**MORE._asdict(), "replay": REPLAY, "variation": VARIATION}
    emitter = PolicyGradient(domain.network, BATCH, **learning) if method == "PGA-ME" else Vary(VARIATION, BATCH)
    search = Search(domain, Select("touch", ((0.0, 1.0),) * 2), Grid(DIMS), emitter)
    key, sample_key = keys.split(keys.new(seed))
    state, _ = start(search, key, domain.sample(sample_key, BATCH))
    for state, _ in run(search, state, evaluations):
        pass
    table = metrics.of_archive(state.archive, domain.objective_range)
    return {name: table[name] for name in METRICS}


def by_qdax(task: Task, method: str, seed: int, evaluations: int) -> dict[str, float]:
    """Searches with QDax' loop; arguments as in ``play``."""
    from qdax.core.containers.mapelites_repertoire import compute_euclidean_centroids  # pyright: ignore[reportMissingImports]
    from qdax.core.map_elites import MAPElites  # pyright: ignore[reportMissingImports]

    domain = domain_of(task)
    program = MAPElites(None, _emitter_of_qdax(task, method), lambda repertoire: {})
    first = task.unravel(domain.sample(keys.split(keys.new(seed))[1], BATCH))
    centroids = compute_euclidean_centroids(DIMS, (0.0, 0.0), (1.0, 1.0))
    key = jax.random.key(seed)
    fitness, touch, extra = task.score(first)
    repertoire, state, _ = program.init_ask_tell(first, fitness, touch, centroids, key, extra)
    ask, tell = jax.jit(program.ask), jax.jit(program.tell)
    for generation in range(1, evaluations // BATCH):
        solutions, more = ask(repertoire, state, jax.random.fold_in(key, generation))
        fitness, touch, extra = task.score(solutions)
        repertoire, state, _ = tell(solutions, fitness, touch, repertoire, state, extra, more)
    fitness, (low, high) = np.asarray(repertoire.fitnesses).ravel(), domain.objective_range
    there = np.isfinite(fitness)
    score = ((fitness[there] - low) / (high - low)).sum() / len(fitness)
    return {"qd_score": 100 * float(score), "coverage": 100 * float(there.mean()), "best": float(fitness.max())}


def speeds(task: Task, repeats: int = 5) -> dict[str, float]:
    """Control steps a CPU second, both in turn: the median of each.

    Args:
        task: compiled.
        repeats: of each side.
    """
    theirs, ours = task.unravel(domain_of(task).sample(keys.new(1), BATCH)), Walker("walker2d", steps=STEPS, threads=1)
    own, rates = ours.sample(keys.new(1), BATCH), {"Brax, spring": [], "MuJoCo, ours": []}
    for _ in range(repeats):
        begun = time.process_time()
        jax.block_until_ready(task.score(theirs)[0])
        middle = time.process_time()
        steps = ours.evaluate(None, own).features["lengths"].sum()
        rates["Brax, spring"].append(BATCH * STEPS / (middle - begun))
        rates["MuJoCo, ours"].append(steps / (time.process_time() - middle))
    return {method: float(np.median(several)) for method, several in rates.items()}


def rows(runs: Runs) -> list[Row]:
    """Returns means over seeds, and differences paired by seed.

    Args:
        runs: the finished runs.
    """
    pairs = [(name, *pair) for name in study.cases(runs) for pair in PAIRS]
    return summary(runs, "mean") + study.differences(runs, pairs, METRICS)


def _emitter_of_qdax(task: Task, method: str) -> Any:
    _name_of_a_type()
    from qdax.core.emitters.mutation_operators import isoline_variation  # pyright: ignore[reportMissingImports]
    from qdax.core.emitters.pga_me_emitter import PGAMEConfig, PGAMEEmitter  # pyright: ignore[reportMissingImports]
    from qdax.core.emitters.standard_emitters import MixingEmitter  # pyright: ignore[reportMissingImports]

    vary = partial(isoline_variation, iso_sigma=0.005, line_sigma=0.05)
    if method == "QDax MAP-Elites":
        return MixingEmitter(lambda x, key: (x, key), vary, 1.0, BATCH)
    settings = PGAMEConfig(
        BATCH, 0.5, MORE.td3.steps, MORE.policy_steps, REPLAY, MORE.td3.hidden, batch_size=MORE.td3.minibatch
    )  # the rest are its defaults, and ours
    return PGAMEEmitter(settings, task.network, _State(task.env), vary)


def _name_of_a_type() -> None:
    """Lets QDax' emitter import the type of its environments: it names that of brax.v1, which brax 0.14 no longer has."""
    for name in ("qdax.tasks.brax.v1", "qdax.tasks.brax.v1.envs", "qdax.tasks.brax.v1.envs.base_env"):
        sys.modules.setdefault(name, ModuleType(name))
    sys.modules["qdax.tasks.brax.v1.envs.base_env"].QDEnv = object  # pyright: ignore[reportAttributeAccessIssue]


class _State:
    """An environment whose state's descriptor has a length, which QDax' emitter asks for."""

    def __init__(self, env: Any) -> None:
        self.observation_size, self.action_size = env.observation_size, env.action_size
        self.state_descriptor_length = env.state_descriptor_length


if __name__ == "__main__":
    command.run()
