"""Logical error rates of codes under depolarising noise, by sampling with stim and decoding.

Perfect checks, one round: each of the n qubits has an error X, Y or Z with probability p/3 each. A logical qubit is
entangled with a
reference qubit that has no noise, so that its X and its Z are both compared: a round counts as failed where any of them is
wrong after decoding. Wants the extra ``codes``: stim, and ldpc (belief propagation with ordered statistics) or pymatching.
"""

from typing import Any

import numpy as np

from qd.support.errors import UserError
from qd.support.spelling import unknown

DECODERS = ("bposd", "matching")


def rate(
    checks: list[str], operators: list[tuple[str, str]], noise: float, shots: int, seed: int = 0, decoder: str = "bposd"
) -> float:
    """Returns the share of rounds in which decoding fails.

    Args:
        checks: n - k generators as Pauli words, qubit 0 leftmost.
        operators: k pairs of logical X and Z.
        noise: p.
        shots: rounds to sample.
        seed: of the sampler.
        decoder: bposd, which knows that Y is both X and Z; or matching (pymatching), to which errors of more than two
            checks are given in parts where stim can split them.

    Returns:
        A number between 0 and 1; its standard error is sqrt(rate (1 - rate) / shots).

    Raises:
        UserError: a package is not installed, or there is no such decoder.
    """
    if decoder not in DECODERS:
        raise unknown("decoder", decoder, DECODERS)
    stim = _package("stim")
    circuit = stim.Circuit(program(checks, operators, noise))
    split = decoder == "matching"
    model = circuit.detector_error_model(decompose_errors=split, ignore_decomposition_failures=split)
    syndromes, flips = circuit.compile_detector_sampler(seed=seed).sample(shots, separate_observables=True)
    decode = _matching if split else _bposd
    return float((decode(model, syndromes) != flips).any(1).mean())


def program(checks: list[str], operators: list[tuple[str, str]], noise: float) -> str:
    """Returns the round as a circuit in stim's language: all products are measured, errors happen, all are measured again.

    Args:
        checks: generators as Pauli words.
        operators: pairs of logical X and Z.
        noise: p.
    """
    n = len(checks[0]) if checks else len(operators[0][0])
    products = [_product(word) for word in checks]
    for j, (x, z) in enumerate(operators):
        products += [f"{_product(x)}*X{n + j}", f"{_product(z)}*Z{n + j}"]
    measure, count = "MPP " + " ".join(products), len(products)
    lines = [measure, f"DEPOLARIZE1({noise}) {' '.join(map(str, range(n)))}", measure]
    compare = lambda i: f"rec[{i - count}] rec[{i - 2 * count}]"
    lines += [f"DETECTOR {compare(i)}" for i in range(len(checks))]
    lines += [f"OBSERVABLE_INCLUDE({i}) {compare(len(checks) + i)}" for i in range(2 * len(operators))]
    return "\n".join(lines)


def _product(word: str) -> str:
    return "*".join(f"{letter}{i}" for i, letter in enumerate(word) if letter != "I")


def _bposd(model: Any, syndromes: np.ndarray) -> np.ndarray:
    """Decodes each syndrome once; flips of the observables [shots, 2k]."""
    ldpc = _package("ldpc")
    causes, effects, chances = _columns(model)
    decoder = ldpc.BpOsdDecoder(
        causes, error_channel=chances, max_iter=30, bp_method="product_sum", osd_method="osd_e", osd_order=8
    )
    return _each_once(syndromes, lambda syndrome: effects @ decoder.decode(syndrome) % 2)


def _matching(model: Any, syndromes: np.ndarray) -> np.ndarray:
    pymatching = _package("pymatching")
    return pymatching.Matching.from_detector_error_model(model).decode_batch(syndromes).astype(bool)


def _each_once(syndromes: np.ndarray, decode: Any) -> np.ndarray:
    distinct, place = np.unique(syndromes, axis=0, return_inverse=True)
    return np.array([decode(syndrome.astype(np.uint8)) for syndrome in distinct])[place.reshape(-1)].astype(bool)


def _columns(model: Any) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """Returns which detectors and observables each error flips, as matrices of 0 and 1, and the errors' probabilities."""
    errors = [step for step in model.flattened() if step.type == "error"]
    causes = np.zeros((model.num_detectors, len(errors)), np.uint8)
    effects = np.zeros((model.num_observables, len(errors)), np.uint8)
    for i, error in enumerate(errors):
        for target in error.targets_copy():
            if target.is_relative_detector_id():
                causes[target.val, i] = 1
            elif target.is_logical_observable_id():
                effects[target.val, i] = 1
    return causes, effects, [error.args_copy()[0] for error in errors]


def _package(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UserError(
            f"logical error rates want {error.name}, which is not installed", "type pip install 'qd-atlas[codes]'"
        ) from error
