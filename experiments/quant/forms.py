"""Uniform configs of the residual network: what 2 to 8 bits cost, by symmetry, granularity, clipping and format.

    python -m experiments.quant.forms

Weights in one option everywhere, inputs in 8 bit (clipped by squared error); and inputs alone, weights in full precision.
512 validation and 2,000 test images; nothing is random, so there is one row each and no interval but the sampling error
of the images (about 1.4 and 0.7 points).
"""

import sys
from pathlib import Path

import numpy as np

from domains.quant.domain import Quant
from qd.report import table

SPLITS = {"validation": 512, "test": 2000}


def main(out: str = "", images: str = "2000") -> None:
    """Evaluates what is missing, prints and writes the table."""
    folder = Path(out or "experiments/results/quant_forms")
    runs = table.Runs(folder / "runs.jsonl")
    kept = str(Path("runs") / "quant_front" / "evaluations.sqlite")
    made = Quant("resnet14", "every").bank
    eight = [option.name for option in made.activation_options].index("int8 asym tensor mse")
    configs = {("full precision", "weights and inputs"): made.full()}
    for i, option in enumerate(made.weight_options):
        configs[f"weights, {_bits(option.bits)}", option.name] = made.uniform(i, eight)
    for i, option in enumerate(made.activation_options):
        configs[f"inputs, {_bits(option.bits)}", option.name] = made.uniform(len(made.weight_options), i)
    missing = [pair for pair in configs if not runs.has(*pair, 0)]
    if missing:
        several = np.stack([configs[pair] for pair in missing])
        told = {
            split: Quant("resnet14", "every", min(n, int(images)), split, table=kept).accuracies(several)
            for split, n in SPLITS.items()
        }
        size = made_size(made, several)
        for i, (case, method) in enumerate(missing):
            said = {split: float(columns["accuracy"][i]) for split, columns in told.items()}
            said |= {"worst class": float(told["test"]["worst_class"][i]), "flips": float(told["test"]["flips"][i])}
            runs.add(case, method, 0, said | {"bits a weight": float(size[i])})
    rows = table.summary(runs, np.mean)
    table.write(folder / "table.csv", rows)
    table.about(folder / "about.json")
    print(table.text(rows, (*SPLITS, "worst class", "flips", "bits a weight"), 2))


def made_size(bank, configs: np.ndarray) -> np.ndarray:
    """Bits that a weight takes with its share of scales, zero points and tables, [B]; 32 in full precision."""
    weights = np.array([layer.parameters for layer in bank.network.layers])
    stored = np.column_stack([bank.stored_bits, 32 * weights])
    return stored[np.arange(bank.size), bank.split(configs)[0]].sum(1) / weights.sum()


def _bits(bits: int) -> str:
    return f"{bits} bit"


if __name__ == "__main__":
    main(**dict(argument.split("=", 1) for argument in sys.argv[1:]))
