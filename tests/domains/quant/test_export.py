"""Costs, the latency table, and configs as files that onnxruntime and qwix run: what they give is what the bank gives."""

import json
from dataclasses import dataclass

import numpy as np
import pytest

from domains.quant import onnx_runtime
from domains.quant.cost import latency, latency_measure
from domains.quant.cost.costs import build_cost_tables
from domains.quant.domain import Quant
from domains.quant.export import artifact, codes, deploy, encoded, onnx_file, onnx_run, qwix_run, support, trace
from domains.quant.networks import data, registry
from domains.quant.networks.layers import Layer, Network
from domains.quant.quantize.bank import build
from domains.quant.quantize.quantizers import ActivationOption as A
from domains.quant.quantize.quantizers import WeightOption as W

OPTIONS = (
    W(8),
    W(4),
    W(3, symmetric=False),
    W(5, per="tensor"),
    W(4, "nf4"),
    W(3, "codebook"),
    W(4, "hadamard"),
    W(4, per="group"),
)
INPUTS = (A(8), A(4, "mse"), A(8, symmetric=True), A(6), A(32))


@pytest.fixture(scope="module")
def bank():
    """The small network, its options unlike those of any search."""
    made = Quant(network="digits", options="bits").bank.network
    return build(made, OPTIONS, INPUTS, data.load("digits", "train").pixels[:64])


@dataclass(frozen=True)
class Mlp:
    """Three products, with something between them that only qwix carries."""

    data: str = "digits"

    @property
    def layers(self) -> tuple[Layer, ...]:
        shapes = {"block0.up": (16, 32), "block0.down": (32, 16), "out": (16, 10)}
        return tuple(Layer(name, "dense", shape, shape[:1], shape[0] * shape[1]) for name, shape in shapes.items())

    def __call__(self, apply, x):
        import jax

        return apply(2, x + apply(1, jax.nn.gelu(apply(0, x))))


@pytest.fixture(scope="module")
def mlp():
    rng, form = np.random.default_rng(0), Mlp()
    weights, biases = (tuple(rng.normal(size=s).astype(np.float32) / 4 for s in shapes) for shapes in
                       ([layer.shape for layer in form.layers], [layer.shape[-1:] for layer in form.layers]))  # fmt: skip
    return build(Network("mlp", form, weights, biases), OPTIONS, INPUTS, rng.normal(size=(64, 16)).astype(np.float32))


class Of:
    """A domain as far as an exporter looks at it."""

    def __init__(self, bank):
        self.bank = bank

    def cost(self, solutions):
        told = build_cost_tables(self.bank, latency.LatencyTable("none", {})).of(*self.bank.split(solutions))
        return {name: np.nan_to_num(column) for name, column in told.items()}


def test_size_counts_codes_scales_zero_points_and_biases(bank):
    made = build_cost_tables(bank, latency.LatencyTable("none", {}))
    layer = bank.network.layers[0]  # 3 x 3 x 1 x 8
    assert made.size[0, 0] == 72 * 8 + 8 * 16 + 8 * 32  # one scale a channel
    assert made.size[0, 2] == 72 * 3 + 8 * (16 + 3) + 8 * 32  # and a zero point of as many bits
    assert made.size[0, 3] == 72 * 5 + 16 + 8 * 32
    assert made.size[0, -1] == (72 + 8) * 32
    assert made.bops[0, 1, 1] == layer.macs * 4 * 4 and made.bops[0, -1, -1] == layer.macs * 32 * 32
    told = made.of(*bank.split(np.stack([bank.uniform(0, 0), bank.full()])))
    np.testing.assert_allclose(told["size"], [made.size[:, 0].sum() / 8000, made.size[:, -1].sum() / 8000])
    assert told["bops"][0] == made.bops_reference and np.isnan(told["latency"]).all()


def test_each_kernel_has_its_own_time(bank):
    ops = [latency.op(layer) for layer in bank.network.layers]
    table = latency.LatencyTable("toy", {op.name: {"fp32": 4.0, "rounded": 5.0, "int8": 1.0, "uint8": 2.0} for op in ops})
    made, n = build_cost_tables(bank, table), len(ops)
    expected = [2, 1, 2, 1, 5, 5, 5, 5]  # codes with a scale a channel run in integers: unsigned ones of 8 bits and asymmetric
    np.testing.assert_array_equal(made.latency[0, :-1, 0], expected)
    assert (made.latency[:, :, -2:] == 4).all()  # inputs as they are, and full precision
    assert made.of(*bank.split(bank.uniform(1, 0)[None]))["latency"] == n


