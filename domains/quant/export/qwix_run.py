"""Exports configs as rules of qwix with their codes: a flax network, its products in integers, by the bank's numbers.

rules.json says for each layer which types its weights and inputs have and the fixed range of its inputs; weights.npz
holds codes (of b bits each, without gaps), scales and biases. qwix' own calibration is not used: its grids are others.
"""

import importlib.util
import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from domains.quant.export import deploy
from domains.quant.export.artifact import Artifact
from domains.quant.export.codes import Codes
from domains.quant.export.encoded import EncodedConfig, encode
from domains.quant.networks.layers import Layer, Network
from domains.quant.quantize.quantizers import ActivationOption
from qd.support.errors import UserError

INSTALL = "pip install 'qd-atlas[qwix]'"


def make(domain: Any, genome: np.ndarray) -> Artifact:
    """Returns rules and weights of a config; what is run is read back from them.

    Args:
        domain: gives the bank.
        genome: the config, [2L].

    Returns:
        rules.json and weights.npz, and how they are run; no fallback.

    Raises:
        UserError: qwix is not installed, or the codes of a layer cannot be recovered.
    """
    if importlib.util.find_spec("qwix") is None:
        raise UserError("qwix rules are written and run by qwix, not installed", f"type {INSTALL}")
    config = encode(domain.bank, genome)
    rules, arrays = _rules(config), _arrays(config)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    files = {"rules.json": (json.dumps(rules, indent=1) + "\n").encode(), "weights.npz": buffer.getvalue()}
    weights_bytes = sum(array.nbytes for array in arrays.values())
    settings = {"kernels": "qwix on XLA, cpu; predicted latency is onnxruntime's"}
    return Artifact(files, runner(config.bank.network, files), weights_bytes, settings)


def runner(network: Network, files: dict[str, bytes]) -> Callable[[np.ndarray], np.ndarray]:
    """Opens what was written: inputs [N, ...] -> outputs [N, C], compiled once for each N.

    Args:
        network: gives the forward pass.
        files: rules.json and weights.npz by name.

    Returns:
        A function from inputs [N, ...] to outputs [N, C].
    """
    import jax
    import qwix  # pyright: ignore[reportMissingImports]

    plan = json.loads(files["rules.json"])
    rules = [qwix.QuantizationRule(**rule) for rule in plan["rules"]]
    with np.load(io.BytesIO(files["weights.npz"]), allow_pickle=False) as code_bytes:
        arrays = {name: code_bytes[name] for name in code_bytes.files}
    model = _module(network)
    quantized_model = qwix.quantize_model(model, qwix.PtqProvider(rules))
    example = np.zeros((1, *plan["input"]), np.float32)
    shapes = jax.eval_shape(lambda x: quantized_model.init(jax.random.key(0), x), example)["params"]
    params = {path(layer): _params(layer, shapes[path(layer)], arrays) for layer in network.layers}
    apply = jax.jit(lambda params, x: quantized_model.apply({"params": params}, x))
    return lambda x: np.asarray(apply(params, np.asarray(x, np.float32)))


def path(layer: Layer) -> str:
    """A layer's name as flax has it."""
    return layer.name.replace(".", "_")


