"""Judges: what they answer, that they repeat themselves, and what becomes of broken files."""

import json

import numpy as np
import pytest

from feedback.judges import CANT_TELL, A, B, CloseCalls, Flips, Oracle, RaterPool, ShuffledAnswers, pick
from feedback.judges.similarity import recorded
from feedback.judges.similarity.recorded import RecordedAnswers
from feedback.preferences import comparisons
from qd import keys
from qd.types import Rows
from tests.support.comparisons import Always

N, T = 60, 2000


def rows(n: int = N) -> Rows:
    place = keys.uniform(keys.new(0), (n, 2), -1, 1)
    return Rows(np.arange(n) + 100, place * 2, place.sum(1), {"place": place}, np.ones(n, bool))


def triplets(n: int = T) -> tuple[Rows, Rows, Rows]:
    x, a, b = (pick(rows(), column) for column in comparisons.distinct(keys.new(1), n, N).T)
    return x, a, b


def test_the_oracle_says_which_is_nearer_and_turns_with_the_question():
    x, a, b = triplets()
    said = Oracle("place")(x, a, b)
    near = np.linalg.norm(x.features["place"] - a.features["place"], axis=1)
    far = np.linalg.norm(x.features["place"] - b.features["place"], axis=1)
    np.testing.assert_array_equal(said == A, near < far)
    np.testing.assert_array_equal(Oracle("place")(x, b, a), -said)
    unsure = Oracle("place", unsure=0.2)(x, a, b)
    assert 0.05 < (unsure == CANT_TELL).mean() < 0.5
    np.testing.assert_array_equal(unsure[unsure != CANT_TELL], said[unsure != CANT_TELL])


def test_an_oracle_without_its_feature_says_what_to_keep():
    with pytest.raises(ValueError, match=r"keep=\('colour',\)"):
        Oracle("colour")(*triplets(3))


@pytest.mark.parametrize("rate", [0.0, 0.2, 1.0])
def test_flips_have_their_rate_and_repeat_themselves(rate):
    x, a, b = triplets()
    truth, judge = Oracle("place")(x, a, b), Flips(Oracle("place"), rate, seed=3)
    said = judge(x, a, b)
    assert abs((said != truth).mean() - rate) < 0.03
    np.testing.assert_array_equal(said, judge(x, a, b))
    np.testing.assert_array_equal(judge(x, b, a), -said)
    half = np.arange(0, T, 2)
    np.testing.assert_array_equal(judge(*(pick(r, half) for r in (x, a, b))), said[half])
    if rate == 0.2:
        assert (Flips(Oracle("place"), rate, seed=4)(x, a, b) != said).any()


def test_close_calls_err_where_it_is_close():
    x, a, b = triplets()
    wrong = CloseCalls(Oracle("place"), "place", width=0.2)(x, a, b) != Oracle("place")(x, a, b)
    gap = np.abs(np.linalg.norm(x.features["place"] - a.features["place"], axis=1) - np.linalg.norm(
        x.features["place"] - b.features["place"], axis=1))  # fmt: skip
    assert wrong[gap < 0.1].mean() > 0.3 > 0.1 > wrong[gap > 0.5].mean()


def test_a_pool_says_who_answered():
    x, a, b = triplets()
    pool = RaterPool((Oracle("place"), Always(B), Flips(Oracle("place"), 1.0)))
    who, said, truth = pool.raters(x, a, b), pool(x, a, b), Oracle("place")(x, a, b)
    assert pool.keep == ("place",)
    assert min(np.bincount(who, minlength=3)) > T / 4
    np.testing.assert_array_equal(said, np.where(who == 0, truth, np.where(who == 1, B, -truth)))


def test_shuffled_answers_have_the_same_count_and_no_truth():
    x, a, b = triplets()
    truth, said = Oracle("place")(x, a, b), ShuffledAnswers(Oracle("place"))(x, a, b)
    assert (said == A).sum() == (truth == A).sum()
    assert 0.45 < (said == truth).mean() < 0.55


def test_settings_that_cannot_be_are_named():
    for make in (lambda: Flips(Oracle("f"), 1.5), lambda: CloseCalls(Oracle("f"), "f", 0.0), lambda: RaterPool(())):
        with pytest.raises(ValueError, match="type "):
            make()