def test_latency_is_measured_once_and_kept(tmp_path, monkeypatch):
    for package in ("onnx", "onnxruntime"):
        pytest.importorskip(package, reason="wants the extra onnx")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(latency_measure, "SECONDS", 0.01)
    ops = [latency.Op("conv", (3, 3, 8, 8), (6, 6, 8)), latency.Op("dense", (32, 10), (32,))]
    table = latency_measure.table(ops)
    assert set(table.microseconds[ops[1].name]) == {"fp32", "int8", "uint8", "rounded", "int4"} and table.of(ops[0], "int8") > 0
    assert np.isnan(table.of(ops[0], "int4"))
    monkeypatch.setattr(latency_measure, "measure", None)  # a second measurement would call it
    kept = latency.cache_file(latency.machine())
    earlier = json.loads(kept.read_text())
    earlier["us"][ops[0].name].pop("uint8")  # a table of an earlier version
    kept.write_text(json.dumps(earlier))
    monkeypatch.setattr(latency_measure, "measure", lambda op: {"int8": 1.0, "uint8": 2.0})
    complete = latency_measure.table(ops)
    assert complete.of(ops[0], "uint8") == 2 and complete.of(ops[1], "uint8") == earlier["us"][ops[1].name]["uint8"]
    assert latency_measure.table(ops[:1]).machine == latency.machine() and kept.is_file()
    kept.write_text(kept.read_text().replace('"fp32": ', '"fp32": -'))
    with pytest.raises(ValueError, match="a time is a finite number, not below 0"):
        latency_measure.table(ops)
    kept.write_text("{")
    with pytest.raises(ValueError, match="cannot be read"):
        latency_measure.table(ops)


def test_without_onnxruntime_the_shipped_table_serves_and_says_so(monkeypatch):
    monkeypatch.setattr(onnx_runtime, "missing_packages", lambda: ["onnxruntime"])
    ops = [latency.op(layer) for layer in registry.form("resnet14").layers]
    with pytest.warns(UserWarning, match=r"that of another machine .*pip install 'qd-atlas\[onnx\]'"):
        table = latency_measure.table(ops)
    assert all(table.of(op, precision) > 0 for op in ops for precision in ("int8", "uint8"))


def test_codes_are_the_banks_values(bank):
    for option in (0, 1, 2, 3):
        told = codes.in_integers(bank, 2, option)
        np.testing.assert_allclose((told.codes - told.zero) * told.scale, bank.weights[2][option], rtol=1e-4, atol=1e-6)
        low, high = (1 - 2 ** (told.bits - 1), 2 ** (told.bits - 1) - 1) if told.signed else (0, 2**told.bits - 1)
        assert low <= told.codes.min() and told.codes.max() <= high
    for option in (4, 5):
        told = codes.in_table(bank, 2, option)
        values = told.table[told.indices] * (1 if told.scale is None else told.scale)
        np.testing.assert_allclose(values, bank.weights[2][option], rtol=2e-5, atol=1e-6)
        assert len(told.table) <= 2**told.bits
    for bits in range(2, 9):
        each = np.resize(np.arange(-(2 ** (bits - 1)), 2 ** (bits - 1)), (16, 17))
        packed = qwix_run.pack(each, bits)
        assert packed.nbytes == 34 * bits
        np.testing.assert_array_equal(qwix_run.unpack(packed, (16, 17), bits), each)


def test_the_support_matrix(bank, mlp):
    assert support.matrix(bank, "ort-cpu")[0, :, 0].tolist() == [True] * 7 + [False]
    assert not support.matrix(bank, "qwix-cpu")[0].any() and support.matrix(bank, "qwix-cpu")[-1, :2, 0].all()
    assert support.matrix(mlp, "qwix-cpu")[0, 0].tolist() == [True, True, True, False, True]
    genomes = np.stack([bank.uniform(0, 0), bank.uniform(7, 0), bank.full()])
    assert support.targets(bank, genomes) == ["ort-cpu", "none", "none"]
    assert support.targets(mlp, mlp.uniform(1, 4)[None]) == ["qwix-cpu"]
    assert support.targets(mlp, np.stack([mlp.uniform(0, 0), mlp.uniform(7, 0)])) == ["qwix-cpu", "none"]


def test_a_layer_that_cannot_be_carried_is_named_with_its_reason(bank, mlp, tmp_path):
    genome = bank.uniform(0, 0)
    genome[3] = 7
    with pytest.raises(ValueError, match=r"cell 5 cannot be carried to ort-cpu: stage2.block0.conv1: int4 .* no codes"):
        onnx_run.export(Of(bank), [1], [5], genome[None], tmp_path)
    with pytest.raises(ValueError, match=r"stem: qwix convolves only .* type --format onnx"):
        qwix_run.export(Of(bank), [1], [5], bank.uniform(0, 0)[None], tmp_path)
    with pytest.raises(ValueError, match="computes '.*', which the ONNX exporter does not carry"):
        trace.steps(mlp.network)
    assert not list(tmp_path.iterdir())


EVERY = np.concatenate([[0, 1, 2, 3, 4, 5, 0], [0, 0, 2, 0, 0, 3, 0]])  # every option that can be carried


