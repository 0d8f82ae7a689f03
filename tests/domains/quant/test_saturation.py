"""Exported integer kernels give the same on processors with and without VNNI: no pair of their products leaves 16 bits.

K products of an output channel.
"""

import json
import platform

import numpy as np
import pytest

from domains.quant import onnx_runtime
from domains.quant.cost import latency
from domains.quant.domain import Quant
from domains.quant.export import codes, deploy, encoded, onnx_file, onnx_run
from domains.quant.networks import data
from domains.quant.quantize.bank import build
from domains.quant.quantize.quantizers import ActivationOption as A
from domains.quant.quantize.quantizers import WeightOption as W
from qd.support.provenance import Processor

OPTIONS = (W(8), W(8, per="tensor"), W(6), W(5), W(4), W(3, "round"), W(2, clip="mse"), W(2, symmetric=False), W(2, "codebook"))
LOW, HIGH = -(2**15), 2**15 - 1


@pytest.fixture(scope="module")
def bank():
    made = Quant(network="digits", options="bits").bank.network
    return build(made, OPTIONS, (A(8),), data.load("digits", "train").pixels[:64])


def saturating(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """What pmaddubsw and the sums after it give for uint8 [N, K] by int8 [K, out], K even: [N, out]."""
    pairs = x.astype(int)[:, 0::2, None] * w.astype(int)[0::2] + x.astype(int)[:, 1::2, None] * w.astype(int)[1::2]
    return pairs.clip(LOW, HIGH).sum(1)


def kernel_weights(file: bytes, folder, guard: bool = False) -> list[np.ndarray]:
    """The weights that onnxruntime's integer kernels multiply, [K, out] of each, read from the graph as it runs.

    With ``guard`` onnxruntime makes those unsigned that could saturate.
    """
    onnx, onnxruntime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime", reason="wants the extra onnx")
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.optimized_model_filepath = 3, str(folder / "as_run.onnx")
    if guard:
        options.add_session_config_entry("session.x64quantprecision", "1")
    onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    graph = onnx.load(folder / "as_run.onnx").graph
    constants = {constant.name: onnx.numpy_helper.to_array(constant) for constant in graph.initializer}
    weights = [constants[node.input[3]] for node in graph.node if node.op_type in ("QLinearConv", "QGemm")]
    return [w.reshape(len(w), -1).T if w.ndim == 4 else w for w in weights]


def file_of(bank, option: int) -> bytes:
    config = encoded.encode(bank, bank.uniform(option, 0))
    return onnx_file.write(config, onnx_run.result_ranges(config))


@pytest.mark.parametrize("option", range(len(OPTIONS) - 1))
def test_no_pair_of_products_saturates(bank, option, tmp_path):
    _wants_onnx()
    weights = kernel_weights(file_of(bank, option), tmp_path)
    assert len(weights) == len(bank.network.layers)  # all in integers
    rng = np.random.default_rng(0)
    for w in weights:
        assert w.dtype == (np.int8 if OPTIONS[option].kernel == "int8" else np.uint8)
        if w.dtype == np.uint8:
            continue  # kernels for uint8 weights add in 32 bits
        assert np.abs(w.astype(int)).max() <= 64
        w = np.pad(w, ((0, len(w) % 2), (0, 0)))
        largest = np.sort(w.astype(int), axis=0)
        assert 255 * largest[-2:].sum(0).max() <= HIGH and 255 * largest[:2].sum(0).min() >= LOW  # any two, however packed
        x = rng.choice([0, 255, 200], (32, len(w))).astype(np.uint8)
        np.testing.assert_array_equal(saturating(x, w), x.astype(int) @ w.astype(int))


def test_codes_of_eight_bits_would_saturate(bank):
    weight = codes.in_integers(bank, 2, 0)
    w = weight.codes.reshape(-1, weight.codes.shape[-1])
    x = np.full((1, len(w)), 255, np.uint8)
    assert (saturating(x, w) != x.astype(int) @ w).any()  # so the model of the instruction can fail
    unsigned = codes.for_kernel(weight)
    assert not unsigned.signed and (unsigned.zero == 128).all() and unsigned.codes.min() >= 0 and unsigned.codes.max() <= 255
    np.testing.assert_array_equal(unsigned.codes - unsigned.zero, weight.codes)
    assert (unsigned.widening, codes.for_kernel(codes.in_integers(bank, 2, 4)).widening) == (1, 8)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="onnxruntime guards x86 alone")
