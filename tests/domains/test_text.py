"""Texts: prompts, what is kept of answers, uneven cells, judges in words, and which texts each emitter shows."""

import json
from typing import Any

import numpy as np
import pytest

from domains.text import Texts
from domains.text.baselines import BestOf, Few, Novel, TextPool, Unlike
from domains.text.lmx import Near, Replace, Rewrite, near
from domains.text.overlap import rouge_l
from domains.text.writer import Writer, draw_weighted, tidy
from feedback.descriptors.ticks import Ticks
from feedback.judges.grading.in_words import InWords
from qd import keys
from qd.archives import Grid
from qd.cli.main import main
from qd.plots.heatmap import heatmap
from qd.plots.page import page
from qd.plots.records import Map
from qd.report.figures import record
from qd.report.page.contents import collect
from qd.search import run, start
from qd.store import archive_file
from qd.support.errors import UserError
from qd.types import FAILED, Rows, Search
from tests.support.hashed import Says

SEEDS = ("I love it.", "I hate it.", "It is there.")
AXIS = ("Is it negative or positive?", "negative", "positive")
PAPER = (0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.1, 0.2, 0.5, 0.8, 0.9, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.995)
BORDERS = np.array(PAPER, np.float32)


def of_text(prompt: str, label: str) -> float:
    """A number that follows from the whole prompt: texts fall everywhere on the map."""
    return (sum(map(ord, prompt)) * 7919 % 1009) / 1009


def a_search(emitter, lm: Says, cells: int = 10, **more) -> Search:
    domain = Texts(Writer(lm, "A text about rain", SEEDS), InWords(lm, "It is good.", (AXIS,)), **more)
    ticks = Ticks("kind", (cells,), (tuple(np.arange(1, cells) / cells),))
    return Search(domain, ticks, Grid((cells,)), emitter(domain.writer))


def played(search: Search, until: int = 60, n: int = 12):
    state, batch = start(search, keys.new(0), search.domain.sample(keys.new(1), n))
    batches = [batch]
    for state, batch in run(search, state, until):
        batches.append(batch)
    return state, batches


def test_shots_stand_between_marks_and_the_topic_comes_last():
    lm = Says()
    (text,) = Writer(lm, "A text about rain", SEEDS)(keys.new(0), [SEEDS[:2]])
    assert lm.asked == ["A text about rain: I love it.\n###\nA text about rain: I hate it.\n###\nA text about rain:"]
    assert text.startswith("Text ")


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (" It rains. It pou", "It rains."),
        ("It pours and", "It pours and."),
        ('\n"It rains!" \nA text about rain: more', "It rains!"),
        ("It rains. ### A text", "It rains."),
        (" \n\t", ""),
        ("...", ""),
        ("It costs 3.50 a day. Yes", "It costs 3.50 a day."),
    ],
)
def test_an_answer_is_kept_as_one_line_of_whole_sentences(said, kept):
    assert tidy(said) == kept


def test_what_judge_and_views_lack_is_a_message_before_anything_is_written():
    def needs_weights(texts):
        raise UserError("the weights are missing", "type qd fetch minilm")

    def fits(texts):
        return np.zeros((len(texts), 2))

    for grade, views in ((needs_weights, {}), (fits, {"vector": needs_weights})):
        lm = Says()
        with pytest.raises(UserError, match="type qd fetch minilm"):
            Texts(Writer(lm, "A text about rain"), grade, views).sample(keys.new(0), 3)
        assert not lm.asked


@pytest.mark.parametrize("topic", ["a\x07b", "two\nlines", "a # mark", "\u202egnirts", " ", ""])
def test_a_topic_that_would_break_a_prompt_is_refused(topic):
    with pytest.raises(ValueError, match="topic (is empty|has the character .*U\\+).*; type"):
        Writer(Says(), topic)
    with pytest.raises(ValueError, match=r"seeds\[1\]"):
        Writer(Says(), "fine", ("fine", topic))


def test_a_start_holds_the_seeds_and_one_from_nothing_asks_again_for_what_came_empty():
    writer = Writer(Says(), "A text about rain", SEEDS)
    texts = writer.begin(keys.new(0), 8)
    assert tuple(texts[:3]) == SEEDS and len(set(texts)) == 8
    assert list(texts) == list(writer.begin(keys.new(0), 8)) != list(writer.begin(keys.new(1), 8))
    lm = Says(lambda prompt, sample: None if sample % 2 else f"Text {sample}.")
    texts = Writer(lm, "A text about rain").begin(keys.new(0), 7)
    assert len(texts) == 7 and all(texts[:3]) and len(lm.asked) - 2 > 5


