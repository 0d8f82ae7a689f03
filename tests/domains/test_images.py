"""Pictures, digits, and any text-to-image model: what is drawn, what is seen, what is refused."""

import zlib

import jax.numpy as jnp
import numpy as np
import pytest

from domains.images import Pictures, looks, png
from domains.images.adapter import TextToImage
from domains.images.digits import Digits
from feedback.descriptors.select import Select
from qd import keys, programs
from qd.archives import Grid
from qd.emitters.vary import Gaussian, Vary
from qd.search import start, step
from qd.types import Search

SMALL = Pictures(side=16)
PLACE = np.stack(np.meshgrid(np.linspace(-1, 1, 32), np.linspace(-1, 1, 32), indexing="xy"), -1)


def grey(pattern: np.ndarray) -> np.ndarray:
    return np.repeat(pattern[..., None], 3, -1).astype(np.float32)


def decoded(data: bytes) -> np.ndarray:
    """Reads back a png as our encoder writes it: one IDAT, no filters."""
    at, chunks = 8, {}
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        assert int.from_bytes(data[at + 8 + size : at + 12 + size], "big") == zlib.crc32(kind + body)
        chunks[kind], at = body, at + 12 + size
    width, height = (int.from_bytes(chunks[b"IHDR"][i : i + 4], "big") for i in (0, 4))
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, -1)
    assert (rows[:, 0] == 0).all()
    return rows[:, 1:].reshape(height, width, -1)


def test_a_png_comes_back():
    image = np.random.default_rng(0).uniform(-0.1, 1.1, (5, 7, 3))
    image[0, 0, 0] = np.nan
    back = decoded(png.encode(image))
    np.testing.assert_array_equal(back, np.round(np.clip(np.nan_to_num(image), 0, 1) * 255))
    assert decoded(png.encode(image[..., 1])).shape == (5, 7, 1)
    with pytest.raises(ValueError, match="a picture is"):
        png.encode(np.zeros((3, 4, 5, 3)))


@pytest.mark.ci
def test_pictures_differ_and_are_the_same_at_every_size():
    x = SMALL.sample(keys.new(0), 20)
    said = programs.evaluate(SMALL, ("view", "look"), keys.new(1), x)
    assert x.shape == (20, 372) and said.objective.min() >= 0 and said.objective.max() <= 100
    look = said.features["look"]
    assert look.shape == (20, 2) and look.min() >= 0 and look.max() <= 1 and (np.ptp(look, axis=0) > 0.1).all()
    assert np.isfinite(said.features["view"]).all() and np.ptp(said.objective) > 5
    small, large = np.asarray(SMALL.draw(x[:2], 16)), np.asarray(SMALL.draw(x[:2], 48))
    np.testing.assert_allclose(large[:, 1::3, 1::3], small, atol=1e-4)  # the middle of three pixels is the pixel
    shown = SMALL.render(x[:2])
    assert decoded(shown[0].data).shape == (128, 128, 3) and shown[0].kind == "png" and shown[0].data != shown[1].data


@pytest.mark.ci
def test_the_hidden_look_is_what_it_says():
    x, y = PLACE[..., 0], PLACE[..., 1]
    mirror, turned = np.cos(np.pi * x) / 2 + 0.5, np.sin(np.pi * x) / 2 + 0.5
    patterns = [grey(p) for p in (mirror, turned, np.cos(6 * np.pi * x) / 2 + 0.5, (x + y) / 4 + 0.5)]
    fine, symmetric = np.asarray(looks.look(jnp.stack(patterns))).T
    assert symmetric[0] > 0.95 and symmetric[1] < 0.05 and 0.3 < symmetric[3] < 0.7
    assert fine[2] > 2 * fine[0] and fine.min() >= 0 and fine.max() <= 1
    blank = looks.look(jnp.zeros((1, 32, 32, 3)))
    assert np.isfinite(blank).all() and np.isfinite(looks.view(jnp.zeros((1, 32, 32, 3)))).all()


@pytest.mark.ci
def test_contrast_is_the_objective():
    flat = SMALL.evaluate(keys.new(0), np.zeros((1, SMALL.genes), np.float32)).objective
    loud = SMALL.evaluate(keys.new(0), 3 * SMALL.sample(keys.new(0), 20)).objective
    assert flat[0] < 1e-3 and loud.mean() > 30


def test_pictures_of_wrong_genes_and_settings_are_named():
    with pytest.raises(ValueError, match="width=12 takes 372"):
        SMALL.evaluate(keys.new(0), np.zeros((2, 9)))
    for settings in ({"side": 4}, {"width": 6}):
        with pytest.raises(ValueError, match="type "):
            Pictures(**settings)


@pytest.mark.ci
def test_digits_look_like_digits():
    digits = Digits(steps=400)
    x = digits.sample(keys.new(0), 60)
    said = programs.evaluate(digits, ("pixels", "look"), keys.new(1), x)
    pixels, look = said.features["pixels"], said.features["look"]
    assert pixels.shape == (60, 64) and pixels.min() >= 0 and pixels.max() <= 1
    noise = np.abs(np.random.default_rng(0).normal(size=(60, 8)) * 20).astype(np.float32)
    assert said.objective.mean() > 40 and said.objective.mean() > digits.evaluate(None, noise).objective.mean() + 5
    assert (np.ptp(look, axis=0) > 0.2).all() and look.min() >= 0 and look.max() <= 1
    assert np.corrcoef(look[:, 0], pixels.mean(1))[0, 1] > 0.9
    assert decoded(digits.render(x[:1])[0].data).shape == (96, 96, 1)


def stub(latents: np.ndarray) -> np.ndarray:
    """A model: a latent's mean is the red of its picture, and beyond 2 it breaks."""
    red = latents.reshape(len(latents), -1).mean(1)
    image = np.zeros((len(latents), 6, 6, 3), np.float32)
    image[..., 0] = np.where(np.abs(red) > 2, np.nan, red)[:, None, None] / 4 + 0.5
    return image


def embedded(image: np.ndarray) -> np.ndarray:
    return image.mean((1, 2))


def score(image: np.ndarray) -> np.ndarray:
    return 100 * image[..., 0].mean((1, 2))


def test_any_model_is_a_domain_and_what_breaks_has_failed():
    model = TextToImage(stub, embedded, score, shape=(2, 3), views=(("middle", lambda image: image[:, 3, 3, :2]),), chunk=4)
    x = model.sample(keys.new(0), 10)
    x[3] = 9.0
    said = model.evaluate(keys.new(1), x)
    assert np.isnan(said.objective[3]) and np.isfinite(np.delete(said.objective, 3)).all()
    assert said.features["embedding"].shape == (10, 3) and said.features["middle"].shape == (10, 2)
    search = Search(model, Select("middle", ((0, 1), (0, 1))), Grid((8, 8)), Vary(Gaussian(0.3), 10))
    state, first = start(search, keys.new(0), x)
    state, batch = step(search, state)
    assert first.status[3] == -1 and state.evaluations == 20 and len(batch.ids) == 10
    assert decoded(model.render(x[:1])[0].data).shape == (6, 6, 3)
    with pytest.raises(ValueError, match="generate returned pictures"):
        TextToImage(lambda latents: np.zeros((1, 6, 6)), embedded, score, shape=(6,)).evaluate(keys.new(0), x)