def test_onnxruntime_finds_no_weights_that_could_saturate(bank, tmp_path, monkeypatch):
    _wants_onnx()
    kinds = lambda file: {w.dtype for w in kernel_weights(file, tmp_path, guard=True)}
    assert kinds(file_of(bank, 4)) == kinds(file_of(bank, 2)) == {np.dtype(np.int8)}
    monkeypatch.setattr(codes, "SIGNED_BITS", 8)  # as files were: widened to 127
    assert kinds(file_of(bank, 4)) == {np.dtype(np.uint8)}


@pytest.mark.parametrize("option", (0, 4, 6))
def test_onnxruntimes_own_guard_against_saturation_changes_nothing(bank, option):
    onnxruntime = pytest.importorskip("onnxruntime", reason="wants the extra onnx")
    file, images = file_of(bank, option), data.load("digits", "test").pixels
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", "1")
    guarded = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    np.testing.assert_array_equal(guarded.run(["logits"], {"images": images})[0], onnx_run.runner(file)(images))


def test_weights_of_two_bits_are_stored_so_where_onnxruntime_runs_it(bank, monkeypatch):
    onnx = pytest.importorskip("onnx", reason="wants the extra onnx")
    images = data.load("digits", "test").pixels
    parameters = sum(layer.parameters for layer in bank.network.layers)
    if not onnx_runtime.runs_two_bits():
        pytest.skip("onnx or onnxruntime has no type of 2 bits")
    for option, name in ((6, "INT2"), (7, "UINT2"), (8, "UINT2")):
        small = file_of(bank, option)
        graph = onnx.load_from_string(small).graph
        kinds = [onnx.TensorProto.DataType.Name(constant.data_type) for constant in graph.initializer]
        assert kinds.count(name) == len(bank.network.layers)
        monkeypatch.setattr(onnx_runtime, "runs_two_bits", lambda: False)
        wide = file_of(bank, option)
        monkeypatch.undo()
        np.testing.assert_array_equal(onnx_run.runner(small)(images), onnx_run.runner(wide)(images))
        assert abs(onnx_run.weights_bytes(wide) - onnx_run.weights_bytes(small) - parameters / 4) < len(bank.network.layers)
        assert onnx.load_from_string(wide).opset_import[0].version == onnx_runtime.OPSET


@pytest.mark.parametrize(
    ("flags", "expected"),
    [(("avx2", "avx512_vnni"), "avx512_vnni"), (("avx2", "avx_vnni"), "avx_vnni"), (("avx2",), "none"), ((), "unknown")],
)
def test_records_name_processor_and_instruction_set(bank, flags, expected, monkeypatch):
    described = lambda: Processor("some processor", frozenset(flags), "0" * 12)
    for module in (onnx_runtime, deploy, latency):
        monkeypatch.setattr(module, "processor", described)
    latency.machine.cache_clear()
    assert latency.machine().startswith(f"some processor ({' '.join(flags) or 'unknown'})")
    latency.machine.cache_clear()
    assert onnx_runtime.vnni() == expected


def test_the_report_of_an_export_tells_them(bank, tmp_path, monkeypatch):
    for package in ("onnx", "onnxruntime"):
        pytest.importorskip(package, reason="wants the extra onnx")
    monkeypatch.setattr(deploy, "_SECONDS", 0.01)
    lines: list[str] = []
    domain = Quant(network="digits", options="bits")
    (report,) = onnx_run.export(domain, [0], [3], domain.bank.uniform(2, 4)[None], tmp_path, lines.append)
    stored = json.loads((tmp_path / "onnx-cell-3/report.json").read_text())
    assert stored["processor"] == report["processor"] and stored["vnni"] == onnx_runtime.vnni() and report["deployable"]
    assert lines == [deploy.line(report)] and lines[0].endswith(f"VNNI: {onnx_runtime.vnni()}")


def _wants_onnx() -> None:
    for package in ("onnx", "onnxruntime"):
        pytest.importorskip(package, reason="wants the extra onnx")
