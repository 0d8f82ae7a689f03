"""Near copies of earlier texts: written again, not judged, and of which emitter is all the same."""

import numpy as np
import pytest

from domains.text import Texts
from domains.text.baselines import Few
from domains.text.copies import Cosine, SharedWords, WithoutCopies
from domains.text.lmx import Near
from domains.text.writer import Writer
from feedback.descriptors.ticks import Ticks
from feedback.judges.grading.in_words import InWords
from qd import keys
from qd.archives import Grid
from qd.search import run, start
from qd.support.errors import UserError
from qd.types import Search
from tests.support.hashed import Hashed, Says

SEEDS = ("I love it.", "I hate it.", "It is there.")


def of_text(prompt: str, label: str) -> float:
    return (sum(map(ord, prompt)) * 7919 % 1009) / 1009


def played(write, emitter, until: int = 40):
    """Runs a search whose model writes by ``write(prompt, sample)``; returns state, texts after the start, and the model."""
    lm = Says(write, of_text)
    domain = Texts(Writer(lm, "A text about rain", SEEDS), InWords(lm, "It is good.", (("Sad or glad?", "sad", "glad"),)))
    search = Search(domain, Ticks("kind", (5,), ((0.2, 0.4, 0.6, 0.8),)), Grid((5,)), emitter(domain.writer))
    state, _ = start(search, keys.new(0), domain.sample(keys.new(1), 6))
    judged, texts = len(lm.asked), []
    for state, batch in run(search, state, until):
        texts += [str(text) for text in batch.solutions]
    return state, texts, [prompt for prompt in lm.asked[judged:] if not isinstance(prompt, str)]


def often_the_same(prompt: str, sample: int) -> str:
    return f"Word{sample} word{sample // 7} drops." if sample % 3 == 0 else "The same rain falls every single day."


@pytest.mark.parametrize("inner", [Near, Few])
@pytest.mark.parametrize("likeness", [SharedWords(), Cosine(Hashed())], ids=["words", "vectors"])
def test_no_copy_is_judged_and_what_is_not_judged_fails(inner, likeness):
    _, plain, _ = played(often_the_same, inner)
    state, texts, judged = played(often_the_same, lambda writer: WithoutCopies(inner(writer), likeness, 0.8))
    assert plain.count("The same rain falls every single day.") > 15
    written = [text for text in texts if text]
    assert len(texts) == 34 and len(set(written)) == len(written) > 25
    assert all(likeness(text, written[:i]) < 0.8 for i, text in enumerate(written))
    assert len(judged) == 2 * len(written)  # quality and one axis; nothing is asked about the rest
    assert state.memory.texts[-len(written) :] == tuple(written)


def test_a_model_that_only_repeats_itself_ends_with_failures_after_so_many_tries():
    asked: list[int] = []

    def same(prompt: str, sample: int) -> str:
        asked.append(sample)
        return "It rains."

    state, texts, judged = played(same, lambda writer: WithoutCopies(Few(writer), tries=3), until=16)
    assert texts.count("") >= 9 and not [text for text in texts[1:] if text] and len(judged) <= 2
    assert len(asked) - 3 >= 3 * 9 and state.evaluations == 16  # three of the start come from the model


def test_of_a_generation_only_the_copies_are_emptied():
    emitter = lambda writer: WithoutCopies(Few(writer, batch_size=4), SharedWords(), 0.8)
    _, texts, _ = played(often_the_same, emitter, until=46)
    rows = np.array(texts).reshape(-1, 4)
    assert emitter(Writer(Says(), "rain")).batch_size == 4
    assert (rows == "").any() and (rows != "").any(axis=1).mean() > 0.9


def test_it_repeats_itself_and_refuses_what_cannot_be():
    emitter = lambda writer: WithoutCopies(Near(writer))
    assert played(often_the_same, emitter)[1] == played(often_the_same, emitter)[1]
    assert Cosine(Hashed())("a", []) == SharedWords()("a", []) == 0
    for settings in ({"tries": 0}, {"most_alike": 0.0}, {"most_alike": 1.5}):
        with pytest.raises(UserError, match=r"type emitter.tries=5 emitter.most_alike=0.8"):
            WithoutCopies(Near(Writer(Says(), "rain")), **settings)
