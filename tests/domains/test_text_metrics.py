"""Numbers of texts: equal to closed forms and to their definitions; what `qd export` says of an archive of texts."""

import gzip
import json
import math

import numpy as np
import pytest

from domains.text import metrics
from domains.text.columns import TextColumns
from qd.archives import objects
from qd.cli.main import main
from qd.store.archive_file import encode_header
from tests.support.endpoint import serving
from tests.support.stored import numbers, stored

FOX = "The quick brown fox jumps over the lazy dog"
TEXTS = [FOX + ".", "A slow green turtle never jumps.", "It's raining cats & dogs!", "Snow fell all night over the quiet town."]


def plainly_bleu(found: list[str], others: list[list[str]]) -> float:
    """BLEU-4 written down as it is defined, smoothing exp, effective order; 0 where nothing fits."""
    if not any(word in other for word in found for other in others):
        return 0.0
    score, smooth, orders = 0.0, 1.0, 0
    for n in range(1, 5):
        mine = [tuple(found[i : i + n]) for i in range(len(found) - n + 1)]
        if not mine:
            break
        theirs = [[tuple(other[i : i + n]) for i in range(len(other) - n + 1)] for other in others]
        right = sum(min(mine.count(gram), max(other.count(gram) for other in theirs)) for gram in set(mine))
        smooth = smooth if right else smooth * 2
        score, orders = score + math.log((right if right else 1 / smooth) / len(mine)), orders + 1
    closest = min((abs(len(other) - len(found)), len(other)) for other in others)[1]
    return 100 * min(1.0, math.exp(1 - closest / len(found))) * math.exp(score / orders)


def drawn(n: int, length: int, vocabulary: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(f"w{k}" for k in rng.integers(vocabulary, size=length)) for _ in range(n)]


def test_words_are_runs_of_letters():
    assert metrics.words("It's RAINING, cats_and dogs—größe 42!") == ["it's", "raining", "cats", "and", "dogs", "größe", "42"]
    assert metrics.words("<b>!</b> ... \x00") == ["b", "b"] and metrics.words("") == []


def test_distinct_and_entropy_have_their_closed_forms():
    assert metrics.distinct(["a b c d"], 1) == 1 and metrics.distinct(["a a a a"] * 3, 1) == pytest.approx(1 / 12)
    assert metrics.distinct(["a b a b"], 2) == pytest.approx(2 / 3) and math.isnan(metrics.distinct(["a"], 2))
    assert metrics.entropy(["a b", "c d"], 1) == pytest.approx(math.log(4)) and metrics.entropy(["a a a"], 2) == 0
    assert math.isnan(metrics.entropy([""], 1))


@pytest.mark.parametrize("length", [20, 200, 2000])
def test_ead_is_one_for_words_drawn_evenly_however_long_the_texts(length):
    texts = drawn(10, length, 500)
    assert metrics.ead(texts, 500) == pytest.approx(1, abs=0.06)
    assert metrics.ead(["a " * length] * 10, 500) < 0.02
    assert length < 2000 or metrics.distinct(texts, 1) < 0.03  # which falls with the length alone


def test_self_bleu_is_what_its_definition_says():
    texts = [*TEXTS, FOX, "fox fox fox", "turtle", "over the lazy dog jumps the quick brown fox", *drawn(20, 12, 15)]
    split = [metrics.words(text) for text in texts]
    expected = [plainly_bleu(found, split[:i] + split[i + 1 :]) for i, found in enumerate(split)]
    np.testing.assert_allclose(metrics.self_bleu(texts, most=1000), expected, rtol=1e-9, atol=1e-9)
    few = metrics.self_bleu(texts, most=7)
    chosen = np.linspace(0, len(texts), 7, endpoint=False).astype(int)
    expected = [plainly_bleu(found, [split[j] for j in chosen if j != i]) for i, found in enumerate(split)]
    np.testing.assert_allclose(few, expected, rtol=1e-9, atol=1e-9)


