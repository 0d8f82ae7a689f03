"""Evaluation and description: one cached XLA program where components are pure, plain calls where they are not.

B batch, N rows, M measures, D genes. Keys enter as uint32 [2] and are split inside. JAX is imported where something is
compiled: a search whose components all run on the host does without, and starts 0.4 seconds of the processor earlier.
"""

import os
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from qd import abilities, keys
from qd.support.cache_dirs import cache_path
from qd.support.errors import UserError
from qd.support.provenance import processor
from qd.types import OBJECTIVES, Array, Descriptor, Domain, Evaluation, Features, Params, Search

_CHUNK = 1024  # rows described at once: one compilation, and one rounding, whatever the number of elites


class Results(NamedTuple):
    """B solutions, evaluated and described."""

    evaluation: Evaluation
    measures: Array  # [B, M]
    signals: Features
    jacobian: Array | None = None  # [B, 1+M, D]


def feature_names(search: Search) -> tuple[str, ...]:
    """Returns the names of the features that are stored with each elite and handed out in batches."""
    return tuple(dict.fromkeys((*search.descriptor.reads, *search.keep, *abilities.of_archive(search.archive).keep)))


def names_in_batches(search: Search) -> tuple[str, ...]:
    """Returns the names of the features in the host loop's batches: those that are stored, and those that the emitter wants."""
    return tuple(dict.fromkeys((*feature_names(search), *abilities.of_emitter(search.emitter).features)))


def with_one_objective(domain: Domain, evaluation: Evaluation) -> Evaluation:
    """Returns an evaluation with one objective, of several their feature and own hypervolumes (see qd.types.Evaluation).

    Args:
        domain: its ranges are the units of its objectives.
        evaluation: as the domain returned it, objective [B] or [B, K]; also in a trace.

    Raises:
        UserError: the domain states no ranges, or those of another number of objectives.
    """
    ranges = abilities.of_domain(domain).objective_ranges
    if not isinstance(evaluation, Evaluation) or (ranges is None and np.ndim(evaluation.objective) != 2):
        return evaluation
    objectives, features = evaluation
    numpy = sys.modules["jax"].numpy if is_of_jax(objectives) else np
    objectives = objectives if is_of_jax(objectives) else np.asarray(objectives)
    count = np.shape(objectives)[1] if np.ndim(objectives) == 2 else 1
    if count != len(ranges or (None,)):
        states = "no objective_range of several" if ranges is None else f"an objective_range of {len(ranges)} pairs"
        pairs = f"({', '.join(['(low, high)'] * count)}), one pair for each" if count > 1 else "(low, high)"
        raise UserError(
            f"{type(domain).__name__}.evaluate gave {count} objective{'s' * (count > 1)} for each solution, and the domain has "
            f"{states}",
            f"state objective_range = {pairs}, and return as many objectives in every batch",
        )
    if ranges is None:
        return Evaluation(objectives[:, 0], features)
    low, high = numpy.asarray(ranges, objectives.dtype if objectives.dtype.kind == "f" else np.float32).T
    own = ((objectives - low) / (high - low)).clip(0).prod(axis=1)
    own = numpy.where(numpy.isfinite(objectives).all(axis=1), own, np.nan)
    return Evaluation(own, features | {OBJECTIVES: objectives})


def is_of_jax(value: Any) -> bool:
    """Whether it is an array of JAX, or traced; without an import of JAX, which who made one has imported."""
    return "jax" in sys.modules and isinstance(value, sys.modules["jax"].Array)


def is_compiled(descriptor: Descriptor) -> bool:
    """Whether JAX compiles a descriptor that describes features on the host: it is pure, and more than a plain selection."""
    return descriptor.pure and not abilities.of_descriptor(descriptor).plain


def evaluate(domain: Domain, names: tuple[str, ...], key: np.ndarray, solutions: Array) -> Evaluation:
    """Evaluates B solutions and returns NumPy columns, of the features only ``names``.

    Args:
        domain: its evaluate is compiled where it is pure, else called as it stands.
        names: the features to return.
        key: uint32 [2], split into one key for each solution.
        solutions: [B, ...].

    Returns:
        Objective [B], of a domain on the host in floating point that holds its numbers exactly; and features, name -> [B, ...].
    """
    if domain.pure:
        return _evaluate_program(domain, names)(key, solutions)
    objective, features = _evaluate(domain, names, keys.split(key, len(solutions)), solutions)
    objective = np.asarray(objective)
    objective = objective.astype(np.result_type(objective, np.float32), copy=False)
    return Evaluation(objective, {name: np.asarray(column) for name, column in features.items()})


def describe(descriptor: Descriptor, params: Params, features: Features) -> tuple[np.ndarray, Features]:
    """Returns measures [N, M] and signals of stored features, in chunks of fixed size where the descriptor is pure.

    Args:
        descriptor: compiled where it is pure and not plain, else called as it stands.
        params: what it has learned.
        features: name -> [N, ...], all that the descriptor reads.

    Returns:
        Measures [N, M], and signals, name -> [N]; empty where the descriptor gives none.
    """
    if not is_compiled(descriptor):
        return _describe_on_host(descriptor, params, features)
    import jax

    columns = {name: features[name] for name in descriptor.reads}
    program, n = _describe_program(descriptor), len(next(iter(columns.values())))
    chunks = [_pad(columns, start, n) for start in range(0, max(n, 1), _CHUNK)]
    chunk_results = [program(params, chunk) for chunk in chunks]
    return jax.tree.map(lambda *parts: np.concatenate(parts)[:n], *chunk_results)


