"""What is judged before any budget is spent: shapes, names and tracing, on two solutions that do not count.

Each message says what was seen, why it cannot be, and what to type instead.
"""

import traceback
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from qd import archives, keys
from qd.archives import nearest
from qd.types import Array, Batch, Descriptor, Domain, Evaluation, Rows, Search

_TRACING = (
    jax.errors.ConcretizationTypeError,  # bool() and if on a traced value, too
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.NonConcreteBooleanIndexError,
    jax.errors.UnexpectedTracerError,
)


def rehearse(search: Search, key: np.ndarray, solutions: np.ndarray) -> None:
    """Judges the recipe on two evaluated solutions. Raises ValueError, before any budget is spent."""
    if len(solutions) == 0:
        raise ValueError("there are no seeds; type domain.sample(key, n) with n of 1 or more (initial=100 on the command line)")
    domain, descriptor = search.domain, search.descriptor
    for part in (domain, descriptor):
        _hashable(part)
    archives.check_bounds(descriptor.bounds)
    asked = (*descriptor.reads, *search.keep)
    archives.check_names(asked)
    if not descriptor.reads:
        raise ValueError(f"{_name(descriptor)} reads no feature; set reads to the names of the features that it looks at")

    two = solutions[:2]
    said = _try(domain, _evaluate, domain, key, two)
    evaluation(domain, said, len(two), asked)
    if not getattr(descriptor, "learns", True):  # else its init may ask people: judged after generation 0
        features = {name: np.asarray(said.features[name]) for name in descriptor.reads} if not domain.pure else said.features
        _describe(descriptor, Rows(np.arange(len(two)), two, said.objective, features, np.ones(len(two), bool)))
    if getattr(search.emitter, "gradients", False) and not (domain.pure and descriptor.pure):
        host = _name(descriptor if domain.pure else domain)
        raise ValueError(
            f"{_name(search.emitter)} asks for gradients, which JAX gives only of pure parts, but {host} says pure = False; "
            "choose an emitter without gradients, or write that part with jax.numpy"
        )
    if hasattr(search.emitter, "check"):
        search.emitter.check(key, two)  # type: ignore[attr-defined]


def evaluation(domain: Domain, said: Any, n: int, asked: tuple[str, ...]) -> None:
    """Raises ValueError where an evaluation has wrong shapes or dtypes, or lacks a feature that is asked for."""
    who = f"{_name(domain)}.evaluate"
    if not _is_evaluation(said):
        raise ValueError(f"{who} returned a {type(said).__name__}; return Evaluation(objective, {{'name': feature}})")
    shape, dtype = np.shape(said.objective), _dtype(said.objective)
    if shape != (n,) or dtype.kind not in "biuf":
        raise ValueError(
            f"{who} gave an objective of {dtype} {list(shape)} for {n} solutions; return one real number each, [{n}]"
        )
    for name, column in said.features.items():
        if name not in asked:
            continue
        shape, dtype = np.shape(column), _dtype(column)
        if shape[:1] != (n,) or dtype.kind not in "biuf":
            raise ValueError(
                f"{who} gave a feature {name!r} of {dtype} {list(shape)} for {n} solutions; return numbers, [{n}, ...]"
            )
    for name in asked:
        if name not in said.features:
            raise ValueError(
                f"the search reads or keeps a feature {name!r}, which {_name(domain)} does not give; it gives "
                f"{nearest(name, list(said.features)) or 'none'}"
            )


def measures(descriptor: Descriptor, given: Any, n: int) -> None:
    """Raises ValueError where a descriptor's measures are not [n, M] with M pairs of bounds."""
    shape, dtype, m = np.shape(given), _dtype(given), len(descriptor.bounds)
    if len(shape) == 2 and shape[1] == 0:
        raise ValueError(f"{_name(descriptor)} has length 0: it gave measures {list(shape)}; the feature it reads may be empty")
    if shape != (n, m) or dtype.kind not in "biuf":
        raise ValueError(
            f"{_name(descriptor)} gave measures of {dtype} {list(shape)} for {n} solutions, but it has {m} pairs of bounds; "
            f"return numbers, [{n}, {m}], or state {shape[1] if len(shape) == 2 else m} bounds"
        )


def not_all_failed(said: Evaluation) -> None:
    """Raises ValueError where every seed failed."""
    objective = np.asarray(said.objective)
    if not np.isfinite(objective).any():
        raise ValueError(
            f"all {len(objective)} solutions of generation 0 failed: every objective is NaN or infinite (the first is "
            f"{objective[0]}); call domain.evaluate on a few by hand, or sample from a smaller space"
        )


def not_empty(archive: Any, batch: Batch) -> None:
    """Raises ValueError where no seed entered the archive: an emitter would have no parents."""
    if len(archive) == 0:
        if (batch.status < 0).all():
            raise ValueError(
                f"all {len(batch.ids)} solutions of generation 0 failed: their measures are not finite; mend the descriptor"
            )
        best = np.nanmax(batch.evaluation.objective)
        raise ValueError(
            f"no seed entered the archive: the best objective is {best:g}, and threshold_min is "
            f"{float(archive.threshold_min):g}; type a lower archive.threshold_min"
        )


def _evaluate(domain: Domain, key: np.ndarray, two: np.ndarray) -> Evaluation:
    if not domain.pure:
        return domain.evaluate(keys.split(key, len(two)), two)
    if two.dtype == object:
        raise ValueError(f"{_name(domain)} says pure = True, but its solutions are Python objects; say pure = False")
    return jax.eval_shape(lambda k, x: domain.evaluate(jax.random.split(jax.random.wrap_key_data(k), len(two)), x), key, two)


def _describe(descriptor: Descriptor, rows: Rows) -> None:
    read = {name: rows.features[name] for name in descriptor.reads}
    params = descriptor.init(np.zeros(2, np.uint32), rows, _no_fresh)
    if descriptor.pure:
        given = _try(descriptor, jax.eval_shape, descriptor, params, read)
    else:
        given = descriptor(params, {name: np.zeros(f.shape, f.dtype) for name, f in read.items()})
    measures(descriptor, given, len(rows.ids))


def _no_fresh(key: Array, n: int) -> Rows:
    raise AssertionError("a descriptor with learns = False asked for fresh solutions")


def _try(part: Any, call: Callable, *args: Any) -> Any:
    """Calls, and turns a failed trace of a part that says pure into a message that names its line."""
    try:
        return call(*args)
    except _TRACING as error:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if "/jax/" not in f.filename and f.filename != __file__]
        where = frames[-1] if frames else None
        line = f"{where.filename}:{where.lineno}: {where.line}" if where else str(error).splitlines()[0]
        raise ValueError(
            f"{_name(part)} says pure = True, but JAX cannot trace it:\n  {line}\n"
            "write that line with jax.numpy (jnp.where for if, lax.scan for loops over data), or say pure = False"
        ) from error


def _is_evaluation(said: Any) -> bool:
    return isinstance(said, tuple) and hasattr(said, "objective") and isinstance(getattr(said, "features", None), dict)


def _hashable(part: Any) -> None:
    try:
        hash(part)
    except TypeError as error:
        raise ValueError(
            f"{_name(part)} cannot be hashed ({error}), and programs are cached by part; make it a "
            "@dataclass(frozen=True) whose fields are numbers, strings, tuples and other parts (no lists, no arrays)"
        ) from error


def _dtype(column: Any) -> np.dtype:
    return np.dtype(column.dtype) if hasattr(column, "dtype") else np.asarray(column).dtype


def _name(part: Any) -> str:
    return type(part).__name__
