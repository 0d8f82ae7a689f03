"""One denoising step of a diffusion transformer as an ONNX file, and its check: samples drawn with the file in every step.

The file takes packed inputs [N, P + 2] and the number of the timestep, by which ranges of inputs are looked up; weights are
integers of 2 to 8 bits with a scale a channel, two in a byte up to 4 bits, or vectors out of a codebook, and are multiplied in
full precision.
"""

from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from domains.quant import generated, onnx_runtime
from domains.quant.export import encoded
from domains.quant.export.artifact import Artifact
from domains.quant.export.denoiser_graph import Graph, Levels, StoredWeight, write_step
from domains.quant.quantize.bank import Bank
from domains.quant.quantize.generator import Generator, apply_step
from domains.quant.quantize.low_rank_vectors import LowRankVectorOption
from domains.quant.quantize.vectors import VectorOption, encode
from qd.support.errors import UserError
from qd.support.provenance import processor

_CHECKED = 200  # samples, each drawn with the file in all of its steps


def make(domain: Any, genome: np.ndarray) -> Artifact:
    """Returns the file of a config.

    Args:
        domain: gives the generator.
        genome: the config, [2L].

    Returns:
        step.onnx; it is run by (packed inputs [N, P + 2], number of the step) -> clean images [N, P].

    Raises:
        UserError: onnx or onnxruntime is not installed, or the codes of a layer cannot be recovered.
    """
    lacking = onnx_runtime.missing_packages()
    if lacking:
        raise UserError(
            f"ONNX files are written and run by {' and '.join(lacking)}, not installed", f"type {onnx_runtime.INSTALL}"
        )
    generator = domain.generator
    (of_weights,), (of_inputs,) = generator.bank.split(genome[None])
    several = [_encode(generator.bank, i, index) for i, index in enumerate(of_weights.tolist())]
    graph = Graph(generator.bank.network, several, [t.row(a) for t, a in zip(generator.tables, of_inputs, strict=True)])
    file = write_step(graph)
    session = onnx_runtime.open_session(file)
    run = lambda inputs, step: session(["clean"], {"inputs": np.asarray(inputs, np.float32), "step": np.array(step, np.int64)})[
        0
    ]
    settings = {"kernels": "full precision on rounded numbers", "steps": generator.sampler.steps}
    return Artifact({"step.onnx": file}, run, graph.weights_bytes, settings)


def _sampled(
    generator: Generator, genome: np.ndarray, artifact: Artifact, noise: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """Samples of the file, and of each of its steps the classes of the file's and of the generator's images."""
    form, (genes,) = generator.bank.network.forward, np.stack(generator.bank.split(genome[None]), 1)
    one = jax.jit(lambda device, step, x: apply_step(form, device, genes, generator.ways, step, x))
    classes = []

    def denoise(step: Any, inputs: Any) -> Any:
        theirs, ours = artifact.run(np.asarray(inputs), int(step)), one(generator.device, step, inputs)
        classes.append((generated.look(theirs).classes, generated.look(np.asarray(ours)).classes))
        return jnp.asarray(theirs)

    images, times, sampler = jnp.asarray(noise), generator.sampler.times, generator.sampler
    for number, (time, after) in enumerate(pairwise(times)):
        images, _ = sampler.step(denoise, jnp.asarray(number), time, after, images, jnp.asarray(labels), form.classes)
    return np.asarray(images), classes


def _encode(bank: Bank, layer: int, index: int) -> StoredWeight:
    if bank.network.layers[layer].is_cached:
        return Levels(float(bank.weights[layer][index][0]))
    option = bank.weight_options[index]
    if isinstance(option, VectorOption | LowRankVectorOption):
        return encode(bank.weights[layer][index], option.size)
    return encoded.of_layer(bank, layer, index)


def check(domain: Any, genome: np.ndarray, artifact: Artifact, limit: float) -> dict[str, Any]:
    """Compares samples drawn with the file with the generator's, from the same held-out noise.

    Args:
        domain: gives the generator, and predicts costs.
        genome: the config [2L] that the file was made of.
        artifact: the file, and how it is run.
        limit: per cent of single steps that must agree.

    Returns:
        The report: deployable or not, agreement in per cent of single steps, from the same inputs, with an image of the same
        class; the same of whole samples, in which small differences grow, and their SNR in decibels; sizes in KB, latencies of
        a step in microseconds an image.
    """
    generator = domain.generator
    noise, labels = domain.noise("test", _CHECKED)
    ours = generator.sample(genome[None], noise, labels)[0]
    theirs, steps = _sampled(generator, genome, artifact, noise, labels)
    same_class = 100 * float((generated.look(theirs).classes == generated.look(ours).classes).mean())
    agreement = 100 * float(np.mean([a == b for a, b in steps]))
    costs = {name: float(column[0]) for name, column in domain.cost(genome[None]).items() if column.ndim == 1}
    packed = np.concatenate([noise[:8], np.full((8, 1), 0.5), labels[:8, None]], 1)
    once = onnx_runtime.shortest_run(lambda: artifact.run(packed, 0), 0.5) / len(packed)
    return {
        "deployable": bool(agreement >= limit),
        "agreement": round(agreement, 3),
        "images": len(ours),
        "difference": float(np.abs(theirs - ours).max()),
        "whole_samples_agreement": round(same_class, 3),
        "whole_samples_snr": round(float(generated.snr(theirs[None], ours)[0]), 2),
        "size_predicted_KB": round(costs["size"], 3),
        "size_weights_KB": artifact.weights_bytes / 1000,
        "size_file_KB": sum(map(len, artifact.files.values())) / 1000,
        "latency_predicted_us": round(costs["latency"], 3),
        "latency_measured_us": round(once, 3),
        "processor": processor().name,
        "vnni": onnx_runtime.vnni(),
    }
