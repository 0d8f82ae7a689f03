"""Ways to round that look at more than one weight: GPTQ, pruning two of four, and the Hadamard rotation.

K inputs of a channel, O output channels.
"""

import numpy as np


def gptq(
    weight: np.ndarray, gram: np.ndarray, scale: np.ndarray, zero: np.ndarray, low: int, high: int, damp: float = 0.01
) -> np.ndarray:
    """Rounds input by input, each time moving the error onto the inputs to come (GPTQ, Frantar et al. 2023, eq. 2-3).

    Args:
        weight: [K, O].
        gram: X'X [K, K] of the layer's inputs.
        scale: [O], the step of each channel's grid.
        zero: [O], the zero point of each channel.
        low: the lowest code.
        high: the highest code.
        damp: share of gram's mean diagonal that is added to its diagonal.

    Returns:
        Codes [K, O], whole numbers in low..high as float64; the rounded weight is (codes - zero) * scale.
    """
    rest, codes = weight.astype(np.float64).copy(), np.zeros(weight.shape)
    damped_gram = gram + np.eye(len(gram)) * (damp * np.trace(gram) / len(gram) + 1e-9)
    upper = np.linalg.cholesky(np.linalg.inv(damped_gram)).T
    for i in range(len(rest)):
        codes[i] = np.clip(np.round(rest[i] / scale) + zero, low, high)
        error = (rest[i] - (codes[i] - zero) * scale) / upper[i, i]
        rest[i:] -= np.outer(upper[i, i:], error)
    return codes


def two_of_four(weight: np.ndarray) -> np.ndarray:
    """Returns which weights stay when of each four inputs of a channel the two largest do; a last short group loses half."""
    flat = np.abs(weight.reshape(-1, weight.shape[-1]))
    k, out = flat.shape
    groups = np.pad(flat, ((0, -k % 4), (0, 0)), constant_values=-1).reshape(-1, 4, out)
    rank = np.argsort(np.argsort(-groups, axis=1, kind="stable"), axis=1)
    full = (groups >= 0).sum(1, keepdims=True)
    return (rank < (full + 1) // 2).reshape(-1, out)[:k].reshape(weight.shape)


def hadamard(k: int) -> np.ndarray:
    """Returns an orthogonal [K, K]: blocks of Sylvester's matrix, as large as K's largest factor that is a power of two."""
    block, size = np.ones((1, 1)), k & -k
    while len(block) < size:
        block = np.block([[block, block], [block, -block]])
    return np.kron(np.eye(k // size), block / size**0.5)
