"""What is checked before any budget is spent: protocols, shapes, names and tracing, on two solutions that do not count.

Each message names the value, the reason and the fix.
"""

import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from qd import abilities, archives, keys, programs, signatures
from qd.support import error_notes
from qd.support.errors import UserError
from qd.support.spelling import unknown
from qd.types import (
    OBJECTIVES,
    Archive,
    Array,
    Descriptor,
    Domain,
    Emitter,
    Evaluation,
    Features,
    Offspring,
    Params,
    Rows,
    Search,
)

_TRACING = (
    "ConcretizationTypeError",  # bool() and if on a traced value, too
    "TracerArrayConversionError",
    "TracerIntegerConversionError",
    "NonConcreteBooleanIndexError",
    "UnexpectedTracerError",
)  # of jax.errors
_ORDINARY = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError)  # of code that is run as it stands
_PROTOCOLS = {"domain": Domain, "descriptor": Descriptor, "archive": Archive, "emitter": Emitter}


def protocols(search: Search) -> None:
    """Raises UserError where a component lacks an attribute of its protocol in qd.types, or a method takes other arguments."""
    for (role, protocol), component in zip(_PROTOCOLS.items(), search, strict=False):
        if not isinstance(component, protocol):
            names = [name for name in vars(protocol) if name == "__call__" or not name.startswith("_")]
            what = "a node without _target_" if isinstance(component, dict) else _name(component)
            lacking = ", ".join(abilities.lacking(component, names))
            raise UserError(f"{what} is no {role}: it lacks {lacking}", f"see {protocol.__name__} in qd.types")
        signatures.check_calls(component, protocol)


def sampled(domain: Domain, solutions: Any, n: int) -> None:
    """Checks what a domain has sampled.

    Args:
        domain: named in the message.
        solutions: what its sample returned.
        n: how many it was asked for.

    Raises:
        UserError: these are not n solutions, or not one array though the domain is pure.
    """
    who = f"{_name(domain)}.sample(key, {n}){error_notes.place(domain.sample)}"
    if isinstance(solutions, list | tuple):
        if domain.pure:
            raise UserError(f"{who} gave a {type(solutions).__name__}", "return one array, [n, ...]: jnp.stack(...)")
        shape: tuple[int, ...] = (len(solutions),)
    else:
        shape = np.shape(solutions)
    if shape[:1] != (n,):
        raise UserError(f"{who} gave {_kind(solutions)}", "return n solutions: an array [n, ...], or a list of n objects")


def objective_range(domain: Domain) -> None:
    """Raises UserError where a domain's objective range, if it states one, is reversed, of zero width or not finite."""
    traits = abilities.of_domain(domain)
    for k, pair in enumerate(traits.objective_ranges or ()):
        archives.check_pair(f"{_name(domain)}.objective_range[{k}]", pair)
    pairs, given = traits.objective_ranges or (), traits.objective_names
    if given is not None and len(given) != max(len(pairs), 1):
        raise UserError(
            f"{_name(domain)}.objective_names has {len(given)} names, and there are {max(len(pairs), 1)} objectives",
            "state a name for each pair of objective_range",
        )
    scale = traits.objective_range
    if scale is not None:
        archives.check_pair(f"{_name(domain)}.objective_range", scale)