def test_self_bleu_is_that_of_sacrebleu():
    bleu = pytest.importorskip("sacrebleu.metrics", reason="wants pip install sacrebleu, to compare with it")
    split = [" ".join(metrics.words(text)) for text in [*TEXTS, FOX, *drawn(20, 12, 15)]]
    theirs = bleu.BLEU(effective_order=True, smooth_method="exp", tokenize="none")
    expected = [theirs.sentence_score(text, split[:i] + split[i + 1 :]).score for i, text in enumerate(split)]
    np.testing.assert_allclose(metrics.self_bleu(split, most=1000), expected, atol=1e-9)


def test_alike_texts_and_strangers_are_told_apart():
    alike, strangers = [FOX] * 6, [" ".join(f"{letter}{i}" for i in range(9)) for letter in "abcdef"]
    np.testing.assert_allclose(metrics.self_bleu(alike), 100)
    np.testing.assert_allclose(metrics.self_bleu(strangers), 0)
    assert metrics.vendi_of_words(alike) == pytest.approx(1) and 5 < metrics.vendi_of_words(strangers) <= 6
    assert metrics.compression_ratio(alike * 20) > 20 > 2.5 > metrics.compression_ratio(strangers)
    assert metrics.vendi_of_words(["Yes"] * 3 + ["No"] * 3) == pytest.approx(2, abs=0.35)  # ends of texts are alike
    assert np.isnan(metrics.self_bleu(["", "one alone"])).all() and math.isnan(metrics.vendi_of_words(["", "?"]))


def test_compression_ratio_is_of_bytes():
    raw = "\n".join(TEXTS).encode()
    assert metrics.compression_ratio(TEXTS) == len(raw) / len(gzip.compress(raw, mtime=0))
    assert math.isnan(metrics.compression_ratio([])) and metrics.compression_ratio(["\ud800 half a pair"]) > 0


def test_grade_is_flesch_and_kincaids():
    assert metrics.grade("The cat sat on the mat.") == pytest.approx(0.39 * 6 + 11.8 * 1 - 15.59)
    two = 0.39 * 4 / 2 + 11.8 * (1 + 1 + 3 + 1) / 4 - 15.59  # I like; Ba-na-nas sing
    assert metrics.grade("I like. Bananas sing!") == pytest.approx(two)
    assert metrics.grade("Notwithstanding considerable institutional heterogeneity, epistemological foundations persist.") > 18
    assert math.isnan(metrics.grade("...")) and math.isnan(metrics.grade(""))


def test_mtld_counts_stretches():
    assert metrics.mtld("a b a " * 50) == pytest.approx(3)  # a b a: 2 of 3 are different, below 0.72
    assert metrics.mtld("a " * 50) == pytest.approx(2)
    assert math.isnan(metrics.mtld("every word here is new")) and math.isnan(metrics.mtld(""))
    assert metrics.mtld(" ".join(drawn(1, 300, 400))) > metrics.mtld(" ".join(drawn(1, 300, 20)))


def of_texts(run, texts=(*TEXTS, "", "<script>alert(1)</script>\x07")) -> list[str]:
    vectors = np.eye(len(texts), dtype=np.float32)
    vectors[1] = vectors[0]
    stored(run, objects(list(texts)), embedding=vectors)
    return list(texts)


