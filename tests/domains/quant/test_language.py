"""The language model: its form, pieces, weights' file, figures of text, and the ways to quantize that papers propose for it."""

from pathlib import Path

import numpy as np
import pytest

from domains.quant import texts
from domains.quant.domain import Quant
from domains.quant.networks import language, text
from domains.quant.networks.language import Language, Stored
from domains.quant.quantize import bank, inputs, published, salience, turns
from domains.quant.quantize.published import Hints
from domains.quant.quantize.quantizers import ActivationOption as A
from domains.quant.quantize.quantizers import WeightOption as W
from tests.support.small_language import FORM, random_network, random_text

RANDOM = np.random.default_rng(0)
WEIGHTS = (W(2), W(4), W(8), W(4, "mixed"), W(4, "smooth"), W(4, "hadamard"))
INPUTS = (A(8), A(4, per="token"), A(4, per="token", turn="hadamard"), A(4, turn="smooth"), A(8, symmetric=True, per="token"))


@pytest.fixture(scope="module")
def rest() -> Stored:
    return random_text()


@pytest.fixture
def small(rest, monkeypatch):
    """A bank of a random network, and excerpts of random text."""
    monkeypatch.setattr(language, "stored", lambda: rest)
    texts.excerpts_of.cache_clear()
    yield made(rest)
    texts.excerpts_of.cache_clear()


_made = []


def made(rest: Stored) -> bank.Bank:
    if not _made:
        windows = rest.windows["train"][:4, :65]
        x = rest.embedding[windows[:, :-1]]
        _made.append(bank.build(random_network(FORM), WEIGHTS, INPUTS, x, windows[:, 1:]))
    return _made[0]


def test_pieces_are_lossless_and_learn_what_is_frequent(rest):
    assert len(rest.pieces.pieces) == 260 and set(rest.pieces.pieces[:256]) == {bytes([b]) for b in range(256)}
    assert b"the" in rest.pieces.pieces or b" the" in rest.pieces.pieces
    sentence = "Grüße, the cat".encode()
    tokens = rest.pieces.encode(sentence)
    assert rest.pieces.decode(tokens) == sentence.decode() and len(tokens) < len(sentence)
    assert rest.pieces.lengths[tokens].sum() == len(sentence)


def test_windows_share_ends_and_documents_take_turns():
    rows, documents = text.windows([np.arange(25), np.arange(100, 112)], 5)
    assert rows.shape == (6, 6) and sorted(documents[:4].tolist()) == [0, 0, 1, 1] and (np.diff(rows) == 1).all()
    assert sorted(rows[documents == 0, 0].tolist()) == [0, 5, 10, 15] and set(rows[documents == 1, 0]) == {100, 105}


def test_each_token_depends_on_earlier_ones_alone(small, rest):
    windows = rest.windows["test"][:12, :64].copy()
    before = small.logits(small.full(), language.embed(windows))[0].reshape(12, 64, -1)
    windows[0, 40:] = 7
    after = small.logits(small.full(), language.embed(windows))[0].reshape(12, 64, -1)
    np.testing.assert_allclose(before[:, :40], after[:, :40], atol=1e-5)
    assert np.abs(before[0, 41:] - after[0, 41:]).max() > 0.1


def test_planted_outliers_change_nothing_but_ranges():
    form = Language(blocks=1, width=16, heads=2, tokens=8, pieces=260, outliers=30.0)
    plain = random_network(Language(blocks=1, width=16, heads=2, tokens=8, pieces=260))
    factors = form.scale()
    assert (factors == 30).sum() == 3
    weights = [w / factors[:, None] if form.after_norm(i) else w for i, w in enumerate(plain.weights)]
    planted = type(plain)("planted", form, tuple(weights), plain.biases)
    x = RANDOM.normal(size=(2, 8, 16)).astype(np.float32)
    np.testing.assert_allclose(np.asarray(planted(x)), np.asarray(plain(x)), atol=2e-4)


