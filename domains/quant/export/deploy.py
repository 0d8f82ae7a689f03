"""Writes configs as files, runs the files, compares them with the bank, and marks those deployable where the two agree.

N images.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from domains.quant import onnx_runtime, texts
from domains.quant.cost.latency import BATCH
from domains.quant.export import denoiser, support
from domains.quant.export.artifact import Artifact, agree
from domains.quant.networks import data
from domains.quant.quantize.bank import Bank
from qd.support.errors import UserError
from qd.support.provenance import processor

AGREEMENT = 99.5  # per cent of predictions that file and bank share, at least
BITS = 0.01  # per byte, by which file and bank of a language model may differ: see _of_text
_CHECKED = 2_000  # held-out images on which they are compared
_SECONDS = 1.0  # of measuring


@dataclass(frozen=True)
class Exporter:
    """Writes configs with ``make`` and checks each by running it, where every layer can be carried to ``target``."""

    make: Callable[[Any, np.ndarray], Artifact]  # (domain, config) -> its files
    target: str  # where the files run, one of support.TARGETS

    def __call__(
        self, domain: Any, ids: Sequence[int], cells: Sequence[int], solutions: np.ndarray, folder: Path,
        say: Callable[[str], None] = print,
    ) -> list[dict[str, Any]]:  # fmt: skip
        """Writes folder/FORMAT-cell-N/ with the files and report.json of each config.

        Args:
            domain: gives the bank, and predicts costs.
            ids: B ids of the elites.
            cells: B cells of the archive.
            solutions: configs [B, 2L].
            folder: that the folders are made in.
            say: called with a line for each config.

        Returns:
            B reports.

        Raises:
            UserError: a layer cannot be carried (each is named, before anything is written), or a package lacks.
        """
        for cell, genome in zip(cells, solutions, strict=True):
            refuse(domain.bank, genome, self.target, cell)
        form, reports = support.NAMES[self.target], []
        for number, cell, genome in zip(ids, cells, solutions, strict=True):
            artifact, result = self._make_checked(domain, genome)
            report = {"id": int(number), "cell": int(cell), "format": form, **result}
            out = folder / f"{form}-cell-{cell}"
            out.mkdir(parents=True, exist_ok=True)
            for name, content in artifact.files.items():
                (out / name).write_bytes(content)
            (out / "report.json").write_text(json.dumps(report | artifact.settings, indent=1) + "\n", encoding="utf-8")
            reports.append(report | {"folder": out.name})
            say(line(report))
        return reports

    def _make_checked(self, domain: Any, genome: np.ndarray) -> tuple[Artifact, dict[str, Any]]:
        """Returns files and the result of their check; those of the fallback where the first do not pass."""
        artifact = self.make(domain, genome)
        result = check(domain, genome, artifact)
        if result["deployable"] or artifact.fallback is None:
            return artifact, result
        artifact = artifact.fallback()
        return artifact, check(domain, genome, artifact)


def refuse(bank: Bank, genome: np.ndarray, target: str, cell: int) -> None:
    """Raises UserError where a target cannot run a config; names its layers.

    Args:
        bank: L layers in W + A options.
        genome: [2L], weight options, then activation options.
        target: one of support.TARGETS.
        cell: of the archive, for the message.

    Raises:
        UserError: a layer cannot be carried (each is named with its reason), or there is no such target.
    """
    layers = support.unsupported(bank, genome, target)
    if layers:
        reasons = "; ".join(f"{layer}: {reason}" for layer, reason in layers)
        others = [name for other, name in support.NAMES.items() if not support.unsupported(bank, genome, other)]
        instead = f"type --format {others[0]}" if others else "choose another cell, or search with options that it carries"
        raise UserError(f"the config of cell {cell} cannot be carried to {target}: {reasons}. {instead}")


def check(domain: Any, genome: np.ndarray, artifact: Artifact) -> dict[str, Any]:
    """Compares files with the bank on held-out images, and their costs with those predicted.

    Args:
        domain: gives the bank, and predicts costs.
        genome: the config [2L] that the files were made of.
        artifact: the files, and how they are run.

    Returns:
        The report: deployable or not, agreement in per cent, number of images, largest difference of outputs, sizes in KB,
        latencies in microseconds an image, and the processor that they were measured on; of a classifier also test accuracy
        in per cent.

    Raises:
        UserError: the files' outputs have another shape than the bank's or are not finite, or the test data are missing.
    """
    form = domain.bank.network.forward
    if form.data == "denoising":
        return denoiser.check(domain, genome, artifact, AGREEMENT)
    images = data.load(form.data, "test")
    images = images.first(min(_CHECKED, len(images.labels)))
    ours, theirs = domain.bank.logits(genome[None], images.pixels)[0], artifact.run(images.pixels)
    if theirs.shape != ours.shape or not np.isfinite(theirs).all():
        raise UserError(f"the file gave {list(theirs.shape)} for {len(ours)} images, and {list(ours.shape)} finite is wanted")
    agreement = agree(domain.bank.network, theirs, ours)
    costs = {name: float(column[0]) for name, column in domain.cost(genome[None]).items() if column.ndim == 1}
    report = {
        "deployable": bool(agreement >= AGREEMENT),
        "agreement": round(agreement, 3),
        "images": len(images.labels),
        "difference": float(np.abs(theirs - ours).max()),
        "size_predicted_KB": round(costs["size"], 3),
        "size_weights_KB": artifact.weights_bytes / 1000,
        "size_file_KB": sum(map(len, artifact.files.values())) / 1000,
        "latency_predicted_us": round(costs["latency"], 3),
        "latency_measured_us": round(latency(artifact.run, _whole(form, images.pixels)), 3),
        "processor": processor().name,
        "vnni": onnx_runtime.vnni(),
    }
    if form.data == "text":
        return report | _of_text(ours, theirs, len(images.labels))
    if form.data != "sentences":
        accuracy = lambda outputs: round(100 * float((outputs.argmax(1) == images.labels.reshape(-1)).mean()), 3)
        report |= {"test_accuracy_bank": accuracy(ours), "test_accuracy_file": accuracy(theirs)}
    return report


def _of_text(ours: np.ndarray, theirs: np.ndarray, windows: int) -> dict[str, Any]:
    """Compares bits per byte, not single predictions.

    Where the inputs of 25 layers are rounded one after the other, two programs that differ in the seventh digit round a few
    codes otherwise, and these change what comes after: they part by as much as rounding itself changes, and neither is wrong.
    """
    excerpts = texts.excerpts_of("test", windows)
    bank, file = (float(texts.bits(each, excerpts.targets).sum() / excerpts.lengths.sum()) for each in (ours, theirs))
    is_same = abs(bank - file) <= BITS
    return {"deployable": is_same, "bits_per_byte_bank": round(bank, 5), "bits_per_byte_file": round(file, 5)}


def _whole(form: Any, pixels: np.ndarray) -> np.ndarray:
    """Sentences padded to as many tokens as costs are predicted for; images as they are."""
    return np.pad(pixels, ((0, 0), (0, form.tokens - pixels.shape[1]), (0, 0))) if form.data == "sentences" else pixels


def latency(run: Callable[[np.ndarray], np.ndarray], images: np.ndarray) -> float:
    """Returns microseconds an image, in batches as those of the latency table: the shortest of many runs.

    Args:
        run: images [n, ...] -> outputs.
        images: [N, ...], of which the first BATCH are run.

    Returns:
        The time of the shortest run divided by the images in the batch.
    """
    batch = images[:BATCH]
    return onnx_runtime.shortest_run(lambda: run(batch), _SECONDS) / len(batch)


def line(report: dict[str, Any]) -> str:
    """One report as one line."""
    mark = "deployable" if report["deployable"] else "NOT deployable"
    return (
        f"cell {report['cell']}, {report['format']}: {mark}; agrees with the bank on {report['agreement']:.2f} % of "
        f"{report['images']} held-out examples; size {report['size_weights_KB']:.1f} KB of weights in a file of "
        f"{report['size_file_KB']:.1f} (predicted {report['size_predicted_KB']:.1f}); latency "
        f"{report['latency_measured_us']:.1f} us (predicted {report['latency_predicted_us']:.1f}), VNNI: {report['vnni']}"
    )