def test_the_first_draw_near_an_elite_follows_its_weights():
    place = np.array([[0.0], [1], [2], [4], [9]])
    counts = np.zeros(5)
    for key in keys.split(keys.new(0), 6000):
        chosen = near(key, place, 3)
        assert len(set(chosen)) == 3
        counts[chosen[0]] += 1
    d = np.abs(place - place.T)
    w = 1 / (1 + d**3)
    expected = 6000 * (w / w.sum(axis=1, keepdims=True)).mean(axis=0)  # over the even draw of the first
    assert ((counts - expected) ** 2 / expected).sum() < 18.5  # chi², 4 degrees of freedom, p = 0.001
    assert len(draw_weighted(keys.new(0), np.ones(2), 3)) == 2


def test_near_shows_elites_once_three_cells_are_filled_and_the_first_texts_before():
    lone = Says(score=lambda prompt, label: 0.55)  # one cell
    _, batches = played(a_search(Near, lone), 20)
    assert all(batch.parents.shape[1] == 0 for batch in batches[1:])
    shown = [prompt for prompt in lone.asked if isinstance(prompt, str)]
    assert shown and all(text in SEEDS for prompt in shown for text in _shots(prompt))
    state, batches = played(a_search(Near, Says(score=of_text)))
    assert len(state.archive) > 5 and batches[-1].parents.shape == (1, 3)
    assert len(set(batches[-1].parents[0])) == 3


def _shots(prompt: str) -> list[str]:
    return [shot.removeprefix("A text about rain: ") for shot in prompt.split("\n###\n")[:-1]]


def test_replace_keeps_each_list_and_changes_one_text_of_it():
    state, batches = played(a_search(Replace, Says(score=of_text)), 200)
    memory = state.memory
    assert len(memory.pool(100)) <= 100 and all(len(texts) <= 3 for texts in memory.cells.values())
    best = {cell: [pair[0] for pair in texts] for cell, texts in memory.cells.items()}
    assert any(len(marks) > 1 for marks in best.values()) and all(marks == sorted(marks)[::-1] for marks in best.values())
    grown = 0
    for batch in batches[1:]:
        child, parent = int(batch.ids[0]), int(batch.parents[0, 0])
        if child in memory.examples and parent in memory.examples:
            differ = sum(a != b for a, b in zip(memory.examples[child], memory.examples[parent], strict=True))
            assert differ <= 1
            grown += differ
    assert grown > 3  # and no parent's own list was changed by it


def test_rewriting_names_an_answer_of_each_axis():
    lm = Says(score=of_text)
    search = a_search(lambda writer: Rewrite(writer, (("sad", "happy"), ("short",))), lm)
    played(search, 30)
    wishes = [prompt for prompt in lm.asked if isinstance(prompt, str) and "Write it anew" in prompt]
    assert len(wishes) == 18 and {"sad and short", "happy and short"} == {
        w.split("so that it is ")[1].split(".")[0] for w in wishes
    }


@pytest.mark.parametrize("emitter", [Few, lambda w: Few(w, True), TextPool, lambda w: TextPool(w, 4), Unlike,
                                     lambda w: Novel(w, ((0.0, 10.0),))])  # fmt: skip
def test_baselines_repeat_themselves_and_do_not_look_at_the_map(emitter):
    (state, batches), (_, again) = (played(a_search(emitter, Says(score=of_text))) for _ in range(2))
    assert [list(b.solutions) for b in batches] == [list(b.solutions) for b in again]
    assert state.evaluations == 60 and all(batch.parents.shape[1] == 0 for batch in batches)


def test_fixed_shots_are_fixed_and_quality_keeps_the_best():
    lm = Says(score=of_text)
    played(a_search(Few, lm), 30)
    prompts = [prompt for prompt in lm.asked if isinstance(prompt, str)]
    assert {tuple(_shots(prompt)) for prompt in prompts[-10:]} == {SEEDS}
    state, batches = played(a_search(lambda w: TextPool(w, 4), Says(score=of_text)), 60)
    marks = sorted((float(b.evaluation.objective[0]) for b in batches[1:]), reverse=True)
    assert sorted(state.memory.objective, reverse=True) == pytest.approx(marks[:4])


def test_what_shares_its_words_with_the_pool_is_not_judged():
    assert rouge_l("the rain falls down", "the rain falls") == pytest.approx(6 / 7)
    assert rouge_l("", "a") == 0 and rouge_l("a b", "c d") == 0
    lm = Says(
        lambda prompt, sample: "The same rain falls every day." if sample % 3 else f"{sample} {sample // 7} drops.", of_text
    )
    state, _ = played(a_search(Unlike, lm), 30)
    pool = state.memory
    assert sum(text.startswith("The same") for text in pool) <= 1 < len(pool)