def test_figures_of_full_precision_and_of_few_bits(small, rest):
    columns = texts.judge(small, np.stack([small.full(), small.uniform(2, 0), small.uniform(0, 1)]), "test", 12, wrong=12)
    assert set(columns) == {"accuracy", *texts.columns(True), "corruption"} and {len(x) for x in columns.values()} == {3}
    assert columns["accuracy"][0] == 100 and columns["flips"][0] == 0 and columns["greedy"][0] == 100
    assert columns["flips"][1] < columns["flips"][2] and columns["greedy"][2] < 100
    assert columns["worst_document"][2] <= columns["accuracy"][2]
    bits = texts.bits(
        small.logits(small.full(), texts.excerpts_of("test", 12).inputs)[0], texts.excerpts_of("test", 12).targets
    )
    assert columns["bits_per_byte"][0] == pytest.approx(bits.sum() / texts.excerpts_of("test", 12).lengths.sum(), rel=1e-5)


@pytest.mark.ci
def test_greedy_text_is_compared_exactly(small, rest):
    full, config = texts.probe(small).tokens[: texts.TOGETHER], small.uniform(0, 1)
    own = texts.write(small, config, full[:, : texts.PROMPT], texts.NEW + 1)
    same = np.cumprod(own == full, 1)[:, texts.PROMPT : -1].mean()
    assert texts.judge(small, config[None], "test", 12)["greedy"][0] == pytest.approx(100 * same)
    assert "quantized: " in str(texts.draw(small, config[None])[0].data)


def test_keys_and_values_are_rounded_by_token_and_head():
    stored = RANDOM.normal(size=(1, 2, 5, 8)).astype(np.float32)
    row = inputs.cache_row(W(4), stored, "keys")
    rounded = np.asarray(inputs.fake_store(stored, row))
    span = np.maximum(stored.max(-1), 0) - np.minimum(stored.min(-1), 0)
    assert (np.abs(rounded - stored).max(-1) <= span / 15 * 0.51 + 1e-6).all()
    assert all(len(np.unique(head)) <= 16 for head in rounded.reshape(-1, 8))
    np.testing.assert_array_equal(inputs.fake_store(stored, inputs.cache_row(None, stored, "keys")), stored)
    smooth = inputs.cache_row(W(4, "smooth"), stored, "keys")[2:].reshape(2, 8)
    np.testing.assert_array_equal(smooth[:, :4], smooth[:, 4:])  # numbers that rotary places turn together
    assert (inputs.cache_row(W(4, "smooth"), stored, "values")[2:] == 1).all()


def test_rotation_and_smoothing_help_inputs_with_outliers():
    x, weight = RANDOM.normal(size=(64, 32)), RANDOM.normal(size=(32, 8)).astype(np.float32)
    x[:, 3] *= 40
    x = x.astype(np.float32)
    factors = {"smooth": turns.smooth(x, weight)}
    error = {}
    for turn in ("", "hadamard", "smooth"):
        option = A(4, turn=turn)
        scale = option.fit(turns.turn(x, turn, factors)).astype(np.float32)
        rounded = np.asarray(inputs.turned(x, scale, inputs.turns((option,), factors), 0))
        error[turn] = ((rounded - x) @ weight).std()
    assert error["hadamard"] < 0.8 * error[""] and error["smooth"] < 0.9 * error[""]


def test_published_ways_store_what_they_say():
    weight = RANDOM.normal(size=(64, 6))
    hints = Hints(gram=np.eye(64), channels=np.arange(6) == 2)
    values = {name: store(weight, 4, hints) for name, store in published.FORMATS.items() if name != "sign"}
    error = {name: np.abs(x - weight).max(0) for name, (x, _) in values.items()}
    assert error["mixed"][2] < 0.2 * error["mixed"].max()
    assert ((values["groups"][0].reshape(4, 16, 6) == 0).all(1)).sum() == 12  # half of 24 groups
    eight, four = published.nested(weight, 8, hints)[0], published.nested(weight, 4, hints)[0]
    assert np.abs(eight - weight).max() < 0.02 * np.abs(weight).max() and np.abs(four - eight).max() > 0.03
    assert values["two_level"][1] == 64 * 6 * 4 + 6 * 16 + 2 * 6 * 12  # codes, scales of channels, steps and zeros of groups
    with pytest.raises(ValueError, match="need a loss"):
        published.mixed(weight, 4, Hints())
    with pytest.raises(ValueError, match="build the bank with calibration images"):
        W(4, "smooth").quantize(weight.astype(np.float32))


