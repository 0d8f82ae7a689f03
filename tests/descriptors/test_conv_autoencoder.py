"""The convolutional autoencoder: its layers, what its code holds, what surprises it, what is refused."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from domains import scene
from feedback.descriptors import image_networks
from feedback.descriptors.conv_autoencoder import ConvAutoencoder
from feedback.descriptors.image_networks import Halving, PatchNetwork
from qd import keys
from qd.types import Rows

SIDE = 16
LEARNER = ConvAutoencoder(
    ("image",), code=6, network=PatchNetwork((2, 2), (8, 16), (64,)), steps=400, learning_rate=1e-2, batch=64, rows=400
)
SIGNALS = jax.jit(LEARNER.signals)


def images(n: int, seed: int, frames: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """A disc anywhere, before a wall."""
    at = np.random.default_rng(seed).uniform(0.15, 0.85, (n, frames, 2)).astype(np.float32)
    wall = scene.Stroke(np.array([[0.0, 0.5, 0.4, 0.5]], np.float32), 0.05, scene.WALL)
    disc = scene.Stroke(scene.dots(at[..., None, :]), 0.1, scene.TIP)
    return np.asarray(scene.Camera(side=SIDE).shoot([wall, disc], (0.0, 1.0))), at


def rows(n: int = 400, seed: int = 0, frames: int = 1) -> Rows:
    image, at = images(n, seed, frames)
    return Rows(np.arange(n), at.reshape(n, -1), np.zeros(n), {"image": image}, np.ones(n, bool))


def no_fresh(key, n):
    raise AssertionError("nothing fresh is needed")


@pytest.fixture(scope="module")
def trained():
    return LEARNER.init(keys.new(0), rows(), no_fresh)


@pytest.mark.ci
def test_patches_are_convolutions_whose_stride_is_their_size_and_pixels_come_back_in_order():
    network = PatchNetwork((2, 2), (5, 7), ())
    encoder, decoder = network.fresh(jax.random.key(0), 8, 3)
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)
    known = jnp.asarray(x)
    for weights, bias in encoder[:2]:
        kernel = jnp.asarray(weights).reshape(2, 2, known.shape[3], -1)
        numbers = ("NHWC", "HWIO", "NHWC")
        known = jax.nn.selu(jax.lax.conv_general_dilated(known, kernel, (2, 2), "VALID", dimension_numbers=numbers) + bias)
    weights, bias = encoder[2]
    np.testing.assert_allclose(network.encode(encoder, x), known.reshape(2, -1) @ weights + bias, atol=1e-4)
    assert network.decode(decoder, np.zeros((2, 3), np.float32)).shape == x.shape
    one_pixel = [((np.eye(12, dtype=np.float32)), np.zeros(12, np.float32))]  # 2 x 2 pixels of 3 colours, passed on as they are
    still = PatchNetwork((2,), (12,), ())
    np.testing.assert_array_equal(still.decode(tuple(one_pixel), np.asarray(still._sorted(x))), x)


def test_an_overlapping_layer_is_the_convolution_that_jax_knows_and_its_mirror_the_transpose():
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(2, 8, 8, 3)).astype(np.float32), rng.normal(size=(48, 5)).astype(np.float32)
    kernel = w.reshape(2, 2, 2, 2, 3, 5).transpose(0, 2, 1, 3, 4, 5).reshape(4, 4, 3, 5)
    numbers = ("NHWC", "HWIO", "NHWC")
    known = jax.lax.conv_general_dilated(
        jnp.asarray(x), jnp.asarray(kernel), (2, 2), ((1, 1), (1, 1)), dimension_numbers=numbers
    )
    halved = image_networks.halved(x, w)
    np.testing.assert_allclose(halved, known, atol=1e-4)
    y = rng.normal(size=halved.shape).astype(np.float32)
    assert float((halved * y).sum()) == pytest.approx(float((x * image_networks.doubled(y, w.T)).sum()), rel=1e-4)


@pytest.mark.ci
def test_the_published_network_has_the_published_size():
    encoder, decoder = Halving().fresh(jax.random.key(0), 64, 10)
    assert sum(leaf.size for leaf in jax.tree.leaves((encoder, decoder))) == 156_189
    x = jax.ShapeDtypeStruct((2, 64, 64, 3), np.float32)
    code = jax.eval_shape(Halving().encode, encoder, x)
    assert code.shape == (2, 10) and jax.eval_shape(Halving().decode, decoder, code).shape == x.shape


@pytest.mark.ci
def test_a_small_disc_is_seen_its_place_is_in_the_code(trained):
    image, at = images(200, seed=2)
    light = image / 255.0
    again = LEARNER.reconstructed(trained, image)
    assert again.shape == image.shape
    left = ((again - light) ** 2).sum() / ((light - light.mean(axis=0)) ** 2).sum()
    assert left < 0.5  # of what varies
    shown, seen = (np.asarray(LEARNER(trained, {"image": i})) for i in (rows().features["image"], image))
    nearest = np.argsort(((seen[:, None] - shown[None]) ** 2).sum(axis=2), axis=1)[:, :5]
    guessed = rows().solutions[nearest].mean(axis=1)
    assert 1 - ((guessed - at[:, 0]) ** 2).sum() / ((at[:, 0] - at[:, 0].mean(axis=0)) ** 2).sum() > 0.8
    assert np.abs(shown).max() == pytest.approx(1, abs=1e-4)


@pytest.mark.ci
def test_what_it_has_never_seen_surprises_it(trained):
    image, _ = images(60, seed=3)
    surprise = SIGNALS(trained, {"image": image})["surprise"]
    odd = SIGNALS(trained, {"image": np.roll(image, 1, axis=-1)})["surprise"]  # another colour
    assert surprise.shape == (60,) and np.median(odd) > 2 * np.median(surprise)


@pytest.mark.ci
def test_weights_are_kept_from_fit_to_fit_and_the_same_key_learns_the_same(trained):
    again = LEARNER.init(keys.new(0), rows(), no_fresh)
    jax.tree.map(np.testing.assert_array_equal, again, trained)
    still = replace(LEARNER, steps=0)
    kept, forgot = (
        learner.fit(keys.new(1), trained, rows(), no_fresh) for learner in (still, replace(still, from_scratch=True))
    )
    jax.tree.map(np.testing.assert_array_equal, kept.encoder, trained.encoder)
    assert not np.array_equal(forgot.encoder[0][0], trained.encoder[0][0])


@pytest.mark.ci
def test_codes_of_several_images_lie_end_to_end_and_their_surprises_add_up(trained):
    image, _ = images(50, seed=4, frames=3)
    several = replace(LEARNER, frames=3)
    assert len(several.bounds) == 18
    codes = np.asarray(LEARNER.network.encode(trained.encoder, (image[:, 2] / 255.0 - trained.middle) / trained.scale))
    wide = trained._replace(box=trained.box._replace(middle=np.zeros(18, np.float32), half=np.ones(18, np.float32)))
    np.testing.assert_allclose(np.asarray(several(wide, {"image": image}))[:, 12:], codes, atol=1e-4)
    each = [SIGNALS(trained, {"image": image[:, i : i + 1]})["surprise"] for i in range(3)]
    np.testing.assert_allclose(jax.jit(several.signals)(wide, {"image": image})["surprise"], sum(each), rtol=1e-4)
    assert replace(several, steps=0).init(keys.new(0), rows(30, frames=3), no_fresh).box.middle.shape == (18,)


def blank(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.uint8)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (blank(20, 1, 18, 18, 3), "images of 18 pixels cannot be cut into patches of 4; type domain.camera.side=16"),
        (blank(20, 16, 16, 3), "1 square image"),
        (blank(20, 5, 16, 16, 3), "type frames=5"),
        (blank(5, 1, 16, 16, 3), "5 solutions are too few to learn from: 8 are needed"),
        (blank(20, 1, 16, 16, 3), "is the same in all 20 solutions"),
    ],
)
def test_what_it_cannot_learn_from_is_named(image, message):
    n = len(image)
    given = Rows(np.arange(n), np.zeros((n, 1)), np.zeros(n), {"image": image}, np.ones(n, bool))
    with pytest.raises(ValueError) as caught:
        LEARNER.init(keys.new(0), given, no_fresh)
    assert message in str(caught.value)


@pytest.mark.ci
def test_fewer_images_than_a_batch_are_learned_from():
    few = replace(LEARNER, steps=3).init(keys.new(0), rows(20), no_fresh)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(few))


def test_wrong_settings_are_refused():
    with pytest.raises(ValueError, match="one feature of images"):
        ConvAutoencoder(("image", "trace"))
    with pytest.raises(ValueError, match="lift of 0 to 1"):
        ConvAutoencoder(("image",), lift=1.5)
    with pytest.raises(ValueError, match="must be as many"):
        PatchNetwork((4,), (16, 32))
    with pytest.raises(ValueError, match="are no layers"):
        Halving(())
