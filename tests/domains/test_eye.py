"""A trained eye beside torchvision's own forward pass, and what looks by it; files of torch without torch."""

import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import jax
import numpy as np
import pytest
from sklearn.datasets import load_sample_image

from domains.images import Pictures, eye, torch_file
from domains.images.digits import Digits
from domains.images.eye import Eye
from domains.images.innovation import Innovation
from feedback.judges.similarity.embedding import NearerFeature
from qd import keys
from qd.types import Rows
from tests.support.choices import want_weights

REFERENCE = Path(__file__).parents[1] / "data" / "eye_reference.npz"


def chinese_palace() -> np.ndarray:
    """The middle of a free picture that scikit-learn ships, 224 x 224: every second pixel but a few."""
    image = np.asarray(load_sample_image("china.jpg"), np.float32) / 255
    return image[: 2 * 212 : 2, 106 : 106 + 2 * 212 : 2]


def pictures() -> np.ndarray:
    """Twenty of 64 x 64: a free picture in nine parts, drawn ones, and noise."""
    image = np.asarray(load_sample_image("flower.jpg"), np.float32) / 255
    parts = [image[y : y + 128 : 2, x : x + 128 : 2] for y in (0, 128, 256) for x in (100, 250, 400)]
    drawn = np.asarray(Pictures().draw(Pictures().sample(keys.new(0), 9), 64))
    return np.concatenate([np.stack(parts), drawn, keys.uniform(keys.new(1), (2, 64, 64, 3))])


@pytest.fixture(scope="module")
def program():
    want_weights("eye")
    return jax.jit(lambda image: (Eye()(image), Eye("classes")(image)))


@pytest.mark.ci
def test_it_sees_what_torchvision_sees(program):
    """The reference was written by tests/data/eye_reference.py, with torchvision of Debian."""
    reference = np.load(REFERENCE, allow_pickle=False)
    features, classes = (np.asarray(part) for part in program(pictures()))
    assert features.shape == (20, 1280) and classes.shape == (20, 1000)
    np.testing.assert_allclose(features, reference["features"], atol=1e-4)
    np.testing.assert_allclose(classes, reference["classes"], atol=1e-4)
    np.testing.assert_array_equal(classes.argmax(axis=1), reference["classes"].argmax(axis=1))


def test_it_names_a_free_picture():
    want_weights("eye")
    eye.class_names.cache_clear()  # another test may have asked where no names are
    top = np.asarray(Eye("classes", 212)(chinese_palace()[None]))[0].argsort()[::-1][:2]
    assert [eye.class_names()[i] for i in top] == ["palace (698)", "monastery (663)"]


@pytest.mark.ci
def test_views_are_features_and_a_judge_reads_them():
    want_weights("eye")
    domain = Pictures(side=16, views={"eye": Eye(numbers=8)})
    x = domain.sample(keys.new(0), 6)
    seen = domain.evaluate(None, x).features["eye"]
    assert seen.shape == (6, 8) and hash(domain) == hash(pickle.loads(pickle.dumps(domain)))
    digits = Digits(steps=1, views={"eye": Eye(numbers=8)}).evaluate(None, np.zeros((2, 8), np.float32))
    assert digits.features["eye"].shape == (2, 8)
    rows = Rows(np.arange(3), x[:3], np.zeros(3), {"eye": np.array([[1, 0], [2, 0.1], [0, 1]])}, np.ones(3, bool))
    one = lambda i: jax.tree.map(lambda column: column[[i]], rows)
    assert NearerFeature("eye")(one(0), one(1), one(2)).tolist() == [1]
    assert NearerFeature("eye")(one(0), one(2), one(1)).tolist() == [-1]
    with pytest.raises(ValueError, match=r"keep=\[view\]"):
        NearerFeature("view")(one(0), one(1), one(2))


