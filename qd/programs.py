"""What is pure is one XLA program, cached by its parts; what is not runs as it stands.

B batch, N rows, M measures, D genes. Keys enter as uint32 [2] and are split inside.
"""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from qd import keys
from qd.support.cache_dirs import cache_path
from qd.support.provenance import processor
from qd.types import Array, Descriptor, Domain, Evaluation, Features, Params

_CHUNK = 1024  # rows described at once: one compilation, and one rounding, whatever the number of elites


class Judged(NamedTuple):
    evaluation: Evaluation
    measures: Array  # [B, M]
    signals: Features
    jacobian: Array | None = None  # [B, 1+M, D]


def evaluate(domain: Domain, names: tuple[str, ...], key: np.ndarray, solutions: Array) -> Evaluation:
    """Evaluates B solutions and returns NumPy columns, of the features only ``names``."""
    if domain.pure:
        return _evaluate_program(domain, names)(key, solutions)
    said = domain.evaluate(keys.split(key, len(solutions)), solutions)
    return Evaluation(np.asarray(said.objective), {name: np.asarray(said.features[name]) for name in names})


def describe(descriptor: Descriptor, params: Params, features: Features) -> tuple[np.ndarray, Features]:
    """Returns measures [N, M] and signals of stored features, in chunks of fixed size where the descriptor is pure."""
    read = {name: features[name] for name in descriptor.reads}
    if not descriptor.pure:
        return np.asarray(descriptor(params, read)), _signals(descriptor, params, read)
    program, n = _describe_program(descriptor), len(next(iter(read.values())))
    chunks = [_padded(read, start, n) for start in range(0, max(n, 1), _CHUNK)]
    described = [program(params, chunk) for chunk in chunks]
    return jax.tree.map(lambda *parts: np.concatenate(parts)[:n], *described)


def judge(
    domain: Domain, descriptor: Descriptor, names: tuple[str, ...], params: Params, key: np.ndarray, solutions: Array
) -> Judged:
    """Evaluates and describes B solutions: one program where both parts are pure."""
    if domain.pure and descriptor.pure:
        return _judge_program(domain, descriptor, names)(params, key, solutions)
    evaluation = evaluate(domain, names, key, solutions)
    read = {name: evaluation.features[name] for name in descriptor.reads}
    if descriptor.pure:
        measures, signals = _describe_program(descriptor)(params, read)
    else:
        measures, signals = np.asarray(descriptor(params, read)), _signals(descriptor, params, read)
    return Judged(evaluation, measures, signals)


def judge_with_gradients(
    domain: Domain, descriptor: Descriptor, names: tuple[str, ...], params: Params, key: np.ndarray, solutions: Array
) -> Judged:
    """Like ``judge``, with the jacobian of (objective, measures) by each solution; both parts must be pure."""
    return _gradient_program(domain, descriptor, names)(params, key, solutions)


def remember() -> Path | None:
    """Keeps compiled programs in the user's cache folder, so that the next process need not compile them; call it first.

    A folder that is set already (JAX_COMPILATION_CACHE_DIR) is left as it is. Each kind of processor has its own, for
    compiled programs do not move between them. Returns the folder, or None where it cannot be written.
    """
    if already := jax.config.jax_compilation_cache_dir:  # type: ignore[attr-defined]
        return Path(already)
    folder = cache_path("programs", processor().fingerprint)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return folder


def traced_judge(domain: Domain, descriptor: Descriptor, names: tuple[str, ...]) -> Callable:
    """Returns (params, keys [B], solutions [B, ...]) -> Judged, to be traced; keys are JAX keys."""

    def judged(params: Params, each: Array, solutions: Array) -> Judged:
        said = domain.evaluate(each, solutions)
        read = {name: said.features[name] for name in descriptor.reads}
        kept = Evaluation(jnp.asarray(said.objective), {name: said.features[name] for name in names})
        return Judged(kept, descriptor(params, read), _signals(descriptor, params, read))

    return judged


def traced_judge_with_gradients(domain: Domain, descriptor: Descriptor, names: tuple[str, ...]) -> Callable:
    """Like ``traced_judge``, with the jacobian of (objective, measures) by each solution."""
    judged = traced_judge(domain, descriptor, names)

    def one(solution: Array, params: Params, key: Array) -> tuple[Array, Judged]:
        said = jax.tree.map(lambda column: column[0], judged(params, key[None], solution[None]))
        return jnp.concatenate([said.evaluation.objective[None], said.measures]), said

    def all_of_them(params: Params, each: Array, solutions: Array) -> Judged:
        gradient = jax.vmap(jax.jacrev(one, has_aux=True), in_axes=(0, None, 0))
        jacobian, said = gradient(solutions, params, each)
        return said._replace(jacobian=jacobian)

    return all_of_them


@lru_cache(maxsize=64)
def _evaluate_program(domain: Domain, names: tuple[str, ...]) -> Callable:
    def evaluated(key: Array, solutions: Array) -> Evaluation:
        said = domain.evaluate(_each(key, solutions), solutions)
        return Evaluation(said.objective, {name: said.features[name] for name in names})

    return _compiled(evaluated)


@lru_cache(maxsize=64)
def _describe_program(descriptor: Descriptor) -> Callable:
    return _compiled(lambda params, read: (descriptor(params, read), _signals(descriptor, params, read)))


@lru_cache(maxsize=64)
def _judge_program(domain: Domain, descriptor: Descriptor, names: tuple[str, ...]) -> Callable:
    judged = traced_judge(domain, descriptor, names)
    return _compiled(lambda params, key, solutions: judged(params, _each(key, solutions), solutions))


@lru_cache(maxsize=64)
def _gradient_program(domain: Domain, descriptor: Descriptor, names: tuple[str, ...]) -> Callable:
    judged = traced_judge_with_gradients(domain, descriptor, names)
    return _compiled(lambda params, key, solutions: judged(params, _each(key, solutions), solutions))


def _compiled(function: Callable) -> Callable:
    """jax.jit with NumPy results. Leaf by leaf: jax.device_get costs more than a small program itself."""
    structure = []  # the tree of the results, and which output each of its leaves is; the same at every shape

    def leaves_of(*args: Any) -> list[Array]:
        leaves, tree = jax.tree.flatten(function(*args))
        outputs = {id(leaf): leaf for leaf in leaves}  # a measure may be a feature as it stands: it is fetched once
        structure[:] = tree, [list(outputs).index(id(leaf)) for leaf in leaves]
        return list(outputs.values())

    program, on_cpu = jax.jit(leaves_of), jax.default_backend() == "cpu"

    def call(*args: Any) -> Any:
        outputs = program(*args)
        if not on_cpu:
            outputs = jax.device_get(outputs)  # there the copies overlap
        outputs = [np.asarray(output) for output in outputs]
        tree, which = structure
        return tree.unflatten([outputs[i] for i in which])

    return call


def _each(key: Array, solutions: Array) -> Array:
    return jax.random.split(jax.random.wrap_key_data(key), len(solutions))


def _signals(descriptor: Descriptor, params: Params, read: Features) -> Features:
    return descriptor.signals(params, read) if hasattr(descriptor, "signals") else {}  # type: ignore[attr-defined]


def _padded(read: Features, start: int, n: int) -> Features:
    rows = np.minimum(np.arange(start, start + _CHUNK), n - 1)
    return {name: np.asarray(column)[rows] for name, column in read.items()}