def test_an_archive_of_texts_is_exported_with_its_numbers(tmp_path, capsys):
    texts = of_texts(tmp_path / "run")
    assert main(["export", str(tmp_path / "run"), "--columns", "text", "--format", "jsonl"]) == 0
    rows = [json.loads(line) for line in (tmp_path / "run/archive.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["solution"] for row in rows] == texts
    assert [row["text_words"] for row in rows] == [len(metrics.words(text)) for text in texts]
    assert rows[0]["text_nearest"] == 0 and rows[2]["text_nearest"] == pytest.approx(1)
    assert rows[4]["text_grade"] is None and rows[4]["text_self_bleu"] is None
    said, whole = capsys.readouterr().out, json.loads((tmp_path / "run/archive.summary.json").read_text())
    assert "text_self_bleu" in said and whole["text_without_words"] == 1 and whole["elites"] == 6
    assert whole["text_vendi_inf"] == pytest.approx(3) and whole["text_vendi_1"] < 6
    assert whole["objective_mean"] == pytest.approx(np.mean([row["objective"] for row in rows]))
    known = [row["text_grade"] for row in rows if row["text_grade"] is not None]
    assert whole["text_grade"] == pytest.approx(np.mean(known))


def test_any_archive_has_a_summary(tmp_path, capsys):
    numbers(tmp_path / "run")
    assert main(["export", str(tmp_path / "run"), "--summary"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == str(tmp_path / "run/archive.csv") and said[1].split() == ["elites", "20"]
    whole = json.loads((tmp_path / "run/archive.summary.json").read_text())
    assert whole["coverage"] == pytest.approx(100 * 20 / 2500)
    assert whole["measures_nearest"] == pytest.approx(math.sqrt(2) / 19)  # they lie evenly on the diagonal
    assert not any(name.startswith("text_") for name in whole)


def test_a_language_model_that_gives_log_likelihoods_says_how_likely_each_text_is(tmp_path):
    of_texts(tmp_path / "run", ("one two three good", "one two", "one", " "))
    with serving(echo=True) as endpoint:
        lm = ["lm=custom", "lm.model=x", f"lm.base_url={endpoint.url}", "lm.price.in=1", "lm.price.out=1", "lm.cache=''"]
        args = ["export", str(tmp_path / "run"), "--columns", "text", *lm, "--format", "jsonl"]
        assert main(args) == 0
    rows = [json.loads(line) for line in (tmp_path / "run/archive.jsonl").read_text().splitlines()]
    last = -math.log(1 - 0.9), -math.log(1 - 0.2)  # what that endpoint says of the last word
    assert rows[0]["text_nll"] == pytest.approx((1 + 1 + last[0]) / 3) and rows[1]["text_nll"] == pytest.approx(last[1])
    assert rows[2]["text_nll"] is None and rows[3]["text_nll"] is None  # a first token has none; nothing to say


def test_an_endpoint_that_cannot_echo_is_refused_by_name(tmp_path, capsys):
    of_texts(tmp_path / "run")
    assert main(["export", str(tmp_path / "run"), "--columns", "text", "lm=toy"]) == 1
    assert "does not say how likely a given text is" in capsys.readouterr().err


def test_messages(tmp_path, capsys):
    numbers(tmp_path / "run")
    for args, said in [
        (["--columns", "text"], "a solution is a list and no text; leave out --columns text"),
        (["--columns", "txt"], "unknown --columns 'txt'; type text"),
        (["lm=toy"], "lm=toy serves no column here; type --columns text"),
        (["--columns", "text", "seed=3"], "seed=3 names no language model; type lm=vllm"),
    ]:
        assert main(["export", str(tmp_path / "run"), *args]) == 1
        assert said in capsys.readouterr().err


def test_what_a_run_folder_says_is_not_built(tmp_path):
    of_texts(tmp_path / "run")
    about = json.loads((tmp_path / "run/archive.json").read_text())
    evil = {"_target_": "pathlib.Path.touch", "self": str(tmp_path / "touched")}
    (tmp_path / "run/archive.json").write_bytes(encode_header(about | {"config": {"columns": evil}}))
    assert main(["export", str(tmp_path / "run")]) == 0 and not (tmp_path / "touched").exists()
    (tmp_path / "run/archive.json").write_bytes(encode_header(about | {"config": {"columns": "text"}}))
    assert main(["export", str(tmp_path / "run")]) == 0 and (tmp_path / "run/archive.summary.json").exists()


def test_columns_take_dictionaries_that_hold_a_text():
    columns = {"solution": objects([{"text": FOX}, {"text": "Hello there"}]), "objective": np.ones(2)}
    assert TextColumns().each(columns)["text_words"].tolist() == [9, 2]