def test_the_best_of_four_is_kept():
    lm = Says(score=of_text)
    search = a_search(lambda w: BestOf(w, InWords(lm, "It is good.", (AXIS,)).well), lm)
    _, batches = played(search, 20)
    assert sum(isinstance(prompt, str) for prompt in lm.asked) == 9 + 8 * 4
    assert np.mean([b.evaluation.objective[0] for b in batches[1:]]) > 0.65  # of even draws the best of 4 has a mean of 0.8


def test_empty_texts_and_silent_judges_are_failures():
    lm = Says(lambda prompt, sample: "" if sample % 2 else f"Text {sample}.", of_text)
    state, batches = played(a_search(Near, lm))
    failed = [batch for batch in batches[1:] if batch.status[0] == FAILED]
    assert len(failed) > 10 and all(batch.solutions[0] == "" for batch in failed)
    assert all(text for text in state.archive.data("solution"))
    silent = InWords(Says(score=lambda prompt, label: float("nan")), "It is good.", (AXIS,))
    said = Texts(Writer(Says(), "A text"), silent).evaluate(keys.split(keys.new(0), 2), np.array(["a", "b"], object))
    assert np.isnan(said.objective).all()


def test_axes_of_two_answers_are_scales_and_of_more_are_kinds():
    lm = Says(score=lambda prompt, label: 0.9)
    grade = InWords(lm, "It is good.", (AXIS, ("Which?", "haiku", "sonnet", "hymn")))
    said = grade(["A text.", "", "Another."])
    np.testing.assert_allclose(said[[0, 2]], [[0.9, 0.9, 2], [0.9, 0.9, 2]])
    assert np.isnan(said[1]).all() and grade.answers == (("negative", "positive"), ("haiku", "sonnet", "hymn"))
    assert InWords(lm, ("Is it poor or good?", "poor", "good"), (AXIS,))(["A text."])[0, 0] == pytest.approx(0.9)
    assert InWords(lm, "How good?", (AXIS,), rated=True)(["A text."])[0, 0] == 0.5
    for axes in ((), ("no axis",), (("only one?", "a"),)):
        with pytest.raises(ValueError, match="type grade.axes"):
            InWords(lm, "It is good.", axes)  # type: ignore[arg-type]


def test_the_papers_cells_are_exactly_its_own_and_rise_with_the_feature():
    ticks = Ticks("p", (20,), (PAPER,))
    p = np.sort(np.concatenate([np.random.default_rng(0).random(500), PAPER, np.nextafter(BORDERS, 0), [0, 1]]))
    features = {"p": p.astype(np.float32)}
    measures = np.asarray(ticks((), features))[:, 0]  # as a referee asks
    assert (np.floor(measures) == np.searchsorted(BORDERS, features["p"], "right")).all()
    assert (np.diff(measures) >= 0).all() and ticks.bounds == ((0.0, 20.0),) and not ticks.learns
    edges = np.asarray(ticks(ticks.init(keys.new(0), None, None), {"p": np.float32([[0], [1]])}))  # type: ignore[arg-type]
    assert edges[0, 0] == 0 and edges[1, 0] == pytest.approx(19.999)


def test_cells_that_generation_0_shares_out_hold_as_much_of_it_each():
    p = np.random.default_rng(0).beta(8, 2, (80, 1)).astype(np.float32)  # a judge that leans to one side
    rows = Rows(np.arange(80), np.zeros((80, 1)), np.zeros(80), {"p": p}, np.ones(80, bool))
    ticks = Ticks("p", (8,))
    cells = np.floor(np.asarray(ticks(ticks.init(keys.new(0), rows, None), {"p": p})))  # type: ignore[arg-type]
    assert np.bincount(cells[:, 0].astype(int), minlength=8).tolist() == [10] * 8 and ticks.learns
    with pytest.raises(ValueError, match=r"different answers do not make 8 cells.*nearly all answers are 1 .*qd doctor"):
        ticks.init(keys.new(0), rows._replace(features={"p": np.ones((80, 1))}), None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"axis 1 are \[0.5, 0.4\], and must rise; type \[0.4, 0.5\]"):
        Ticks("p", (3,), ((0.5, 0.4),))
    with pytest.raises(ValueError, match=r"2 numbers for 10 cells, and must be 9; type domain_defaults.dims=\[3\]"):
        Ticks("p", (10,), ((0.4, 0.5),))


def test_ends_that_a_judge_cannot_tell_apart_are_found():
    lm = Says(lambda prompt, sample: f"Good {sample}." if "positive" in prompt else f"Bad {sample}.",
              lambda prompt, label: 0.9 if "Good" in prompt else 0.2)  # fmt: skip
    domain: Any = a_search(Near, lm).domain
    assert list(domain.faults()) == []
    blind = Says(lm.write, lambda prompt, label: 0.5)
    domain = a_search(Near, blind).domain
    ((name, seen, instead),) = domain.faults()
    assert name == "axis" and "cannot tell the ends of axis 1 apart" in seen and "judge_lm" in instead


