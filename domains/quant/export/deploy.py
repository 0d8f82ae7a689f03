"""Writes a config as a file, runs that file, compares it with the bank, and marks it deployable where the two agree.

N images.
"""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from domains.quant.export import support
from domains.quant.export.artifact import Ran, agree
from domains.quant.networks import data
from qd.support.errors import UserError

AGREEMENT = 99.5  # per cent of predictions that file and bank share, at least


_CHECKED = 2_000  # held-out images on which they are compared


_SECONDS = 1.0  # of measuring


BATCH = 8  # as the latency table


def export(
    domain: Any, ids: Sequence[int], cells: Sequence[int], solutions: np.ndarray, folder: Path, form: str,
    say: Callable[[str], None] = print,
) -> list[dict[str, Any]]:  # fmt: skip
    """Exports configs [B, 2L], checks each by running it, and returns what was found, one report a config.

    Writes folder/FORM-cell-N/ with the files and report.json.

    Raises:
        ValueError: a layer cannot be carried (each is named, before anything is written), or a package lacks.
    """
    target = {name: target for target, name in support.NAMES.items()}[form]
    for cell, genome in zip(cells, solutions, strict=True):
        refuse(domain.bank, genome, target, cell)
    maker = _maker(form)
    reports = []
    for number, cell, genome in zip(ids, cells, solutions, strict=True):
        made = maker(domain, genome)
        told = checked(domain, genome, made)
        if not told["deployable"] and made.safer is not None:
            made = made.safer()
            told = checked(domain, genome, made)
        report = {"id": int(number), "cell": int(cell), "format": form, **told}
        where = folder / f"{form}-cell-{cell}"
        where.mkdir(parents=True, exist_ok=True)
        for name, content in made.files.items():
            (where / name).write_bytes(content)
        (where / "report.json").write_text(json.dumps(report | made.settings, indent=1) + "\n", encoding="utf-8")
        reports.append(report | {"folder": where.name})
        say(line(report))
    return reports


def refuse(bank: Any, genome: np.ndarray, target: str, cell: int) -> None:
    """Raises ValueError where a target cannot run a config; names its layers."""
    found = support.blocked(bank, genome, target)
    if found:
        told = "; ".join(f"{layer}: {reason}" for layer, reason in found)
        others = [name for other, name in support.NAMES.items() if not support.blocked(bank, genome, other)]
        instead = f"type --format {others[0]}" if others else "choose another cell, or search with options that it carries"
        raise UserError(f"the config of cell {cell} cannot be carried to {target}: {told}. {instead}")


def checked(domain: Any, genome: np.ndarray, made: Ran) -> dict[str, Any]:
    """Compares a file with the bank on held-out images, and what it costs with what was predicted."""
    shown = _first(domain.bank.network.forward.data, "test", _CHECKED)
    ours, theirs = domain.bank.logits(genome[None], shown.pixels)[0], made.run(shown.pixels)
    if theirs.shape != ours.shape or not np.isfinite(theirs).all():
        raise UserError(f"the file gave {list(theirs.shape)} for {len(ours)} images, and {list(ours.shape)} finite is wanted")
    agreement = agree(domain.bank.network, theirs, ours)
    told = {name: float(column[0]) for name, column in domain.cost(genome[None]).items() if column.ndim == 1}
    report = {
        "deployable": bool(agreement >= AGREEMENT),
        "agreement": round(agreement, 3),
        "images": len(ours),
        "difference": float(np.abs(theirs - ours).max()),
        "size_predicted_KB": round(told["size"], 3),
        "size_weights_KB": made.weights_bytes / 1000,
        "size_file_KB": sum(map(len, made.files.values())) / 1000,
        "latency_predicted_us": round(told["latency"], 3),
        "latency_measured_us": round(latency(made.run, _whole(domain.bank.network.forward, shown.pixels)), 3),
    }
    if domain.bank.network.forward.data != "sentences":
        accuracy = lambda outputs: round(100 * float((outputs.argmax(1) == shown.labels).mean()), 3)
        report |= {"test_accuracy_bank": accuracy(ours), "test_accuracy_file": accuracy(theirs)}
    return report


def _first(name: str, split: str, most: int) -> data.Images:
    held = data.load(name, split)
    return held.first(min(most, len(held.labels)))


def _whole(form: Any, pixels: np.ndarray) -> np.ndarray:
    """Sentences filled up to as many tokens as costs are told for; images as they are."""
    return np.pad(pixels, ((0, 0), (0, form.tokens - pixels.shape[1]), (0, 0))) if form.data == "sentences" else pixels


def latency(run: Callable[[np.ndarray], np.ndarray], images: np.ndarray) -> float:
    """Microseconds an image, in batches of 8: the least of many runs."""
    batch, least = images[:BATCH], np.inf
    run(batch)  # what is compiled for this many is no part of it
    end = time.perf_counter() + _SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter()
        run(batch)
        least = min(least, time.perf_counter() - start)
    return least * 1e6 / len(batch)


def line(report: dict[str, Any]) -> str:
    """One report as one line."""
    mark = "deployable" if report["deployable"] else f"NOT deployable (below {AGREEMENT} %)"
    return (
        f"cell {report['cell']}, {report['format']}: {mark}; agrees with the bank on {report['agreement']:.2f} % of "
        f"{report['images']} held-out examples; size {report['size_weights_KB']:.1f} KB of weights in a file of "
        f"{report['size_file_KB']:.1f} (predicted {report['size_predicted_KB']:.1f}); latency "
        f"{report['latency_measured_us']:.1f} us (predicted {report['latency_predicted_us']:.1f})"
    )


def _maker(form: str) -> Callable[[Any, np.ndarray], Ran]:
    if form == "onnx":
        from domains.quant.export import onnx_run

        return onnx_run.make
    from domains.quant.export import qwix_run

    return qwix_run.make