def rehearse(search: Search, key: np.ndarray, solutions: np.ndarray) -> None:
    """Tries the recipe on two solutions. Raises UserError, before any budget is spent.

    Args:
        search: the recipe.
        key: uint32 [2].
        solutions: [B, ...] the initial ones, of which the first two are tried.

    Raises:
        UserError: a component breaks its protocol, cannot be traced though it states pure = True, or does not fit the others.
    """
    protocols(search)
    domain, descriptor, archive, emitter = search[:4]
    for component in (domain, descriptor):
        _hashable(component)
    _initial(domain, solutions)
    objective_range(domain)
    archives.check_bounds(descriptor.bounds)
    names = programs.feature_names(search)
    archives.check_names(names)
    if not descriptor.reads:
        raise UserError(f"{_name(descriptor)} reads no feature", "set reads to the names of the features that it looks at")

    two = solutions[:2]
    evaluation = _try(domain, _evaluate, domain, key, two, plainly=_evaluate_plainly)
    _evaluation(domain, evaluation, len(two), names)
    rows = _example(two, evaluation, names)
    learns = abilities.of_descriptor(descriptor).learns
    if learns is False:  # else its init may need answers of raters: checked after generation 0
        params = descriptor.init(np.zeros(2, np.uint32), rows, _no_fresh)
        _measures(descriptor, _try(descriptor, _describe, descriptor, params, rows.features), len(two))
    _has_what_it_needs(search, evaluation.features)
    if learns and abilities.of_archive(archive).fixed_descriptors_only:
        raise UserError(
            f"{_name(archive)} takes hand-made descriptors only, but {_name(descriptor)} learns",
            "type archive=grid, or a descriptor that is hand-made (descriptor=select)",
        )
    empty_archive = archive.open(rows, descriptor.bounds, names, 0)
    abilities.of_emitter(emitter).check(key, two, empty_archive)


def describe(descriptor: Descriptor, params: Params, features: Features) -> tuple[np.ndarray, Features]:
    """Returns measures [N, M] and signals, as qd.programs.describe does, of a descriptor that has just learned.

    Args:
        descriptor: with M pairs of bounds.
        params: what it has learned.
        features: name -> [N, ...], all that the descriptor reads.

    Returns:
        Measures [N, M], and signals, name -> [N].

    Raises:
        UserError: it states pure = True but cannot be traced (names the line), or its measures do not fit its bounds.
    """
    measures, signals = _try(descriptor, programs.describe, descriptor, params, features)
    _measures(descriptor, measures, len(features[descriptor.reads[0]]))
    return measures, signals


def _initial(domain: Domain, solutions: np.ndarray) -> None:
    """Raises UserError where there are no initial solutions, or where they are not like what a pure domain samples."""
    if solutions.ndim and len(solutions) == 0:
        raise UserError(
            "there are no initial solutions", "type domain.sample(key, n) with n of 1 or more (initial=100 on the command line)"
        )
    if solutions.ndim and not domain.pure:  # to sample may cost
        return
    like = np.asarray(domain.sample(keys.new(0), 1))
    shape, n = f"[{', '.join(map(str, ('n', *like.shape[1:])))}]", len(solutions) if solutions.ndim else 100
    if solutions.shape[1:] != like.shape[1:] or not solutions.ndim:
        raise UserError(
            f"the initial solutions have shape {list(solutions.shape)}, but {_name(domain)} samples {shape}",
            f"type domain.sample(key, {n})",
        )
    if solutions.dtype.kind not in "biuf" and like.dtype.kind in "biuf":
        raise UserError(
            f"the initial solutions are {solutions.dtype}, but {_name(domain)} samples {like.dtype}",
            f"type domain.sample(key, {n})",
        )


def _evaluation(domain: Domain, evaluation: Any, n: int, names: tuple[str, ...]) -> None:
    """Raises UserError where an evaluation has wrong shapes or dtypes, or lacks one of the features ``names``."""
    who = f"{_name(domain)}.evaluate{error_notes.place(domain.evaluate)}"
    try:
        objective, features = evaluation.objective, evaluation.features
    except AttributeError:
        raise UserError(f"{who} returned {_kind(evaluation)}", "return Evaluation(objective, {'name': feature})") from None
    if not isinstance(features, dict):
        raise UserError(f"{who} gave features as {_kind(features)}", f"give a dict, {{'name': [{n}, ...]}}")
    shape, dtype = np.shape(objective), _dtype(objective)
    if shape != (n,) or dtype.kind not in "biuf":
        raise UserError(
            f"{who} gave an objective of {dtype} {list(shape)} for {n} solutions", f"return one real number each, [{n}]"
        )
    for name, column in features.items():
        if name not in names:
            continue
        shape, dtype = np.shape(column), _dtype(column)
        if shape[:1] != (n,) or dtype.kind not in "biuf":
            raise UserError(
                f"{who} gave a feature {name!r} of {dtype} {list(shape)} for {n} solutions", f"return numbers, [{n}, ...]"
            )
    for name in names:
        if name == OBJECTIVES and name not in features:
            raise UserError(
                f"{_name(domain)} has one objective, and archive=fronts keeps fronts of several",
                "type archive=grid, or choose a domain with an objective [B, K] such as domain=rastrigins",
            )
        if name not in features:
            where = "in domain_defaults.feature, descriptor.features, keep or film"
            raise unknown("feature", name, features, f"of {_name(domain)}", where)