def test_what_is_recorded_is_answered_again(tmp_path):
    path = str(tmp_path / "answers.jsonl")
    x, a, b = triplets(50)
    said = Oracle("place")(x, a, b)
    lines = [
        {
            "x": x.id,
            "a": a.id,
            "b": b.id,
            "answer": "a" if answer == A else "b",
            "rater": "ann",
            "marks": [x.mark, a.mark, b.mark],
        }
        for (x, a, b), answer in zip(recorded.questions(x, a, b), said, strict=True)
    ]
    (tmp_path / "answers.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    np.testing.assert_array_equal(RecordedAnswers(path)(x, a, b), said)
    np.testing.assert_array_equal(RecordedAnswers(path)(x, b, a), -said)
    assert (RecordedAnswers(path, names=("bob", "ann")).raters(x, a, b) == 1).all()
    unknown = x._replace(ids=x.ids + 1000)
    assert (RecordedAnswers(path, min_share=0.0)(unknown, a, b) == CANT_TELL).all()


def test_a_file_that_answers_too_few_questions_is_refused_and_the_share_is_shown(tmp_path):
    path = tmp_path / "answers.jsonl"
    x, a, b = triplets(10)
    marks = [[n.mark for n in question] for question in recorded.questions(x, a, b)]
    ids = [{"x": int(x.ids[i]), "a": int(a.ids[i]), "b": int(b.ids[i]), "answer": "?", "marks": marks[i]} for i in range(10)]
    path.write_text("\n".join(map(json.dumps, ids[:4])))
    judge = RecordedAnswers(str(path))
    with pytest.raises(ValueError, match=r"answers 4 of 10 questions.*judge.path=FILE.*min_share=0"):
        judge(x, a, b)
    with pytest.raises(ValueError, match="answers 0 of 10"):
        judge.better(a, b)
    path.write_text("\n".join(map(json.dumps, ids[:5])))
    judge = RecordedAnswers(str(path))
    assert (judge(x, a, b) == CANT_TELL).all()
    assert judge.report() == [{"recorded answers": "5 of 10 found", "file": str(path)}]
    with pytest.raises(ValueError, match="min_share=2 is not a share"):
        RecordedAnswers(str(path), min_share=2)
    path.write_text("\n".join(json.dumps(line | {"marks": ["0" * 8] * 3}) for line in ids))  # of another run
    with pytest.raises(ValueError, match="answers 0 of 10"):
        RecordedAnswers(str(path))(x, a, b)


def test_corrupt_lines_are_named_and_the_rest_is_kept(tmp_path):
    path = tmp_path / "answers.jsonl"
    good = {"x": 1, "a": 2, "b": 3, "answer": "b", "rater": "ann"}
    lines = [json.dumps(good), '{"x": 1, "a"', "[]", json.dumps(good | {"answer": "c"}), json.dumps(good | {"x": "one"}),
             "\x00\xff", "", json.dumps(good | {"x": 9, "answer": "?"})]  # fmt: skip
    path.write_bytes("\n".join(lines).encode("latin-1"))
    with pytest.warns(UserWarning, match="5 answers .*line 2.*line 3.*line 4: ValueError: answer 'c'"):
        book = recorded.read(str(path))
    assert set(book.votes) == {(1, 2, 3), (9, 2, 3)}
    with pytest.raises(ValueError, match="there is no file"):
        recorded.read(str(tmp_path / "none.jsonl"))


def test_contradicting_raters_and_answers_about_other_solutions(tmp_path):
    path = tmp_path / "answers.jsonl"
    x, a, b = triplets(3)
    ids = [{"x": int(x.ids[i]), "a": int(a.ids[i]), "b": int(b.ids[i])} for i in range(3)]
    said = [(0, "a"), (0, "b"), (1, "a"), (1, "b"), (1, "a")]
    lines = [ids[i] | {"answer": answer, "rater": f"r{n}"} for n, (i, answer) in enumerate(said)]
    lines.append(ids[2] | {"answer": "a", "marks": ["0" * 8] * 3})
    path.write_text("\n".join(map(json.dumps, lines)))
    with pytest.warns(UserWarning, match="1 answers .* other solutions"):
        assert RecordedAnswers(str(path))(x, a, b).tolist() == [CANT_TELL, A, CANT_TELL]


@pytest.mark.parametrize("said", [[1, 1], [2, 0, 1], [0.5, 0, 1]])
def test_answers_of_a_wrong_kind_are_refused(said):
    with pytest.raises(ValueError, match="the judge"):
        comparisons.ask(lambda x, a, b: np.array(said), comparisons.empty(9, 2), rows(), np.array([[0, 1, 2]] * 3), ("place",))


def test_more_raters_than_there_is_room_for_are_named():
    pool, triplet = RaterPool((Oracle("place"),) * 4), comparisons.distinct(keys.new(0), 40, N)
    with pytest.raises(ValueError, match="raters=4"):
        comparisons.ask(pool, comparisons.empty(40, 2), rows(), triplet, ("place",), raters=2)
    given = comparisons.ask(pool, comparisons.empty(40, 2), rows(), triplet, ("place",), raters=4)
    assert set(given.rater) == {0, 1, 2, 3} and given.count == 40


def test_triplets_are_three_different_rows():
    for n in (3, 4, 50):
        drawn = comparisons.distinct(keys.new(n), 500, n)
        assert drawn.min() == 0 and drawn.max() == n - 1 and all(len(set(t)) == 3 for t in drawn.tolist())
    with pytest.raises(ValueError, match="3 different"):
        comparisons.distinct(keys.new(0), 5, 2)
