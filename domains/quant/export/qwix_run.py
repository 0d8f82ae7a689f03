"""A config as rules of qwix, with its codes: a flax network whose products qwix runs in integers, by the bank's own numbers.

rules.json says for each layer which types its weights and inputs have and the fixed range of its inputs; weights.npz
holds codes (of b bits each, without gaps), scales and biases. qwix' own calibration is not used: its grids are others.
"""

import importlib.util
import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from domains.quant.export import codes as coded
from domains.quant.export.artifact import Ran
from qd.support.errors import UserError

INSTALL = "pip install 'qd-atlas[qwix]'"


def make(domain: Any, genome: np.ndarray) -> Ran:
    """Returns rules and weights of a config; what is run is read back from them."""
    lacking = [name for name in ("qwix", "flax") if importlib.util.find_spec(name) is None]
    if lacking:
        raise UserError(f"qwix rules are written and run by {' and '.join(lacking)}, not installed", f"type {INSTALL}")
    bank = domain.bank
    rules, arrays = _rules(bank, genome), _arrays(bank, genome)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    files = {"rules.json": (json.dumps(rules, indent=1) + "\n").encode(), "weights.npz": buffer.getvalue()}
    stored = sum(array.nbytes for array in arrays.values())
    return Ran(files, runner(bank.network, files), stored, {"kernels": "qwix on XLA, cpu; predicted latency is onnxruntime's"})


def runner(network: Any, files: dict[str, bytes]) -> Callable[[np.ndarray], np.ndarray]:
    """Opens what was written: inputs [N, ...] -> outputs [N, C], compiled once for each N."""
    import jax
    import qwix  # pyright: ignore[reportMissingImports]

    told, rules = json.loads(files["rules.json"]), []
    for rule in told["rules"]:
        rules.append(qwix.QuantizationRule(**rule))
    with np.load(io.BytesIO(files["weights.npz"]), allow_pickle=False) as packed:
        arrays = {name: packed[name] for name in packed.files}
    model = _module(network)
    quantized = qwix.quantize_model(model, qwix.PtqProvider(rules))
    example = np.zeros((1, *told["input"]), np.float32)
    shapes = jax.eval_shape(lambda x: quantized.init(jax.random.key(0), x), example)["params"]
    params = {path(layer): _params(layer, shapes[path(layer)], arrays) for layer in network.layers}
    apply = jax.jit(lambda params, x: quantized.apply({"params": params}, x))
    return lambda x: np.asarray(apply(params, np.asarray(x, np.float32)))


def path(layer: Any) -> str:
    """A layer's name as flax has it."""
    return layer.name.replace(".", "_")


def _module(network: Any) -> Any:
    """The network's own forward pass over flax layers."""
    from flax import linen as nn

    class Carried(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            return network.forward(lambda i, x: nn.Dense(network.layers[i].shape[-1], name=path(network.layers[i]))(x), x)

    return Carried()


def _rules(bank: Any, genome: np.ndarray) -> dict[str, Any]:
    weights, activations = (index[0] for index in bank.split(np.asarray(genome)[None]))
    rules = []
    for i, layer in enumerate(bank.network.layers):
        if weights[i] == len(bank.weight_options):
            continue
        option, told = bank.activation_options[activations[i]], {}
        if not option.full:
            told = {"act_qtype": f"int{option.bits}", "act_calibration_method": _fixed(option, bank.scales[i, activations[i]])}
        kind = f"int{bank.weight_options[weights[i]].bits}"
        rules.append({"module_path": f"{path(layer)}$", "weight_qtype": kind} | told)
    return {"network": bank.network.name, "input": list(_input(bank)), "rules": rules}


def _fixed(option: Any, fitted: np.ndarray) -> str:
    """The range of a layer's inputs as qwix reads it."""
    scale, zero, levels = (float(number) for number in fitted)
    half = (2 ** (option.bits - 1) - 0.5) * scale  # qwix' bound of a symmetric type
    low, high = (-half, half) if option.symmetric else (-zero * scale, (levels - zero) * scale)
    return f"fixed,{low!r},{high!r}"


def _input(bank: Any) -> tuple[int, ...]:
    form = bank.network.forward
    return (form.tokens, form.width) if form.data == "sentences" else tuple(bank.network.layers[0].inputs)


def _arrays(bank: Any, genome: np.ndarray) -> dict[str, np.ndarray]:
    weights, _ = (index[0] for index in bank.split(np.asarray(genome)[None]))
    arrays = {}
    for i, layer in enumerate(bank.network.layers):
        arrays[f"{layer.name}.bias"] = bank.network.biases[i].astype(np.float32)
        if weights[i] == len(bank.weight_options):
            arrays[f"{layer.name}.full"] = bank.network.weights[i]
            continue
        told = coded.of_layer(bank, i, int(weights[i]))
        arrays[f"{layer.name}.scale"] = np.broadcast_to(told.scale, (layer.shape[-1],)).astype(np.float32)
        arrays[f"{layer.name}.codes{told.bits}"] = pack(told.codes, told.bits)
    return arrays


def pack(codes: np.ndarray, bits: int) -> np.ndarray:
    """Signed codes of so many bits -> bytes, one after the other, the lowest bit first."""
    plain = (codes.reshape(-1, 1) & (2**bits - 1)).astype(np.uint8)
    return np.packbits(np.unpackbits(plain, axis=1, count=bits, bitorder="little"))


def unpack(packed: np.ndarray, shape: tuple[int, ...], bits: int) -> np.ndarray:
    """Undoes ``pack``."""
    each = np.unpackbits(packed, count=int(np.prod(shape)) * bits).reshape(-1, bits)
    codes = np.packbits(each, axis=1, bitorder="little")[:, 0].astype(np.int16)
    return np.where(codes >= 2 ** (bits - 1), codes - 2**bits, codes).astype(np.int8).reshape(shape)


def _params(layer: Any, like: Any, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """A layer's params as qwix wants them: its own wrapper around our codes and scales."""
    import jax.numpy as jnp

    bias = jnp.asarray(arrays[f"{layer.name}.bias"])
    if f"{layer.name}.full" in arrays:
        return {"kernel": jnp.asarray(arrays[f"{layer.name}.full"]), "bias": bias}
    name = next(name for name in arrays if name.startswith(f"{layer.name}.codes"))
    codes = unpack(arrays[name], layer.shape, int(name[-1]))
    wrapped = like["kernel"]
    held = wrapped.array
    scale = jnp.asarray(arrays[f"{layer.name}.scale"]).reshape(held.scale.shape)
    return {
        "kernel": wrapped.replace(array=held.replace(qvalue=jnp.asarray(codes).astype(held.qvalue.dtype), scale=scale)),
        "bias": bias,
    }