def evaluate_and_describe(
    domain: Domain,
    descriptor: Descriptor,
    names: tuple[str, ...],
    params: Params,
    key: np.ndarray,
    solutions: Array,
    gradients: bool = False,
) -> Results:
    """Evaluates and describes B solutions: one program where both components are pure.

    Args:
        domain: compiled where it is pure.
        descriptor: compiled where it is pure.
        names: the features to return.
        params: what the descriptor has learned.
        key: uint32 [2], split into one key for each solution.
        solutions: [B, ...].
        gradients: whether to return the jacobian of (objective, measures) by each solution; both must be pure.

    Returns:
        The evaluation, measures [B, M], signals, and the jacobian [B, 1+M, D] where gradients are requested.
    """
    if gradients or (domain.pure and descriptor.pure):
        return _whole_program(domain, descriptor, names, gradients)(params, key, solutions)
    evaluation = evaluate(domain, names, key, solutions)
    if is_compiled(descriptor):
        columns = {name: evaluation.features[name] for name in descriptor.reads}
        return Results(evaluation, *_describe_program(descriptor)(params, columns))
    return Results(evaluation, *_describe_on_host(descriptor, params, evaluation.features))


def remember() -> Path | None:
    """Keeps compiled programs in the user's cache folder, so that the next process need not compile them; call it first.

    A folder that is set already (JAX_COMPILATION_CACHE_DIR) is left as it is. Each kind of processor has its own, for
    compiled programs do not move between them. Returns the folder, or None where it cannot be written.
    """
    jax = sys.modules.get("jax")  # else it reads the environment when it is imported, if it is
    already = jax.config.jax_compilation_cache_dir if jax else os.environ.get("JAX_COMPILATION_CACHE_DIR")
    if already:
        return Path(already)
    folder = cache_path("programs", processor().fingerprint)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    settings = {
        "jax_compilation_cache_dir": str(folder),
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    for name, value in settings.items():
        jax.config.update(name, value) if jax else os.environ.setdefault(name.upper(), str(value))
    return folder


def evaluator(domain: Domain, descriptor: Descriptor, names: tuple[str, ...], gradients: bool = False) -> Callable:
    """Returns (params, keys [B], solutions [B, ...]) -> Results, to be traced; keys are JAX keys.

    Args:
        domain: a pure one.
        descriptor: a pure one.
        names: the features to return.
        gradients: whether to return the jacobian [B, 1+M, D] of (objective, measures) by each solution.

    Returns:
        The function, not compiled.
    """
    import jax
    from jax import numpy as jnp

    def plain(params: Params, each: Array, solutions: Array) -> Results:
        every = dict.fromkeys((*names, *descriptor.reads))
        objective, features = _evaluate(domain, tuple(every), each, solutions)
        evaluation = Evaluation(jnp.asarray(objective), {name: features[name] for name in names})
        return Results(evaluation, *_describe(descriptor, params, features))

    def one(solution: Array, params: Params, key: Array) -> tuple[Array, Results]:
        result = jax.tree.map(lambda column: column[0], plain(params, key[None], solution[None]))
        return jnp.concatenate([result.evaluation.objective[None], result.measures]), result

    def with_gradients(params: Params, each: Array, solutions: Array) -> Results:
        gradient = jax.vmap(jax.jacrev(one, has_aux=True), in_axes=(0, None, 0))
        jacobian, result = gradient(solutions, params, each)
        return result._replace(jacobian=jacobian)

    return with_gradients if gradients else plain


def _evaluate(domain: Domain, names: tuple[str, ...], each: Array, solutions: Array) -> Evaluation:
    evaluation = with_one_objective(domain, domain.evaluate(each, solutions))
    return Evaluation(evaluation.objective, {name: evaluation.features[name] for name in names})


def _describe(descriptor: Descriptor, params: Params, features: Features) -> tuple[Array, Features]:
    signals = abilities.of_descriptor(descriptor).signals
    columns = {name: features[name] for name in descriptor.reads}
    return descriptor(params, columns), signals(params, columns) if signals else {}


def _describe_on_host(descriptor: Descriptor, params: Params, features: Features) -> tuple[np.ndarray, Features]:
    measures, signals = _describe(descriptor, params, features)
    measures = np.asarray(measures)
    is_wide = descriptor.pure and measures.dtype == np.float64  # what is compiled has float32
    return measures.astype(np.float32) if is_wide else measures, signals


@lru_cache(maxsize=64)
def _evaluate_program(domain: Domain, names: tuple[str, ...]) -> Callable:
    return _compile(lambda key, solutions: _evaluate(domain, names, _each(key, solutions), solutions))


@lru_cache(maxsize=64)
def _describe_program(descriptor: Descriptor) -> Callable:
    return _compile(lambda params, columns: _describe(descriptor, params, columns))


@lru_cache(maxsize=64)
def _whole_program(domain: Domain, descriptor: Descriptor, names: tuple[str, ...], gradients: bool) -> Callable:
    function = evaluator(domain, descriptor, names, gradients)
    return _compile(lambda params, key, solutions: function(params, _each(key, solutions), solutions))


def _compile(function: Callable) -> Callable:
    """jax.jit with NumPy results. Leaf by leaf: jax.device_get costs more than a small program itself."""
    import jax

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
    import jax

    return jax.random.split(jax.random.wrap_key_data(key), len(solutions))


def _pad(columns: Features, start: int, n: int) -> Features:
    rows = np.minimum(np.arange(start, start + _CHUNK), n - 1)
    return {name: np.asarray(column)[rows] for name, column in columns.items()}