def _measures(descriptor: Descriptor, measures: Any, n: int) -> None:
    """Raises UserError where a descriptor's measures are not [n, M] with M pairs of bounds."""
    shape, dtype, m = np.shape(measures), _dtype(measures), len(descriptor.bounds)
    if len(shape) == 2 and shape[1] == 0:
        raise UserError(f"{_name(descriptor)} has length 0: it gave measures {list(shape)}; the feature it reads may be empty")
    if shape != (n, m) or dtype.kind not in "biuf":
        raise UserError(
            f"{_name(descriptor)} gave measures of {dtype} {list(shape)} for {n} solutions, but it has {m} pairs of bounds; "
            f"return numbers, [{n}, {m}], or state {shape[1] if len(shape) == 2 else m} bounds"
        )


def offspring(emitter: Emitter, offspring: Offspring) -> None:
    """Raises UserError where an emitter proposes nothing: a run would never end.

    Args:
        emitter: named in the message.
        offspring: what its ask returned.

    Raises:
        UserError: there are no solutions in it.
    """
    if len(offspring.solutions) == 0:
        raise UserError(f"{_name(emitter)} proposed no solutions; its ask must return Offspring of 1 or more")


def _has_what_it_needs(search: Search, features: Features) -> None:
    domain, descriptor, _, emitter = search[:4]
    wants = abilities.of_emitter(emitter)
    if lacking := [name for name in wants.features if name not in features]:
        lacks = f"learns from {', '.join(lacking)}, which {_name(domain)} does not give"
        raise UserError(f"{_name(emitter)} {lacks}", "type domain=walker2d, or another emitter")
    if wants.needs and abilities.of_descriptor(descriptor).signals is None:
        lacks = f"chooses by {wants.needs[0]!r}, which {_name(descriptor)} does not give"
        raise UserError(f"{_name(emitter)} {lacks}", "type descriptor=autoencoder, or emitter=novelty")
    if wants.gradients and not (domain.pure and descriptor.pure):
        host = _name(descriptor if domain.pure else domain)
        raise UserError(
            f"{_name(emitter)} asks for gradients, which need pure components, but {host} has pure = False; "
            f"choose an emitter without gradients, or write {host} with jax.numpy"
        )


def _evaluate(domain: Domain, key: np.ndarray, two: np.ndarray) -> Evaluation:
    """Evaluates two solutions; of a pure domain only the shapes."""
    if not domain.pure:
        return programs.with_one_objective(domain, domain.evaluate(keys.split(key, len(two)), two))
    if two.dtype == object:
        raise UserError(f"{_name(domain)} has pure = True, but its solutions are Python objects", "set pure = False")
    import jax

    return jax.eval_shape(
        lambda k, x: programs.with_one_objective(
            domain, domain.evaluate(jax.random.split(jax.random.wrap_key_data(k), len(two)), x)
        ),
        key,
        two,
    )


def _evaluate_plainly(domain: Domain, key: np.ndarray, two: np.ndarray) -> None:
    """Evaluates two solutions without a trace; raises where neither NumPy's arrays nor JAX's can be evaluated."""
    with suppress(*_ORDINARY):
        domain.evaluate(keys.split(key, len(two)), two.copy())
        return
    import jax

    domain.evaluate(jax.random.split(jax.random.wrap_key_data(jax.numpy.asarray(key)), len(two)), jax.numpy.asarray(two))