def test_salient_channels_are_a_tenth_of_all(small, rest):
    masks = salience.channels(small.network, rest.embedding[rest.windows["train"][:2, :64]], rest.windows["train"][:2, 1:65])
    assert [len(mask) for mask in masks] == [layer.biases for layer in FORM.layers]
    assert np.concatenate(masks).mean() == pytest.approx(published.SALIENT, abs=0.01)
    with pytest.raises(ValueError, match="there are no targets"):
        salience.channels(small.network, np.zeros((1, 64, 16)), None)


def test_bad_input_says_what_to_type(small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ValueError, match="type images=48"):
        texts.judge(small, small.full()[None], "test", 49)
    with pytest.raises(ValueError, match="type clip='minmax'"):
        A(4, "mse", per="token")
    monkeypatch.undo()
    language._arrays.cache_clear()
    monkeypatch.setattr(language, "WEIGHTS", tmp_path / "language.npz")
    with pytest.raises(ValueError, match="is not there.*train_language"):
        language.load.__wrapped__()
    (tmp_path / "language.npz").write_bytes(b"x")
    with pytest.raises(ValueError, match="has the checksum .* and not .*changed or cut off"):
        language.load.__wrapped__()
    language._arrays.cache_clear()
    monkeypatch.setenv("QUANT_TEXT", str(tmp_path))
    with pytest.raises(ValueError, match="type pip download"):
        text.documents()
    (tmp_path / text.FILE).write_bytes(b"x")
    with pytest.raises(ValueError, match="delete it and type pip download"):
        text.documents()


def test_other_tables_of_damage_are_refused(small):
    from domains.quant.networks.data import Images
    from domains.quant.predict.sensitivity import tables

    with pytest.raises(ValueError, match="type domain.proxy=kl or loss or flips"):
        tables("fisher", small, Images(np.zeros((1, 64, 16)), np.zeros((1, 64), int)))


def test_the_map_holds_all_that_options_can_cost():
    (least, most), (fewest, last) = Quant("language", "language_bits").bounds
    layers = FORM.layers
    assert [layer.scales for layer in layers if layer.is_cached] == [2 * 64] * 2  # heads x tokens
    assert 270 < least < 310 and 1090 < most < 1110 and (fewest, last) == (-4, 0)


@pytest.mark.ci
def test_the_trained_network_as_a_domain():
    domain = Quant("language", "language_bits", images=4)
    own = domain.bank
    evaluation = domain.evaluate(np.zeros((2, 2)), np.stack([own.uniform(4, 4), own.uniform(1, 2)]))
    assert 100.5 > evaluation.objective[0] > 95 > evaluation.objective[1] and set(domain.keep) < set(evaluation.features)
    assert evaluation.features["bits_per_byte"][0] < 2 and domain.render is not None and Quant("digits").render is None


@pytest.mark.ci
@pytest.mark.parametrize("bits", [4, 8])
def test_a_file_gives_what_the_bank_gives(bits, tmp_path, monkeypatch, capsys):
    pytest.importorskip("onnx", reason="wants the extra onnx")
    from domains.quant.export import deploy, onnx_run

    monkeypatch.setattr(deploy, "_CHECKED", 4)
    monkeypatch.setattr(deploy, "_SECONDS", 0.01)
    domain = Quant("language", "language_bits", images=4)
    config = domain.bank.uniform(f"int{bits} sym channel mse", "int8 asym token minmax")
    (report,) = onnx_run.export(domain, [5], [7], config[None], tmp_path)
    assert report["deployable"] and report["agreement"] > 90, report
    assert report["bits_per_byte_file"] == pytest.approx(report["bits_per_byte_bank"], abs=deploy.BITS)
    assert {path.name for path in (tmp_path / "onnx-cell-7").iterdir()} == {"model.onnx", "pieces.json", "report.json"}
    assert (report["size_file_KB"] < 1300) == (bits == 4)
    with pytest.raises(ValueError, match="block0.query: int4 sym group .* has no codes"):
        other = Quant("language", "language_bits").bank
        deploy.refuse(build_with(other, W(4, per="group")), np.zeros(66, np.int32), "ort-cpu", 1)


def build_with(like: bank.Bank, option: W) -> bank.Bank:
    """The same bank, with another name for its first option."""
    from dataclasses import replace

    return replace(like, weight_options=(option, *like.weight_options[1:]))
