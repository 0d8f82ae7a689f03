"""Uniform configs of the residual network: what 2 to 8 bits cost, by symmetry, granularity, clipping and format.

    qd study quant.forms

Weights in one option everywhere, inputs in 8 bit (clipped by squared error); and inputs alone, weights in full precision.
512 validation and 2,000 test images; nothing is random, so there is one row each, and the only interval is the sampling error
of the images (about 1.4 and 0.7 points).
"""

from functools import partial
from pathlib import Path

import numpy as np

from domains.quant.domain import Quant
from domains.quant.quantize.bank import Bank
from experiments import command, study
from qd.report.table import summary

SPLITS = {"validation": 512, "test": 2000}


def main(images: int = 2000, out: str = "") -> None:
    """Evaluates the missing configs, then writes and prints the table.

    Args:
        images: of the test set, at most 2,000.
        out: folder of the results; empty: the default one.
    """
    folder = study.folder("quant_forms", out=out)
    runs = study.runs(folder)
    bank = Quant("resnet14", "every").bank
    configs = uniform(bank)
    missing = list(study.missing(runs, ((*pair, 0) for pair in configs)))
    if missing:
        several = np.stack([configs[case, method] for case, method, _ in missing])
        for key, metrics, bits in zip(missing, evaluate(several, images), bits_a_weight(bank, several), strict=True):
            study.add(runs, *key, metrics | {"bits a weight": float(bits)})
    study.report(folder, rows(runs), (*SPLITS, "worst class", "flips", "bits a weight"))


rows = partial(summary, statistic="mean")  # of its table


def uniform(bank: Bank) -> dict[tuple[str, str], np.ndarray]:
    """Returns the configs with one option everywhere, by (case, method)."""
    eight = [option.name for option in bank.activation_options].index("int8 asym tensor mse")
    configs = {("full precision", "weights and inputs"): bank.full()}
    for i, option in enumerate(bank.weight_options):
        configs[f"weights, {option.bits} bit", option.name] = bank.uniform(i, eight)
    for i, option in enumerate(bank.activation_options):
        configs[f"inputs, {option.bits} bit", option.name] = bank.uniform(len(bank.weight_options), i)
    return configs


def evaluate(configs: np.ndarray, images: int) -> list[dict[str, float]]:
    """Returns for each config its accuracy on both splits, and its worst class and flips on test images.

    Args:
        configs: [B, 2L].
        images: of each split, at most.
    """
    table = str(Path("runs") / "quant_front" / "evaluations.sqlite")
    split = {
        name: Quant("resnet14", "every", min(n, images), name, table=table).accuracies(configs) for name, n in SPLITS.items()
    }
    columns = {name: columns["accuracy"] for name, columns in split.items()}
    columns |= {"worst class": split["test"]["worst_class"], "flips": split["test"]["flips"]}
    return [{name: float(column[i]) for name, column in columns.items()} for i in range(len(configs))]


def bits_a_weight(bank: Bank, configs: np.ndarray) -> np.ndarray:
    """Returns the bits of a weight with its share of scales, zero points and tables; 32 in full precision.

    Args:
        bank: of the network.
        configs: [B, 2L].

    Returns:
        Bits [B].
    """
    weights = np.array([layer.parameters for layer in bank.network.layers])
    option_bits = np.column_stack([bank.stored_bits, 32 * weights])
    return option_bits[np.arange(bank.size), bank.split(configs)[0]].sum(1) / weights.sum()


if __name__ == "__main__":
    command.run()
