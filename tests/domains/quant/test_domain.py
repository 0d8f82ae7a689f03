"""The domain of quantization configs on the network of digits, its figures, and its table of true evaluations."""

from pathlib import Path

import numpy as np
import pytest

from domains.quant import figures, options, texts
from domains.quant.domain import Quant
from domains.quant.evaluations import Evaluations
from domains.quant.networks import data, registry
from qd import keys
from qd.config import plugins

DIGITS = Quant("digits", "bits", images=200, corrupted=60)
KEYS = keys.split(keys.new(0), 6)


def test_figures_of_known_predictions() -> None:
    labels = np.array([0, 0, 1, 1])
    sure = np.log(np.array([[[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.9, 0.1]]]))
    full = np.array([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    told = figures.classifier(sure, full, labels)
    assert told["accuracy"] == 75 and told["worst_class"] == 50 and told["flips"] == 25
    assert told["calibration"] == pytest.approx(15)  # all say 90 %, and 75 % are right
    assert np.isnan(figures.accuracy(np.full((1, 4, 2), np.nan), labels))[0]
    vectors = np.array([[[1.0, 0], [0.8, 0.6], [0, 1]]])
    same = figures.encoder(vectors, vectors[0])
    assert same["accuracy"] == 100 and same["flips"] == 0
    turned = figures.encoder(vectors[:, :, ::-1], vectors[0])
    assert turned["accuracy"] == pytest.approx(100 * 0.96 / 3) and turned["worst_class"] == 0
    other = np.array([[[1.0, 0], [0.6, 0.8], [0, 1]]])  # the second is now nearer to the third
    assert figures.encoder(other, vectors[0])["flips"] == pytest.approx(100 / 3)


def test_samples_are_spread_over_size_and_evaluations_are_whole() -> None:
    configs = DIGITS.sample(keys.new(1), 200)
    assert configs.shape == (200, 14) and configs.dtype == np.int32 and len(DIGITS.space) == 14
    assert (configs >= 0).all() and (configs < np.array(DIGITS.space)).all()
    np.testing.assert_array_equal(configs, DIGITS.sample(keys.new(1), 200))
    size = DIGITS.cost(configs)["size"]
    assert np.histogram(size, 6, (DIGITS.cost(np.zeros((1, 14)))["size"][0], 5.5))[0].min() > 5
    said = DIGITS.evaluate(KEYS, configs[:6])
    assert said.objective.shape == (6,) and ((said.objective >= 0) & (said.objective <= 100)).all()
    owed = {"size", "bops", "latency", "worst_class", "calibration", "flips", "corruption", "cost", "speed"}
    assert set(said.features) == owed and set(DIGITS.keep) < owed
    none = np.zeros((1, 1, 2), np.float32)
    assert set(Quant("minilm").keep) == {*figures.encoder(none, none[0]), "size", "bops"} - {"accuracy"}
    assert (said.features["worst_class"] <= said.objective).all() and (said.features["flips"] >= 0).all()
    np.testing.assert_array_equal(said.features["cost"][:, 0], said.features["size"])
    again = DIGITS.evaluate(KEYS[:1], configs[5:6])
    assert again.objective[0] == said.objective[5]  # chunking changes nothing


def test_uniform_ends_of_cost() -> None:
    best, worst = DIGITS.bank.uniform(4, 4), DIGITS.bank.uniform(0, 0)
    told = DIGITS.cost(np.stack([best, worst]))
    np.testing.assert_allclose(told["bops"], [0, -4], atol=1e-6)  # 8 x 8 bits, and 2 x 2
    weights = sum(layer.parameters for layer in registry.form("digits").layers)
    assert told["size"][0] > weights / 1000 > told["size"][1] > weights / 4000
    said = DIGITS.evaluate(KEYS[:2], np.stack([best, worst]))
    assert said.objective[0] > 97 and said.objective[0] > said.objective[1] + 30 and said.features["flips"][0] < 2


def test_what_is_known_is_not_evaluated_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Quant("digits", "bits", images=200, table=str(tmp_path / "told" / "table.sqlite"))
    configs = kept.sample(keys.new(2), 5)
    configs[4] = configs[0]
    first = kept.evaluate(KEYS[:5], configs)
    np.testing.assert_array_equal(first.objective, Quant("digits", "bits", images=200).evaluate(KEYS[:5], configs).objective)
    monkeypatch.setattr(Quant, "_judge", lambda *_: pytest.fail("it was evaluated again"))
    second = kept.evaluate(KEYS[:5], configs[::-1])
    np.testing.assert_array_equal(second.objective, first.objective[::-1])
    np.testing.assert_array_equal(second.features["flips"], first.features["flips"][::-1])
    found, told = Evaluations(kept.table).all(kept.case)
    assert len(found) == len(told) == 4 and {tuple(row) for row in found} == {tuple(row) for row in configs}
    assert Evaluations(kept.table).find("another case", configs) == [None] * 5


def test_corruptions_and_splits() -> None:
    pixels = data.load("digits", "validation").pixels[:30]
    harder = data.corrupt(pixels)
    assert harder.shape == pixels.shape and harder.dtype == np.float32
    assert (np.abs(harder - pixels).max((1, 2, 3)) > 0.1).all()
    np.testing.assert_array_equal(harder, data.corrupt(pixels))
    three = [{x.tobytes() for x in data.load("digits", split).pixels} for split in data.SPLITS]
    assert not (three[0] & three[1] or three[0] & three[2] or three[1] & three[2])
    told = [data.sentences(split) for split in data.SPLITS]
    assert [len(set(each)) for each in told] == [64, 64, 256] and told[2] == data.sentences("test")
    subjects = [{" ".join(line.split(" ")[:2]) for line in each} for each in told]
    assert [len(each) for each in subjects] == [8, 8, 16] and len(set.union(*subjects)) == 32


def test_bad_settings_say_what_to_type() -> None:
    with pytest.raises(ValueError, match="unknown options 'all'"):
        _ = Quant(options="all").space
    with pytest.raises(ValueError, match="type images=300"):
        Quant("digits", "bits", images=1000).accuracies(np.zeros((1, 14), np.int32))
    with pytest.raises(ValueError, match="unknown split"):
        Quant("digits", "bits", split="dev").accuracies(np.zeros((1, 14), np.int32))
    cases = {Quant(*told).case for told in [("digits",), ("resnet14",), ("minilm",), ("digits", "every"), ("digits", "", 100)]}
    assert len(cases) == 5
    assert len(Quant().space) == 32 and all(option.name for several in options.SETS.values() for option in several[0])


def test_evaluations_of_other_sentences_are_not_taken_for_these(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, before = Quant("minilm"), Quant("minilm").case
    assert encoder.case == before != Quant("minilm", split="test").case
    monkeypatch.setattr(data, "sentences", lambda split: ["Another sentence."])
    assert encoder.case != before


def test_each_feature_has_a_title_with_its_unit_for_each_column():
    titles = plugins.axis_titles()["domains.quant.domain.Quant"]
    features = DIGITS.evaluate(KEYS[:2], DIGITS.sample(KEYS[0], 2)).features
    columns = {name: 1 if column.ndim == 1 else column.shape[1] for name, column in features.items()}
    assert columns.items() <= {name: len(words) for name, words in titles.items()}.items()
    assert set(texts.columns(True)) < set(titles)
