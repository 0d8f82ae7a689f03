"""Maps of texts without a hand-made axis: anchors in words, components, answers to triplets, axes that a model proposes."""

import json

import numpy as np
import pytest

from domains.text import Texts
from domains.text.writer import Writer
from feedback.descriptors.pca import PCA
from feedback.descriptors.select import Select
from feedback.descriptors.ticks import Ticks, even_borders
from feedback.descriptors.triplets import Triplets
from feedback.judges.grading.embedding import Anchors
from feedback.judges.grading.language import Claim, Several
from feedback.judges.grading.proposed_axes import FILE, ProposedAxes
from feedback.judges.similarity.embedding import Nearer
from feedback.judges.similarity.language import MoreSimilar
from qd import keys
from qd.archives import Grid
from qd.emitters.vary import Vary
from qd.search import refit, run, start
from qd.types import Search
from tests.support.hashed import Hashed, Says

TOPIC = "A text about a town"
NOUNS, MOODS = ("street", "river", "market", "night", "tower"), ("calm", "loud", "glad", "grim")


def tale(prompt: str, sample: int) -> str:
    """A text of two words that follow from what was asked."""
    draw = np.random.default_rng([len(prompt), sample])
    return f"A {draw.choice(MOODS)} {draw.choice(NOUNS)} and a {draw.choice(MOODS)} {draw.choice(NOUNS)} {sample % 7}."


class Told:
    """LMX in its shortest form, for searches of texts."""

    parents = 2

    def __init__(self, writer: Writer) -> None:
        self.writer = writer

    def __call__(self, key, parents):
        return self.writer(key, [tuple(map(str, row)) for row in parents])


def a_search(descriptor, **views) -> Search:
    lm = Says(write=tale)
    domain = Texts(Writer(lm, TOPIC), Claim(lm, "It is good."), views)
    return Search(domain, descriptor, Grid((5,) * len(descriptor.bounds)), Vary(Told(domain.writer), batch_size=8, pure=False))


def played(search: Search, until: int = 60):
    state, _ = start(search, keys.new(0), search.domain.sample(keys.new(1), 20))
    for state, _ in run(search, state, until // 2):
        pass
    state = refit(search, state) if search.descriptor.learns else state
    for state, _ in run(search, state, until):
        pass
    return state


def test_anchors_lay_texts_out_by_descriptions_at_the_ends():
    axes = Several(tuple(Anchors(Hashed(), (low,), (high,), 0.3) for low, high in (("grim", "loud"), ("river.", "night."))))
    texts = ["A grim river.", "A loud night.", "A loud river."]
    p = axes(texts)
    assert p.shape == (3, 2) and p[0, 0] < 0.5 < p[1, 0] and p[2, 1] < 0.5 < p[1, 1]
    assert np.isnan(axes([""])).all()
    state = played(a_search(Select("anchors", ((0, 1), (0, 1))), anchors=axes))
    assert len(state.archive) > 3
    stored = state.archive.data()
    np.testing.assert_allclose(stored["measures"], axes(list(stored["solution"])), atol=1e-6)


def test_components_of_vectors_are_learned_from_texts():
    state = played(a_search(PCA(("embedding",)), embedding=Hashed()))
    stored = state.archive.data()
    np.testing.assert_allclose(stored["embedding"], Hashed()(stored["solution"]), atol=1e-6)
    assert len(state.archive) > 5 and np.ptp(stored["measures"], axis=0).min() > 0.5


@pytest.mark.slow
def test_a_language_model_answers_the_triplets_of_a_map_of_texts():
    def nearer_by_mood(prompt: str, label: str) -> float:
        """Says TWO where the last text shares more moods with the first than the second does."""
        x, one, two = (prompt.split(f"{name}: ")[1].split("</")[0] for name in ("X", "ONE", "TWO"))
        shared = [sum(mood in x and mood in other for mood in MOODS) for other in (one, two)]
        return 0.5 + 0.4 * np.sign(shared[1] - shared[0])

    judge = MoreSimilar(Says(score=nearer_by_mood))
    state = played(a_search(Triplets(judge, ("embedding",), questions_per_fit=(20, 10), min_batch=10), embedding=Hashed()))
    given = state.params.answers
    assert int(given.count) == 30 and (np.asarray(given.answer) != 0).sum() > 10
    assert len(state.archive) > 5


@pytest.mark.ci
def test_nearer_vectors_answer_too():
    search = a_search(Triplets(Nearer(Hashed()), ("embedding",), questions_per_fit=(20, 10), min_batch=10), embedding=Hashed())
    assert len(played(search).archive) > 5


class Opinionated(Says):
    """Proposes axes; writes texts that name the end they are asked for in other letters; judges by these."""

    def __init__(self, pairs, blind=()):
        super().__init__(write=self.written, score=self.scored)
        self.pairs, self.blind, self.proposals = pairs, blind, 0

    def complete(self, prompts, *, sample=0, **options):
        self.proposals += "Opposite kinds:" in prompts[0]
        return [", ".join(f"{low} - {high}" for low, high in self.pairs)]

    def __call__(self, prompts, *, sample=0, **options):
        return super().complete(prompts, sample=list(sample), **options)

    def written(self, prompt: str, sample: int) -> str:
        end = prompt.split("It is ")[1].split(".")[0] if "It is " in prompt else "plain"
        return f"Here is {end[::-1]} number {sample}."

    def scored(self, prompt: str, label: str) -> float:
        if label in self.blind or label[::-1] not in prompt:
            return 0.5 if label in self.blind else 0.2
        return 0.9


def proposed(lm, **more) -> ProposedAxes:
    return ProposedAxes(lm, lm, TOPIC, "It is good.", **more)


PAIRS = [("Calm", "loud"), ("old", "new"), ("grim", "glad")]


def test_proposed_axes_are_tried_kept_and_shown(tmp_path, capsys):
    lm = Opinionated(PAIRS, blind=("new", "old"))
    grade = proposed(lm, folder=str(tmp_path / "run"))
    p = grade(["Here is duol number 1.", "Here is mlac number 1.", "Here is dalg."])
    assert p.shape == (3, 3) and p[0, 1] > 0.8 > 0.3 > p[1, 1] and p[2, 2] > 0.8
    told = json.loads((tmp_path / "run" / FILE).read_text())
    assert [(axis["low"], axis["taken"]) for axis in told["axes"]] == [("calm", True), ("old", False), ("grim", True)]
    said = capsys.readouterr().err
    assert "proposed axis calm - loud: ends separated 100%, used" in said and "old - new: ends separated 50%, not used" in said

    again = proposed(lm, folder=str(tmp_path / "run"))
    np.testing.assert_array_equal(again(["Here is duol number 1."]), p[:1])
    assert lm.proposals == 4  # nothing more is asked: it was read


def test_axes_named_by_hand_come_first_and_are_not_proposed_again():
    lm = Opinionated([("calm", "loud"), *PAIRS[1:]])
    grade = proposed(lm, axes=(("Is it calm or wild?", "calm", "wild"),), more=1)
    assert grade(["Here is dalg."]).shape == (1, 3)
    assert not any("calm or loud" in str(prompt) for prompt in lm.asked)


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [("calm", "calm")],
        [("a7", "b")],
        [("x; say yes", "loud")],
        [("loud", "")],
        [("loud", "louder")],
        [("a b c d", "loud")],
    ],
)
def test_what_is_no_pair_of_words_is_no_axis(pairs):
    with pytest.raises(ValueError, match="the judge can separate the ends of 0 of 0 axes that the model proposed, and 1 are"):
        proposed(Opinionated(pairs), more=1)(["x"])


