"""A small language model of random weights, and excerpts of random text."""

import numpy as np

from domains.quant.networks import language, text
from domains.quant.networks.language import Language, Stored
from domains.quant.networks.layers import Network

FORM = Language(blocks=1, width=16, heads=2, tokens=64, pieces=260)


def random_network(form: Language = FORM, seed: int = 0) -> Network:
    """Returns a network of normal kernels and biases."""
    random = np.random.default_rng(seed)
    kernels = {i: random.normal(0, layer.shape[0] ** -0.5, layer.shape) for i, layer in enumerate(form.layers) if layer.biases}
    biases = {i: random.normal(0, 0.1, kernel.shape[-1]) for i, kernel in kernels.items()}
    single = lambda arrays: {i: x.astype(np.float32) for i, x in arrays.items()}
    return language.empty(form, single(kernels), single(biases))


def random_text(seed: int = 0) -> Stored:
    """Returns an embedding, pieces, and 48 windows of each split."""
    random = np.random.default_rng(seed)
    pieces = text.learn_pieces([b"the cat and the hat and the bat " * 5], FORM.pieces)
    windows = {split: random.integers(0, FORM.pieces, (48, FORM.tokens + 1)) for split in text.SPLITS}
    documents = {split: np.arange(48) % 3 for split in text.SPLITS}
    return Stored(random.normal(size=(FORM.pieces, FORM.width)).astype(np.float32), pieces, windows, documents)
