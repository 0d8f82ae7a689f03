"""The labelling page on texts: people say which text is more like the one above, and the map learns from their words."""

import threading

import numpy as np
import pytest

from feedback.label import rater, store
from qd.config import compose
from qd.runner.run import run
from qd.store import archive_file
from tests.support.hashed import Hashed
from tests.support.runs import Quiet

HOSTILE = "<img src=x onerror=alert(1)> rain & <script>alert(2)</script>"
RECIPE = ["recipe=label_texts", "lm=toy", "domain.views.embedding._target_=tests.support.hashed.Hashed", "judge.patience=0",
          f"domain.writer.seeds=['{HOSTILE}','I love the happy sun.','I hate the cold night.']",
          "descriptor.questions_per_fit=[8,6]", "descriptor.active=false", "budget=60", "refit=[40]", "initial=20"]  # fmt: skip


def reads_and_answers(path, stop: threading.Event, read: list[str]) -> None:
    """Somebody who counts the letters of what is shown."""
    with store.opened(path) as db:
        while not stop.wait(0.02):
            while asked := rater.upcoming(db, "ann"):
                shown = [(path / "labels/shown" / _file(db, name)).read_text() for name in (asked.x, asked.left, asked.right)]
                read += shown
                x, left, right = map(len, shown)
                rater.answer(db, "ann", asked.token, "left" if abs(left - x) <= abs(right - x) else "right")


def _file(db, name: str) -> str:
    return db.execute("SELECT file FROM things WHERE name = ?", (name,)).fetchone()[0]


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    path = tmp_path_factory.mktemp("people") / "run"
    stop, read = threading.Event(), []
    person = threading.Thread(target=reads_and_answers, args=(path, stop, read))
    person.start()
    try:
        settings = compose.load(RECIPE)
        result = run(settings, compose.assemble(settings, path), path, Quiet())
    finally:
        stop.set()
        person.join()
    return path, result, read


@pytest.mark.slow
def test_people_read_the_texts_and_the_search_goes_on_with_their_answers(labelled):
    path, result, read = labelled
    assert result["status"] == "finished" and result["evaluations"] == 60
    with store.opened(path) as db:
        assert db.execute("SELECT count(*), sum(given) FROM questions").fetchone() == (14, 14)
        assert {file.split(".")[-1] for (file,) in db.execute("SELECT file FROM things")} == {"txt"}
    columns = archive_file.load(path).columns
    everything = set(columns["solution"].tolist())
    assert any("<img" in text for text in read) and any(text in everything for text in read)  # a file of plain text, as it is
    np.testing.assert_allclose(columns["embedding"], Hashed()(columns["solution"].tolist()), atol=1e-6)
    assert np.ptp(columns["measures"], axis=0).min() > 0
    assert (path / "now/map.png").stat().st_size > 10_000
