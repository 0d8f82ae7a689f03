"""Generators of one's own: functions, ONNX files, endpoints, diffusion models; pictures kept by content; terrains."""

import sys
import types

import numpy as np
import pytest

from domains import terrains
from domains.generator import Generator, store
from domains.generator.diffusion import Diffusion, _pipeline
from domains.generator.endpoint import Endpoint
from domains.generator.onnx_file import OnnxGenerator
from feedback.lm.client import LM
from feedback.lm.transport import retries
from qd import keys
from qd.types import Spent
from tests.support.endpoint import serving
from tests.support.painted import Painted, PaintedPrompts

WORDS = (("drawing", "photo"), ("cat", "boat", "tree"), ("red", "blue"))


class Counting:
    """Painted pictures, and how many were made."""

    latents, options = 6, ()

    def __init__(self, fingerprint: str = "") -> None:
        self.fingerprint, self.made = fingerprint, []

    def __call__(self, latents):
        self.made.append(len(latents))
        return Painted()(latents)


def test_pictures_are_made_once_in_chunks_and_what_fails_has_failed():
    source = Counting()
    domain = Generator(source, chunk=4, views={"red": lambda image: image[..., :1].mean(axis=(1, 2))})
    x = domain.sample(keys.new(0), 10)
    x[7], x[3, 0] = x[0], 9.0
    evaluation = domain.evaluate(None, x)
    assert source.made == [4, 4, 1]  # the eighth is the first again
    assert np.isnan(evaluation.objective[3]) and np.isfinite(np.delete(evaluation.objective, 3)).all()
    assert evaluation.features["tone"].shape == (10, 2) and evaluation.features["thumbnail"].shape == (10, 192)
    np.testing.assert_array_equal(evaluation.features["red"][0], evaluation.features["red"][7])
    assert [picture.data[:4] for picture in domain.render(x)] == [b"\x89PNG"] * 10 and source.made == [4, 4, 1]


def test_scores_that_float32_cannot_tell_apart_stay_apart():
    """20,000,000 and 20,000,001 are one number in float32, and the first to come would keep the cell."""
    score = lambda image: 20_000_000.0 + np.arange(len(image))
    found = Generator(Counting(), score=score).evaluate(None, Generator(Counting()).sample(keys.new(0), 2))
    assert found.objective.tolist() == [20_000_000.0, 20_000_001.0]


def test_a_generator_with_a_fingerprint_keeps_pictures_for_the_next_run(monkeypatch, tmp_path):
    monkeypatch.setattr(store, "cache_path", lambda *names: tmp_path.joinpath(*names))
    x, first, again, other = Generator(Counting()).sample(keys.new(0), 3), Counting("a"), Counting("a"), Counting("b")
    one, two, _ = (Generator(source).evaluate(None, x) for source in (first, again, other))
    assert (first.made, again.made, other.made) == ([3], [], [3])
    np.testing.assert_array_equal(one.objective, two.objective)


def test_what_a_generator_must_be_is_said():
    with pytest.raises(ValueError, match="type domain.chunk"):
        Generator(Painted())
    with pytest.raises(ValueError, match="generate returned pictures"):
        Generator(lambda latents: np.zeros((1, 4)), latents=2).evaluate(None, np.zeros((3, 2)))


def test_prompts_are_made_of_words():
    with pytest.raises(ValueError, match="1 places"):
        Endpoint(PaintedPrompts(), WORDS, "a {}")
    domain = Generator(Endpoint(PaintedPrompts(), WORDS, "a {} of a {} {}", side=8))
    x = domain.sample(keys.new(0), 40)
    assert domain.space == (2, 3, 2) and x.max(axis=0).tolist() == [1, 2, 1]
    assert domain.draw(x).shape == (40, 8, 8, 3)
    nothing = Endpoint(lambda prompts: [b"no picture"] * len(prompts), WORDS, "a {} of a {} {}")
    assert np.isnan(nothing(x[:2])).all()


def test_an_endpoint_that_fails_loses_nothing_and_bills_nothing_twice(monkeypatch, tmp_path):
    """Every fifth call fails; each picture arrives, is paid for once, and is not asked for again by a later run."""
    monkeypatch.setattr(retries, "_FIRST", 0.002)
    monkeypatch.setattr(retries, "_LONGEST", 0.01)
    x = np.stack(np.meshgrid(*(np.arange(len(words)) for words in WORDS), indexing="ij"), -1).reshape(-1, 3)
    settings = {"cache": str(tmp_path / "answers.sqlite"), "price": {"in": 1.0, "out": 10.0}}
    with serving(lambda n, body: "500" if n % 5 == 0 else "") as server:
        client = LM(model="dall-e-2", base_url=server.url, **settings)
        domain = Generator(Endpoint(client.images, WORDS, "a {} of a {} {}", side=8))
        evaluation = domain.evaluate(None, np.concatenate([x, x]))
        assert np.isfinite(evaluation.objective).all() and server.faults["500"] >= 2
        prompts = [body["prompt"] for body in server.replied]
        assert sorted(prompts) == sorted({f"a {a} of a {b} {c}" for a in WORDS[0] for b in WORDS[1] for c in WORDS[2]})
        (row,) = client.report()
        paid = sum(len(prompt) * 1.0 + 100 * 10.0 for prompt in prompts) / 1e6
        failed = server.faults["500"]
        assert row["calls"] == 12 + failed and row["money"] >= paid * 0.999
        client.close()
        later = LM(model="dall-e-2", base_url=server.url, **settings)
        before = len(server.requests)
        again = Generator(Endpoint(later.images, WORDS, "a {} of a {} {}", side=8)).evaluate(None, x)
        np.testing.assert_array_equal(again.objective, evaluation.objective[:12])
        assert len(server.requests) == before and later.report()[0]["money"] == 0
        later.close()