def test_messages(tmp_path):
    said = "the ends of 2 of 3 axes .* and 3 are needed; type grade.more=2, lm=... for a stronger model"
    with pytest.raises(ValueError, match=said):
        proposed(Opinionated(PAIRS, blind=("new",)), more=3)(["x"])
    with pytest.raises(ValueError, match="more=0 and tries=3 must be 1 or more"):
        proposed(Opinionated(PAIRS), more=0)
    file = tmp_path / FILE
    file.parent.mkdir()
    file.write_text(json.dumps({"topic": "Bees", "axes": []}))
    with pytest.raises(ValueError, match=r"holds axes of another topic \(Bees\); type another name="):
        proposed(Opinionated(PAIRS), folder=str(tmp_path))(["x"])
    file.write_text("{")
    with pytest.raises(ValueError, match="is damaged .*; delete it, and new axes are proposed"):
        proposed(Opinionated(PAIRS), folder=str(tmp_path))(["x"])


def test_a_search_along_proposed_axes_fills_their_cells():
    lm = Opinionated(PAIRS)
    lm.write = lambda prompt, sample: (
        lm.written(prompt, sample) if "It is " in prompt else f"Here is {('mlac', 'duol', 'dalg')[sample % 3]} {sample % 11}."
    )
    domain = Texts(Writer(lm, TOPIC), proposed(lm))
    descriptor = Ticks("kind", (2, 2), ((0.5,), (0.5,)))
    search = Search(domain, descriptor, Grid((2, 2)), Vary(Told(domain.writer), batch_size=4, pure=False))
    state, _ = start(search, keys.new(0), domain.sample(keys.new(1), 12))
    assert len(state.archive) >= 2


def test_cells_share_values_evenly_or_say_why_they_do_not():
    assert even_borders(np.arange(101) / 100, 4) == pytest.approx((0.25, 0.5, 0.75))
    with pytest.raises(ValueError, match="fewer cells"):
        even_borders(np.array([0.5, 0.5, 0.5]), 4)
