"""A search that people answer, whole: it asks, waits, refits, finishes; the same answers recorded give the same run."""

import threading
from pathlib import Path

import numpy as np
import pytest

from feedback.label import jsonl, rater, run_view, store
from qd.config import compose
from qd.runner.run import run
from qd.store import archive_file
from tests.support.runs import Quiet

pytestmark = pytest.mark.ci  # one search with people, and the same again from their answers
RECIPE = ["domain=arm", "domain.joints=5", "descriptor=triplets", "descriptor.questions_per_fit=[8,6]",
          "descriptor.active=false", "refit=[200]", "budget=400",
          "domain_defaults.batch_size=100", "renderings=12"]  # fmt: skip


def searched(path: Path, *words: str) -> dict:
    settings = compose.load([*RECIPE, *words])
    return run(settings, compose.assemble(settings, path), path, Quiet())


def answer_all(path: Path, stop: threading.Event) -> None:
    """Somebody who takes the one that was found first for more alike."""
    with store.opened(path) as db:
        while not stop.wait(0.02):
            while asked := rater.upcoming(db, "ann"):
                first = int(asked.left.split("-")[0]) < int(asked.right.split("-")[0])
                rater.answer(db, "ann", asked.token, "left" if first else "right")


def columns(path: Path) -> dict[str, np.ndarray]:
    return archive_file.load(path).columns


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    path = tmp_path_factory.mktemp("people") / "run"
    stop = threading.Event()
    person = threading.Thread(target=answer_all, args=(path, stop))
    person.start()
    try:
        result = searched(path, "judge=people", "judge.patience=0")
    finally:
        stop.set()
        person.join()
    return path, result


def test_a_search_waits_refits_and_finishes(asked):
    path, result = asked
    assert result["status"] == "finished" and result["evaluations"] == 400
    with store.opened(path) as db:
        assert db.execute("SELECT count(*), sum(closed), sum(given) FROM questions").fetchone() == (14, 14, 14)
        shown = {file for (file,) in db.execute("SELECT file FROM things")}
    assert shown == {file.name for file in (path / "labels/shown").iterdir()} and all(name.endswith(".svg") for name in shown)
    assert (path / "now/map.png").stat().st_size > 10_000
    about = archive_file.load(path / "now").about
    assert about["evaluations"] == 200  # drawn last after the refit
    agree, of = about["agreement"]
    assert of == 14 and 8 <= agree <= 14 and run_view.of_map(path) == (agree, of)


def test_the_same_answers_recorded_give_the_same_run(asked, tmp_path):
    path, _ = asked
    file = tmp_path / "answers.jsonl"
    with store.opened(path) as db:
        file.write_text(jsonl.text(jsonl.records(db)), encoding="utf-8")
    for name in ("one", "two"):
        searched(tmp_path / name, "judge=recorded", f"judge.path={file}")
        given, again = columns(path), columns(tmp_path / name)
        assert given.keys() == again.keys()
        for column in given:
            np.testing.assert_array_equal(given[column], again[column])


def test_answers_of_another_store_are_taken_and_nobody_is_asked(asked, tmp_path):
    path, _ = asked
    with store.opened(path) as db, store.opened(tmp_path / "run") as other:
        jsonl.take(other, jsonl.text(jsonl.records(db)).splitlines())
    searched(tmp_path / "run", "judge=people", "judge.patience=0")
    np.testing.assert_array_equal(columns(path)["measures"], columns(tmp_path / "run")["measures"])


def test_a_run_that_is_done_again_finds_its_answers(asked):
    path, _ = asked
    before = columns(path)
    assert searched(path, "judge=people", "judge.patience=0", "again=true")["status"] == "finished"
    after = columns(path)
    for column in before:
        np.testing.assert_array_equal(before[column], after[column])


def test_a_domain_that_draws_nothing_cannot_be_asked_about():
    with pytest.raises(ValueError, match="judge.draw needs @domain.render, and LinearProjection has no 'render'"):
        compose.assemble(compose.load(["domain=sphere", "judge=people"]))
