"""Logical error rates of codes under depolarising noise: exact for few qubits, or by sampling with stim and decoding.

Perfect checks, one round: each of the n qubits has an error X, Y or Z with probability p/3 each. A round fails where the X or
the Z of any logical qubit is wrong after decoding. ``exact`` adds up all 4^n errors under the best decoder that there is. For
``rate`` a logical qubit is entangled with a reference qubit without noise, so that its X and its Z are both compared; it wants
the extra ``codes``: stim, and ldpc (belief propagation with ordered statistics) or pymatching.

What the decoders of ``rate`` do is no property of a code: of the 15 single errors of [[5,1,3]], all of which it corrects,
matching takes 3 for others, since it sees a Y as an X and a Z that happen at once.
"""

from typing import Any

import numpy as np

from qd.support.errors import UserError
from qd.support.spelling import unknown

DECODERS = ("table", "bposd", "matching")
_MOST = 12  # qubits of which all errors are looked at


def exact(checks: list[str], operators: list[tuple[str, str]], noise: float) -> float:
    """Returns the probability that the best decoder fails: it chooses the likeliest logical error of each syndrome.

    Args:
        checks: n - k generators as Pauli words, qubit 0 leftmost.
        operators: k pairs of logical X and Z.
        noise: p.

    Raises:
        UserError: more than 12 qubits, or a noise that is no probability.
    """
    return float(1 - _likelihood(checks, operators, noise).max(1).sum())


def rate(
    checks: list[str], operators: list[tuple[str, str]], noise: float, shots: int, seed: int = 0, decoder: str = "table"
) -> float:
    """Returns the share of rounds in which decoding fails.

    Args:
        checks: n - k generators as Pauli words, qubit 0 leftmost.
        operators: k pairs of logical X and Z.
        noise: p.
        shots: rounds to sample.
        seed: of the sampler.
        decoder: table, the best one, as in ``exact``, for 12 qubits at most; bposd (ldpc), which knows that Y is both X and
            Z; or matching (pymatching), to which errors of more than two checks are given in parts where stim can split them.

    Returns:
        A number between 0 and 1; its standard error is sqrt(rate (1 - rate) / shots).

    Raises:
        UserError: a package is not installed, there is no such decoder, or the noise is no probability.
    """
    if decoder not in DECODERS:
        raise unknown("decoder", decoder, DECODERS)
    if shots < 1:
        raise UserError(f"shots={shots} samples nothing", "type shots=100_000")
    labels = _likelihood(checks, operators, noise).argmax(1) if decoder == "table" else None
    _check_noise(noise)
    stim = _package("stim")
    circuit = stim.Circuit(program(checks, operators, noise))
    split = decoder == "matching"
    model = circuit.detector_error_model(decompose_errors=split, ignore_decomposition_failures=split)
    syndromes, flips = circuit.compile_detector_sampler(seed=seed).sample(shots, separate_observables=True)
    if labels is not None:
        guess = _bits(labels, 2 * len(operators))[_numbers(syndromes)]
    else:
        guess = _matching(model, syndromes) if split else _bposd(model, syndromes)
    return float((guess != flips).any(1).mean())


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


def _likelihood(checks: list[str], operators: list[tuple[str, str]], noise: float) -> np.ndarray:
    """[2^(n-k), 4^k]: the probability of each syndrome together with each set of flipped logical operators.

    Bit j of a syndrome is check j; of a set the bits are X and Z of the first logical qubit, and so on.
    """
    _check_noise(noise)
    words = [*checks, *(word for pair in operators for word in pair)]
    n = len(words[0])
    if n > _MOST:
        raise UserError(f"{n} qubits have 4^{n} errors", f"give a code of {_MOST} qubits or fewer, or type decoder='bposd'")
    place = lambda word, letters: sum(1 << i for i, letter in enumerate(word) if letter in letters)
    by_x, by_z = (_flips([place(word, letters) for word in words], n) for letters in ("ZY", "XY"))
    chance = (noise / 3) ** np.arange(n + 1) * (1 - noise) ** (n - np.arange(n + 1))
    weight = np.array([bin(word).count("1") for word in range(2**n)])
    total, z = np.zeros(2 ** len(words)), np.arange(2**n)
    for x in range(2**n):
        total += np.bincount(by_x[x] ^ by_z, chance[weight[x | z]], len(total))
    return total.reshape(4 ** len(operators), -1).T


def _flips(masks: list[int], qubits: int) -> np.ndarray:
    """[2^n]: for each set of qubits, the number whose bit j says whether an odd number of them lie in mask j."""
    flips = np.zeros(1, np.int64)
    for qubit in range(qubits):
        own = sum((mask >> qubit & 1) << j for j, mask in enumerate(masks))
        flips = np.concatenate([flips, flips ^ own])
    return flips


def _check_noise(noise: float) -> None:
    if not 0 <= noise <= 1:
        raise UserError(f"noise={noise} is no probability of an error", "type a number between 0 and 1")


def _numbers(bits: np.ndarray) -> np.ndarray:
    return bits.astype(np.int64) @ (1 << np.arange(bits.shape[1]))


def _bits(numbers: np.ndarray, count: int) -> np.ndarray:
    return (numbers[:, None] >> np.arange(count) & 1).astype(bool)


def _product(word: str) -> str:
    return "*".join(f"{letter}{i}" for i, letter in enumerate(word) if letter != "I")


def _bposd(model: Any, syndromes: np.ndarray) -> np.ndarray:
    """Decodes each syndrome once; flips of the observables [shots, 2k].

    Ordered statistics are asked only where belief propagation finds nothing that explains the syndrome. In parallel it often
    finds a heavy explanation of a light error: 5 of the 15 single errors of [[5,1,3]] come back as 4 or 11 errors. One after
    another, and with damped messages, it finds all 15.
    """
    ldpc = _package("ldpc")
    causes, effects, chances = _columns(model)
    decoder = ldpc.BpOsdDecoder(
        causes, error_channel=chances, max_iter=30, bp_method="minimum_sum", ms_scaling_factor=0.625, schedule="serial",
        osd_method="osd_e", osd_order=8,
    )  # fmt: skip
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