def test_a_page_of_texts_runs_nothing_that_they_hold():
    texts = np.array(["<script>alert(1)</script>", "It rains & pours."], object)
    shown = Map(
        np.array([[0.5], [3.2]]), np.array([0.1, 0.9]), np.arange(2), [(0, 4)], ["kind"], "a <title>", (4,), None, (0.0, 1.0)
    )
    html = page(shown, texts, np.array([7, 8]))
    assert "<script" not in html and "&lt;script&gt;alert(1)" in html and "It rains &amp; pours." in html
    assert ".t{white-space:pre-wrap" in html and '<span class="t">It rains' in html  # lines stay lines
    assert html.count("<tr>") == 4 and html.count('class="e"') == 2 and "a &lt;title&gt;" in html
    plane = shown._replace(measures=np.array([[0.5, 1.5], [3.2, 0]]), bounds=[(0, 4), (0, 2)], names=["a", "b"], dims=(4, 2))
    assert page(plane, texts, np.array([7, 8])).count('class="e"') == 6


def test_a_page_names_the_ends_of_a_scale_and_each_kind():
    texts, ids, tone = np.array(["a", "b"], object), np.arange(2), ["Which <tone>?", "sad", "happy"]
    line = Map(np.array([[0.5], [3.2]]), np.ones(2), ids, [(0, 4)], ["kind"], "", (4,), axis_labels=[tone])
    html = page(line, texts, ids)
    assert [f"<th>{row}</th>" in html for row in ("1: sad", "2", "3", "4: happy")] == [True] * 4
    assert "<p>Downwards: Which &lt;tone&gt;?</p>" in html and ", at " not in html
    assert ", at 3.20" in page(line._replace(dims=None, centroids=np.array([[1], [3]])), texts, ids)  # no cells in a row
    form = ["Which form?", "haiku", "ode", "hymn", "song"]
    plane = line._replace(
        measures=np.array([[0.5, 1.5], [3.2, 0]]),
        bounds=[(0, 4), (0, 2)],
        names=["kind[0]", "kind[1]"],
        dims=(4, 2),
        axis_labels=[form, tone],
    )
    html = page(plane, texts, ids)
    assert "<th>haiku</th><th>ode</th><th>hymn</th><th>song</th>" in html and "<th>happy</th>" in html
    assert "To the right: Which form?" in html and "Upwards: Which" in html
    (axes,) = (axes for axes in heatmap(plane).axes if axes.get_xlabel() == "kind[0]")
    assert [label.get_text() for label in axes.get_xticklabels()] == form[1:]
    assert axes.get_xticks().tolist() == [0.5, 1.5, 2.5, 3.5]


def test_seeds_answers_and_dims_that_cannot_be_are_refused_before_anything_is_asked(capsys):
    for words, why in (
        (["domain.writer.seeds=[One.,Two.]"], "2 seeds are fewer than the 3 examples"),
        (["grade.axes=[[Which?,mild,Mild]]"], "has the same answer twice"),
        (["grade.axes=[[Which?,a,b],[What?,c,d]]", "domain_defaults.ticks=null"], "domain_defaults.dims=[10, 10]"),
        (["domain=arm", "axis_labels={gripper:x}"], "names no columns of features"),
    ):
        assert main(["run", *(["domain=opinions", "lm=toy"] if words[0] != "domain=arm" else []), *words]) == 1
        assert why in capsys.readouterr().err, words


def test_a_run_of_texts_names_its_axes_in_words_and_a_toys_map_means_nothing(tmp_path, capsys):
    assert main(["run", "domain=opinions", "lm=toy", "budget=8", "initial=6", "name=words", f"runs={tmp_path}"]) == 0
    run, warning = next((tmp_path / "words").iterdir()), "lm=toy understands nothing of a text: this map means nothing"
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == warning and lines.count(warning) == 2 and lines.index(warning, 1) >= len(lines) - 3
    started = json.loads((run / "events.jsonl").read_text().splitlines()[0])
    assert started["event"] == "started" and started["warnings"] == [warning]
    assert collect(run).facts["notes"] == [warning]  # the page says it too
    stored = archive_file.load(run)
    assert record(stored).names == ["negative to positive"] and record(stored).axis_labels[0][1:] == ["negative", "positive"]
    assert record(stored._replace(about=stored.about | {"config": stored.about["config"] | {"axis_labels": None}})).names == [
        "kind"
    ]
