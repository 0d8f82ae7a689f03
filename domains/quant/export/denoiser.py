"""One denoising step of a diffusion transformer as an ONNX file, and its check: samples drawn with the file in every step.

The file takes packed inputs [N, P + 2] and the number of the timestep, by which ranges of inputs are looked up; weights are
integers of 2 to 8 bits with a scale a channel, two in a byte up to 4 bits, and are multiplied in full precision.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from domains.quant import generated, onnx_runtime
from domains.quant.export import codes
from domains.quant.export.artifact import Artifact
from domains.quant.export.denoiser_graph import Graph, write_step
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
    several = [codes.in_integers(generator.bank, i, index) for i, index in enumerate(of_weights.tolist())]
    graph = Graph(generator.bank.network, several, [t.row(a) for t, a in zip(generator.tables, of_inputs, strict=True)])
    file = write_step(graph)
    session = onnx_runtime.open_session(file)
    run = lambda inputs, step: session(["clean"], {"inputs": np.asarray(inputs, np.float32), "step": np.array(step, np.int64)})[
        0
    ]
    settings = {"kernels": "full precision on rounded numbers", "steps": generator.sampler.steps}
    return Artifact({"step.onnx": file}, run, graph.weights_bytes, settings)


def check(domain: Any, genome: np.ndarray, artifact: Artifact, limit: float) -> dict[str, Any]:
    """Compares samples drawn with the file with the generator's, from the same held-out noise.

    Args:
        domain: gives the generator, and predicts costs.
        genome: the config [2L] that the file was made of.
        artifact: the file, and how it is run.
        limit: per cent of samples that must be of the same class.

    Returns:
        The report: deployable or not, agreement in per cent of samples of the same class, SNR of the file's samples against
        the generator's in decibels, sizes in KB, latencies of a step in microseconds an image.
    """
    generator = domain.generator
    noise, labels = domain.noise("test", _CHECKED)
    ours = generator.sample(genome[None], noise, labels)[0]
    denoise = lambda step, inputs: jnp.asarray(artifact.run(np.asarray(inputs), int(step)))
    with jax.disable_jit():
        theirs = np.asarray(generator.sampler.sample(denoise, jnp.asarray(noise), jnp.asarray(labels))[0])
    agreement = 100 * float((generated.look(theirs).classes == generated.look(ours).classes).mean())
    costs = {name: float(column[0]) for name, column in domain.cost(genome[None]).items() if column.ndim == 1}
    packed = np.concatenate([noise[:8], np.full((8, 1), 0.5), labels[:8, None]], 1)
    once = onnx_runtime.shortest_run(lambda: artifact.run(packed, 0), 0.5) / len(packed)
    return {
        "deployable": bool(agreement >= limit),
        "agreement": round(agreement, 3),
        "images": len(ours),
        "difference": float(np.abs(theirs - ours).max()),
        "snr_of_file": round(float(generated.snr(theirs[None], ours)[0]), 2),
        "size_predicted_KB": round(costs["size"], 3),
        "size_weights_KB": artifact.weights_bytes / 1000,
        "size_file_KB": sum(map(len, artifact.files.values())) / 1000,
        "latency_predicted_us": round(costs["latency"], 3),
        "latency_measured_us": round(once, 3),
        "processor": processor().name,
        "vnni": onnx_runtime.vnni(),
    }