@pytest.mark.ci
def test_innovation_is_the_probability_of_the_likeliest_class():
    want_weights("eye")
    domain = Innovation(side=32)
    evaluation = domain.evaluate(None, domain.sample(keys.new(0), 5))
    table = np.asarray(evaluation.features["classes"])
    np.testing.assert_allclose(table.sum(axis=1), 100, rtol=1e-4)
    np.testing.assert_array_equal(evaluation.features["kind"][:, 0], table.argmax(axis=1))
    np.testing.assert_allclose(evaluation.objective, table.max(axis=1))
    assert len(domain.categories[0]) == len(set(domain.categories[0])) == 1000


def test_without_weights_one_types_what_brings_them(monkeypatch, tmp_path):
    monkeypatch.setattr(eye, "cache_path", lambda *names: tmp_path.joinpath(*names))
    eye.weights.cache_clear()
    with pytest.raises(ValueError, match="type qd fetch eye"):
        Eye()(np.zeros((1, 32, 32, 3)))
    (tmp_path / "weights" / "eye").mkdir(parents=True)
    (tmp_path / "weights" / "eye" / eye.FILE).write_bytes(b"other")
    with pytest.raises(ValueError, match="checksum"):
        Eye()(np.zeros((1, 32, 32, 3)))
    with pytest.raises(ValueError, match="type side=64"):
        Eye(side=8)


class _Named:
    """Pickles as a name of torch."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class _Pickler(pickle._Pickler):
    dispatch = dict(pickle._Pickler.dispatch)  # noqa: RUF012

    def persistent_id(self, obj):
        return obj.pid if isinstance(obj, _Storage) else None

    def save_named(self, obj):
        self.write(f"c{obj.module}\n{obj.name}\n".encode())

    dispatch[_Named] = save_named


class _Storage:
    def __init__(self, key: str, size: int) -> None:
        self.pid = ("storage", _Named("torch", "FloatStorage"), key, "cpu", size)


class _Tensor:
    def __init__(self, storage: _Storage, offset: int, shape: tuple, strides: tuple) -> None:
        self.of = (storage, offset, shape, strides, False, OrderedDict())


def save_tensor(pickler: _Pickler, tensor: _Tensor) -> None:
    pickler.save(_Named("torch._utils", "_rebuild_tensor_v2"))
    pickler.save(tensor.of)
    pickler.write(pickle.REDUCE)


_Pickler.dispatch[_Tensor] = save_tensor


def pickled(value) -> bytes:
    file = io.BytesIO()
    _Pickler(file, 2).dump(value)
    return file.getvalue()


def zipped(tensors: dict, numbers: np.ndarray) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("model/data.pkl", pickled(OrderedDict(tensors)))
        archive.writestr("model/data/0", np.asarray(numbers, "<f4").tobytes())
    return file.getvalue()


def test_a_file_of_torch_is_read_without_torch():
    storage = _Storage("0", 6)
    data = zipped({"w": _Tensor(storage, 0, (2, 2), (2, 1)), "b": _Tensor(storage, 4, (2,), (1,))}, np.arange(6))
    tensors = torch_file.parse(data, "file")
    np.testing.assert_array_equal(tensors["w"], [[0, 1], [2, 3]])
    np.testing.assert_array_equal(tensors["b"], [4, 5])


@pytest.mark.parametrize("offset", [5, 40])
def test_a_tensor_beyond_its_numbers_is_refused(offset):
    data = zipped({"w": _Tensor(_Storage("0", 6), offset, (2, 2), (2, 1))}, np.arange(6))
    with pytest.raises(ValueError, match="no file of named tensors"):
        torch_file.parse(data, "file")


@pytest.mark.parametrize("module", ["os", "builtins", "torch.nn", "collections"])
def test_any_other_name_is_refused(module):
    with pytest.raises(ValueError, match="no file of named tensors"):
        torch_file.parse(zipped({"w": _Named(module, "system")}, np.arange(6)), "file")