def _module(network: Network) -> Any:
    """The network's own forward pass over flax layers."""
    from flax import linen as nn  # pyright: ignore[reportMissingImports]  # of the extra qwix

    class Module(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            return network.forward(lambda i, x: nn.Dense(network.layers[i].shape[-1], name=path(network.layers[i]))(x), x)

    return Module()


def _rules(config: EncodedConfig) -> dict[str, Any]:
    bank, rules = config.bank, []
    for i, (layer, weight, index) in enumerate(zip(bank.network.layers, config.weights, config.activations, strict=True)):
        option, rule = bank.activation_option(index), {}
        if weight is None or option is None:  # both or neither, by support.refusal
            continue
        if not option.full:
            rule = {"act_qtype": f"int{option.bits}", "act_calibration_method": _fixed_range(option, bank.scales[i, index])}
        rules.append({"module_path": f"{path(layer)}$", "weight_qtype": f"int{weight.bits}"} | rule)
    return {"network": bank.network.name, "input": _input_shape(bank.network), "rules": rules}


def _fixed_range(option: ActivationOption, scales: np.ndarray) -> str:
    """The range of a layer's inputs as qwix reads it."""
    scale, zero, levels = scales.tolist()
    half = (2 ** (option.bits - 1) - 0.5) * scale  # qwix' bound of a symmetric type
    low, high = (-half, half) if option.symmetric else (-zero * scale, (levels - zero) * scale)
    return f"fixed,{low!r},{high!r}"


def _input_shape(network: Network) -> list[int]:
    form = network.forward
    return [form.tokens, form.width] if form.data == "sentences" else list(network.layers[0].inputs)


def _arrays(config: EncodedConfig) -> dict[str, np.ndarray]:
    network, arrays = config.bank.network, {}
    for i, (layer, weight) in enumerate(zip(network.layers, config.weights, strict=True)):
        arrays[f"{layer.name}.bias"] = network.biases[i].astype(np.float32)
        if weight is None:
            arrays[f"{layer.name}.full"] = network.weights[i]
            continue
        assert isinstance(weight, Codes)  # support.refusal lets no table pass
        arrays[f"{layer.name}.scale"] = np.broadcast_to(weight.scale, (layer.shape[-1],)).astype(np.float32)
        arrays[f"{layer.name}.codes{weight.bits}"] = pack(weight.codes, weight.bits)
    return arrays


def pack(codes: np.ndarray, bits: int) -> np.ndarray:
    """Packs signed codes of a few bits into bytes without gaps, the lowest bit of each code first.

    Args:
        codes: whole numbers of any shape, each in -2^(bits - 1) .. 2^(bits - 1) - 1.
        bits: of one code, up to 8.

    Returns:
        uint8 [bytes], rounded up to a whole byte.
    """
    plain = (codes.reshape(-1, 1) & (2**bits - 1)).astype(np.uint8)
    return np.packbits(np.unpackbits(plain, axis=1, count=bits, bitorder="little"))


def unpack(code_bytes: np.ndarray, shape: tuple[int, ...], bits: int) -> np.ndarray:
    """Undoes ``pack``.

    Args:
        code_bytes: uint8 [bytes].
        shape: of the codes.
        bits: of one code, up to 8.

    Returns:
        int8 codes of that shape.
    """
    each = np.unpackbits(code_bytes, count=int(np.prod(shape)) * bits).reshape(-1, bits)
    codes = np.packbits(each, axis=1, bitorder="little")[:, 0].astype(np.int16)
    return np.where(codes >= 2 ** (bits - 1), codes - 2**bits, codes).astype(np.int8).reshape(shape)


def _params(layer: Layer, like: Any, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """A layer's params as qwix wants them: its own wrapper around our codes and scales."""
    import jax.numpy as jnp

    bias = jnp.asarray(arrays[f"{layer.name}.bias"])
    if f"{layer.name}.full" in arrays:
        return {"kernel": jnp.asarray(arrays[f"{layer.name}.full"]), "bias": bias}
    name = next(name for name in arrays if name.startswith(f"{layer.name}.codes"))
    codes = unpack(arrays[name], layer.shape, int(name[-1]))
    wrapper = like["kernel"]
    array = wrapper.array
    scale = jnp.asarray(arrays[f"{layer.name}.scale"]).reshape(array.scale.shape)
    return {
        "kernel": wrapper.replace(array=array.replace(qvalue=jnp.asarray(codes).astype(array.qvalue.dtype), scale=scale)),
        "bias": bias,
    }


export = deploy.Exporter(make, "qwix-cpu")
