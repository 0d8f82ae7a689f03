"""Judges that compare vectors of texts: axes between anchors, axes taught by labels, answers to triplets."""

import hashlib
import json
import struct

import numpy as np
import pytest

from experiments.judges.texts import AXES
from feedback.judges import CANT_TELL, A, B, encoders
from feedback.judges.calibration import auc
from feedback.judges.encoders import MiniLM, Static
from feedback.judges.grading.embedding import Anchors, LabelledAxis
from feedback.judges.similarity.embedding import Nearer
from feedback.lm.local import weights
from qd.types import Rows

HERE = weights.home()  # the user's; tests themselves have another


def words(texts):
    """Unit vectors that count words: as plain as an embedding can be."""
    table = np.zeros((len(texts), 64), np.float32)
    for i, text in enumerate(texts):
        for word in text.lower().split():
            table[i, hashlib.md5(word.encode()).digest()[0] % 64] += 1
    return table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-12)


def rows(texts, **features):
    return Rows(np.arange(len(texts)), np.array(texts, object), np.zeros(len(texts)), features, np.ones(len(texts), bool))


def test_a_text_is_nearer_to_the_description_that_it_resembles():
    judge = Anchors(words, ("dark night", "cold grave"), ("warm kiss",))
    p = judge(["a dark cold night", "a warm kiss", "", "numbers only"])
    assert p[0] < 0.5 < p[1] and np.isnan(p[2]) and ((p[:2] > 0) & (p[:2] < 1)).all()
    swapped = Anchors(words, ("warm kiss",), ("dark night", "cold grave"))(["a dark cold night", "a warm kiss"])
    assert np.allclose(swapped, 1 - p[:2], atol=1e-6)
    with pytest.raises(ValueError, match="at each end"):
        Anchors(words, (), ("warm",))


def test_a_few_labels_teach_an_axis():
    texts = ("dark night fear", "night of fear", "warm kiss love", "love and kiss")
    judge = LabelledAxis(words, texts, (0, 0, 1, 1))
    p = judge(["fear at night", "a kiss for love", ""])
    assert p[0] < 0.5 < p[1] and np.isnan(p[2])
    assert np.allclose(LabelledAxis(words, texts[::-1], (1, 1, 0, 0))(["fear at night"]), p[:1], atol=1e-6)
    with pytest.raises(ValueError, match="label each text 0 or 1"):
        LabelledAxis(words, texts, (1, 1, 1, 1))


def test_triplets_are_answered_over_texts_or_descriptions():
    x, a, b = rows(["dark night"] * 2), rows(["dark wood", "sun"]), rows(["sun", "dark wood"])
    assert Nearer(words)(x, a, b).tolist() == [A, B]
    assert Nearer(words, unsure=2.0)(x, a, b).tolist() == [CANT_TELL] * 2
    assert Nearer(words)(x, a, a).tolist() == [CANT_TELL] * 2
    told = [rows([0.0], said=np.array([text], object)) for text in ("red car", "red cart car", "blue")]
    assert Nearer(words, feature="said")(*told).tolist() == [A]
    assert Nearer(words, feature="said").keep == ("said",) and Nearer(words).keep == ()
    with pytest.raises(ValueError, match=r"keep=\[seen\]"):
        Nearer(words, feature="seen")(*told)
    with pytest.raises(ValueError, match="float"):
        Nearer(words)(*told)


def test_a_table_of_vectors_is_read_from_safetensors(tmp_path):
    table = np.arange(12, dtype=np.float16).reshape(4, 3)
    head = json.dumps({"__metadata__": {}, "m": {"dtype": "F16", "shape": [4, 3], "data_offsets": [0, 24]}}).encode()
    (tmp_path / "t").write_bytes(struct.pack("<Q", len(head)) + head + table.tobytes())
    assert np.array_equal(encoders._matrix(tmp_path / "t"), table.astype(np.float32))


def test_missing_weights_are_named_with_the_line_to_type(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    encoders._loaded_minilm.cache_clear()
    with pytest.raises(ValueError, match=r"need onnxruntime and tokenizers, not installed here; type pip install"):
        MiniLM()([])
    pytest.importorskip("onnxruntime", reason="needs pip install 'qd-atlas[embeddings]'")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(ValueError, match="type qd fetch minilm"):
        MiniLM()(["a text"])


@pytest.mark.parametrize(("embed", "name", "least"), [(MiniLM(), "minilm", 0.9), (Static(), "wordllama", 0.6)])
def test_the_real_vectors_tell_horror_from_romance(embed, name, least, monkeypatch):
    pytest.importorskip("onnxruntime", reason="needs pip install 'qd-atlas[embeddings]'")
    pytest.importorskip("tokenizers", reason="needs pip install 'qd-atlas[embeddings]'")
    if not (HERE / name).is_dir():
        pytest.skip(f"the weights are not there: qd fetch {name}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(HERE.parents[1]))
    axis = AXES["genre"]
    texts, truth = axis.read("genre")
    vectors = embed(texts)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5) and vectors.dtype == np.float32
    assert np.array_equal(vectors[3:5], embed(texts[3:5]))  # a text has one vector, whatever stands beside it
    assert auc(Anchors(embed, *axis.anchors)(texts), np.array(truth)) > least
    assert np.isnan(Anchors(embed, *axis.anchors)(["", "\ud800 half a pair"])).tolist() == [True, False]