def test_a_budget_ends_pictures_and_a_body_without_one_fails(monkeypatch):
    monkeypatch.setattr(retries, "_FIRST", 0.002)
    with serving(lambda n, body: "null" if "boat" in body["prompt"] else "") as server:
        client = LM(model="m", base_url=server.url, budget={"calls": 3})
        assert client.images(["a boat", "a cat"])[0] is None
        with pytest.raises(Spent):
            client.images(["1", "2", "3"])
        client.close()


def test_a_diffusion_model_gets_the_latents(monkeypatch):
    """A stand-in for diffusers and torch: what is passed is what the packages take."""
    seen = {}

    class Pipeline:
        dtype = np.float32

        @classmethod
        def from_pretrained(cls, model, **settings):
            seen.update(model=model, **settings)
            return cls()

        def to(self, device):
            return self

        def set_progress_bar_config(self, **settings):
            pass

        def __call__(self, prompts, latents, **settings):
            seen.update(prompts=prompts, shape=latents.array.shape, **settings)
            return types.SimpleNamespace(images=np.zeros((len(prompts), 8, 8, 3)))

    class Tensor:
        def __init__(self, array):
            self.array = array

        def to(self, *_):
            return self

    monkeypatch.setitem(sys.modules, "diffusers", types.SimpleNamespace(DiffusionPipeline=Pipeline))
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(from_numpy=Tensor))
    _pipeline.cache_clear()
    image = Diffusion("folder", "a fox", shape=(4, 2, 2), device="cpu")(np.zeros((3, 16)))
    _pipeline.cache_clear()
    assert image.shape == (3, 8, 8, 3) and seen["shape"] == (3, 4, 2, 2) and seen["prompts"] == ["a fox"] * 3
    assert seen["use_safetensors"] and seen["output_type"] == "np"


def test_an_onnx_file_maps_noise_to_pictures(tmp_path):
    onnx = pytest.importorskip("onnx", reason="needs the extra 'onnx'")
    pytest.importorskip("onnxruntime", reason="needs the extra 'onnx'")
    from onnx import TensorProto, helper

    noise = helper.make_tensor_value_info("noise", TensorProto.FLOAT, [1, 1, 4, 4])
    level = helper.make_tensor_value_info("level", TensorProto.FLOAT, [1])
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 1, 4, 4])
    graph = helper.make_graph([helper.make_node("Add", ["noise", "level"], ["out"])], "g", [noise, level], [out])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "g.onnx")
    source = OnnxGenerator(str(tmp_path / "g.onnx"), (1, 4, 4), subspace=5, others={"level": 1.0}, low=-4, high=6)
    z = keys.normal(keys.new(0), (200, 5))
    image = source(z)
    assert image.shape == (200, 4, 4)
    pixels = image * 10 - 5  # the noise again
    assert abs(pixels.mean()) < 0.2 and pixels.std() == pytest.approx(1, abs=0.1)
    np.testing.assert_allclose(source(3 * z), image, atol=1e-6)  # only the direction counts
    with pytest.raises(ValueError, match="has the inputs noise, level"):
        OnnxGenerator(str(tmp_path / "g.onnx"), (1, 4, 4), others={"sigma": 1.0})(np.zeros((1, 32)))
    with pytest.raises(ValueError, match="type qd fetch terrains"):
        OnnxGenerator("terrains/none.onnx", (1, 4, 4))(np.zeros((1, 32)))


def test_slopes_roughness_and_walks_of_known_terrains():
    ramp = np.tile(np.linspace(0, 0.5, 32, dtype=np.float32), (32, 1))
    wall = np.zeros((32, 32), np.float32)
    wall[:, 16] = 0.9
    flat = np.zeros((32, 32), np.float32)
    slope, rough = terrains.Relief()(np.stack([flat, ramp, wall])).T
    heights = terrains.metres(ramp)
    assert slope[0] == rough[0] == 0 and rough[2] > rough[1] > 0
    assert slope[1] == pytest.approx(np.gradient(heights[0], 0.1).mean(), rel=1e-4)
    walk = terrains.Walk(side=32)(np.stack([flat, wall]))
    assert walk[0] == 62 and 31 < walk[1] < 62  # from corner to corner; and on one side of the wall
    assert terrains.Sunlit()(np.stack([ramp])).shape == (1, 32, 32, 3)