def test_onnx_gives_what_the_bank_gives(bank, tmp_path, monkeypatch):
    for package in ("onnx", "onnxruntime"):
        pytest.importorskip(package, reason="wants the extra onnx")
    monkeypatch.setattr(deploy, "_SECONDS", 0.05)
    monkeypatch.setattr(onnx_run, "_WANTED", 100.1)  # more than integer kernels reach: the file computes in full precision
    (report,) = onnx_run.export(Of(bank), [9], [17], EVERY[None], tmp_path, lambda line: None)
    assert report["deployable"] and report["agreement"] >= deploy.AGREEMENT and report["images"] == 300
    assert report["difference"] > 0 and abs(report["test_accuracy_file"] - report["test_accuracy_bank"]) < 1
    file = tmp_path / "onnx-cell-17/model.onnx"
    assert (
        report["size_file_KB"] == file.stat().st_size / 1000 and report["size_weights_KB"] < 1.6 * report["size_predicted_KB"]
    )
    assert json.loads((tmp_path / "onnx-cell-17/report.json").read_text())["kernels"].startswith("full precision")
    assert report["latency_measured_us"] > 0


def test_integer_kernels_give_nearly_what_the_bank_gives(bank):
    for package in ("onnx", "onnxruntime"):
        pytest.importorskip(package, reason="wants the extra onnx")
    shown = data.load("digits", "test").pixels
    config = encoded.encode(bank, EVERY)
    ours, ranges = bank.logits(EVERY[None], shown)[0], onnx_run.result_ranges(config)
    assert [bank.network.layers[i].name for i in ranges] == [
        "stem", "stage1.block0.conv2", "stage2.block0.conv2", "stage2.block0.shortcut"
    ]  # fmt: skip
    for outputs in ({}, ranges):
        theirs = onnx_run.runner(onnx_file.write(config, outputs))(shown)
        assert artifact.agree(bank.network, theirs, ours) >= 98 and np.abs(theirs - ours).mean() < 0.03 * np.abs(ours).max()


def test_what_disagrees_carries_no_mark(bank):
    made = artifact.Artifact({}, lambda images: np.roll(bank.logits(bank.uniform(0, 0)[None], images)[0], 1, axis=1), 0, {})
    report = deploy.check(Of(bank), bank.uniform(0, 0), made)
    assert (
        not report["deployable"]
        and report["agreement"] < 50
        and "NOT deployable" in deploy.line(report | {"cell": 1, "format": "onnx"})
    )
    with pytest.raises(ValueError, match=r"gave \[300, 3\] for 300 images"):
        deploy.check(Of(bank), bank.uniform(0, 0), made._replace(run=lambda images: np.zeros((len(images), 3))))


def test_qwix_gives_what_the_bank_gives(mlp):
    pytest.importorskip("qwix", reason="wants the extra qwix")
    x = np.random.default_rng(1).normal(size=(200, 16)).astype(np.float32)
    genome = np.array([0, 1, 3, 0, 2, 0])
    made = qwix_run.make(Of(mlp), genome)
    theirs, ours = made.run(x), mlp.logits(genome[None], x)[0]
    assert artifact.agree(mlp.network, theirs, ours) >= deploy.AGREEMENT and np.abs(theirs - ours).max() < 0.1
    rules = json.loads(made.files["rules.json"])["rules"]
    assert [rule["weight_qtype"] for rule in rules] == ["int8", "int4", "int5"] and rules[0]["module_path"] == "block0_up$"
    assert made.weights_bytes == 16 * 32 + 32 * 16 // 2 + 16 * 10 * 5 // 8 + 2 * 4 * (32 + 16 + 10)


def test_qwix_gives_the_same_where_inputs_stay_as_they_are(mlp):
    pytest.importorskip("qwix", reason="wants the extra qwix")
    x = np.random.default_rng(1).normal(size=(200, 16)).astype(np.float32)
    genome = np.array([0, 1, 3, 4, 4, 4])
    np.testing.assert_array_equal(mlp.scales[:, 4], mlp.scales[:, 5])  # as of full precision
    made = qwix_run.make(Of(mlp), genome)
    np.testing.assert_allclose(made.run(x), mlp.logits(genome[None], x)[0], rtol=1e-5, atol=1e-6)
    assert all(rule.keys() == {"module_path", "weight_qtype"} for rule in json.loads(made.files["rules.json"])["rules"])


def test_the_figure_shows_elites_files_and_the_solvers_points():
    from experiments.quant.map import ConfigPoints, figure

    n = np.arange(6.0)
    elites, solver = ConfigPoints(n + 10, 40 - n, 80 + n, n > 3), ConfigPoints(n[:3] + 9, 41 - n[:3], 79 + n[:3], n[:3] > 9)
    axes, _ = figure(elites, solver).axes
    assert [len(drawn.get_offsets()) for drawn in axes.collections] == [6, 3, 2]
    assert "KB" in axes.get_xlabel() and "latency" in axes.get_ylabel() and len(axes.get_legend().get_texts()) == 3