def _describe(descriptor: Descriptor, params: Params, features: Features) -> Any:
    """Describes two solutions; of a descriptor that is compiled only the shape."""
    columns = {name: features[name] for name in descriptor.reads}
    if not programs.is_compiled(descriptor):
        return descriptor(params, columns)
    import jax

    return jax.eval_shape(descriptor, params, columns)


def _example(two: np.ndarray, evaluation: Evaluation, names: tuple[str, ...]) -> Rows:
    """The rows of the rehearsal; what was only traced is filled with zeros."""

    def column(leaf: Any) -> np.ndarray:
        return np.zeros(leaf.shape, leaf.dtype) if _is_shape(leaf) else np.asarray(leaf)

    features = {name: column(evaluation.features[name]) for name in names}
    return Rows(np.arange(len(two)), two, column(evaluation.objective), features, np.ones(len(two), bool))


def _no_fresh(key: Array, n: int) -> Rows:
    raise AssertionError("a descriptor with learns = False called fresh")


def _try(component: Any, call: Callable, *args: Any, plainly: Callable | None = None) -> Any:
    """Calls, and turns a failed trace of a pure component into a message that names its line.

    Args:
        component: named in the message.
        call: what traces it where it is pure.
        args: of the call.
        plainly: calls it without a trace, and raises where the fault is none of tracing.
    """
    try:
        return call(*args)
    except _tracing() as error:
        if not component.pure:
            raise
        if plainly is not None:
            plainly(*args)
        lines = error_notes.lines(error.__traceback__) or _lines_of_components(error)
        line = f"{lines[-1]}\n  " if lines else ""
        raise UserError(
            f"{_name(component)} has pure = True, but JAX cannot trace it:\n  {line}{str(error).splitlines()[0]}\n"
            "write that line with jax.numpy (jnp.where for if, x.at[i].set(y) for x[i] = y, lax.scan for loops over data), "
            "or set pure = False"
        ) from error


def _tracing() -> tuple[type[Exception], ...]:
    """What a trace raises that fails: a TypeError, e.g. of Python's math, or one of JAX, where it was imported."""
    names = _TRACING if "jax" in sys.modules else ()
    return (TypeError, *(getattr(sys.modules["jax"].errors, name) for name in names))


def _lines_of_components(error: BaseException) -> list[str]:
    """Returns the line of one of our own components, which a trace failed at."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename != __file__ and not _is_library(f.filename)]
    return [f"{frames[-1].filename}:{frames[-1].lineno}: {frames[-1].line}"] if frames else []


def _is_library(filename: str) -> bool:
    return not {"jax", "jaxlib", "numpy"}.isdisjoint(Path(filename).parts)


def _hashable(component: Any) -> None:
    try:
        hash(component)
    except TypeError as error:
        raise UserError(
            f"{_name(component)} is not hashable ({error}), and programs are cached by component",
            "make it a @dataclass(frozen=True) of numbers, strings, tuples and other components (no lists, no arrays)",
        ) from error


def _dtype(column: Any) -> np.dtype:
    return np.dtype(column.dtype) if _is_shape(column) else np.asarray(column).dtype


def _is_shape(value: Any) -> bool:
    """Whether it stands for an array in a trace: jax.ShapeDtypeStruct."""
    return "jax" in sys.modules and isinstance(value, sys.modules["jax"].ShapeDtypeStruct)


def _kind(value: Any) -> str:
    """Says what a value is: an array with its shape, or its type."""
    if isinstance(value, np.ndarray) or programs.is_of_jax(value) or _is_shape(value):
        return f"an array of shape {list(value.shape)}"
    return "None" if value is None else f"a {type(value).__name__}"


def _name(component: Any) -> str:
    return type(component).__name__
