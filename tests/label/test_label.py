"""The store of questions and answers, and the judge that waits for it: nothing is lost, nothing counts twice."""

import ast
import asyncio
import importlib.util
import io
import json
import os
import re
import signal
import sqlite3
import stat
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from feedback.judges.similarity.people import People
from feedback.judges.similarity.recorded import RecordedAnswers
from feedback.judges.similarity.simulated import CANT_TELL, A, B, pick
from feedback.judges.similarity.waiting import Line
from feedback.label import command, jsonl, private, progress, questions, run_view, store
from feedback.label.questions import Wait
from feedback.label.rater import RaterQuestion, RefusalError, answer, skip, undo, upcoming
from qd.support.errors import UserError
from qd.support.sqlite import transaction
from qd.types import Rendering, Rows
from tests.support.label.questions import fill, spot

HOUSE = Path(__file__).resolve().parents[2]


def rows(n: int = 30) -> Rows:
    x = np.random.default_rng(0).normal(size=(n, 3)).astype(np.float32)
    return Rows(np.arange(n) + 50, x, x.sum(1), {}, np.ones(n, bool))


def draw(solutions) -> list[Rendering]:
    return [Rendering("text", f"{solution}") for solution in solutions]


def triplets(n: int, seed: int = 1) -> tuple[Rows, Rows, Rows]:
    rng = np.random.default_rng(seed)
    x, a, b = np.array([rng.choice(30, 3, replace=False) for _ in range(n)]).T
    return pick(rows(), x), pick(rows(), a), pick(rows(), b)


def people(run: Path, **more) -> People:
    return People(draw, str(run), patience=0.0, **more)


@contextmanager
def answering(run: Path, *raters: str, say=lambda asked: "left", most: int = 10_000) -> Iterator[list[str]]:
    """Raters who answer whatever is there while the body lasts; yields what was said, a line each."""
    stop, said = threading.Event(), []

    def work(rater: str) -> None:
        with store.opened(run) as db:
            while not stop.is_set() and len(said) < most:
                asked = upcoming(db, rater)
                if asked is None:
                    time.sleep(0.01)
                    continue
                answer(db, rater, asked.token, say(asked))
                said.append(f"{rater}: {asked}")

    threads = [threading.Thread(target=work, args=(rater,)) for rater in raters]
    for thread in threads:
        thread.start()
    try:
        yield said
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def smaller(asked: RaterQuestion) -> str:
    """Says which of the two has the smaller id: an answer that does not depend on the side."""
    return "left" if int(asked.left.split("-")[0]) < int(asked.right.split("-")[0]) else "right"


def test_a_search_is_told_what_people_said_whichever_side_it_stood_on(tmp_path):
    x, a, b = triplets(25)
    judge = people(tmp_path)
    with answering(tmp_path, "ann", "bob", say=smaller):
        said = judge(x, a, b)
    np.testing.assert_array_equal(said, np.where(a.ids < b.ids, A, B))
    np.testing.assert_array_equal(judge(x, a, b), said)  # nobody is there any more
    np.testing.assert_array_equal(judge(x, b, a), -said)
    np.testing.assert_array_equal(RecordedAnswers(str(tmp_path / "labels/answers.jsonl"))(x, a, b), said)
    with store.opened(tmp_path) as db:
        sides = [side for (side,) in db.execute("SELECT side FROM asks WHERE repeat = 0")]
    assert 5 <= sides.count("a") <= 20
    assert set(judge.raters(x, a, b)) == {0}
    named = People(draw, str(tmp_path), names=("bob", "ann"))
    assert set(named.raters(x, a, b)) <= {0, 1}


def test_a_search_that_is_started_again_waits_only_for_what_is_missing(tmp_path):
    x, a, b = triplets(12)  # one of them twice, turned
    with pytest.raises(KeyboardInterrupt), answering(tmp_path, "ann", say=smaller, most=5) as said:
        threading.Thread(target=lambda: (_until(lambda: len(said) == 5), os.kill(os.getpid(), signal.SIGTERM))).start()
        people(tmp_path)(x, a, b)
    handler = signal.getsignal(signal.SIGTERM)
    with answering(tmp_path, "bob", say=smaller):
        np.testing.assert_array_equal(people(tmp_path)(x, a, b), np.where(a.ids < b.ids, A, B))
    assert signal.getsignal(signal.SIGTERM) == handler
    with store.opened(tmp_path) as db:
        assert db.execute("SELECT rater, count(*) FROM answers GROUP BY rater").fetchall() == [("ann", 5), ("bob", 6)]


def _until(true) -> None:
    for _ in range(2000):
        if true():
            return
        time.sleep(0.01)


def test_other_questions_put_the_old_ones_aside_and_keep_their_answers(tmp_path):
    numbers = fill(tmp_path, [spot(i) for i in range(9)], 5)
    with store.opened(tmp_path) as db:
        first = upcoming(db, "ann")
        assert first is not None
        answer(db, "ann", first.token, "left")
        other = questions.Question("1-00000001", "7-00000007", "8-00000008")
        again = questions.put(db, [other], 1)
        assert questions.waiting(db, again).missing == 1
        assert progress.counts(db, "ann")[:2] == (1, 0)
        second = upcoming(db, "ann")
        assert second is not None and {second.left, second.right} == {other.a, other.b}
        assert questions.waiting(db, numbers[:1]).missing == 0


def test_the_first_questions_come_first_and_nobody_gets_what_another_looks_at(tmp_path):
    numbers = fill(tmp_path, [spot(i) for i in range(9)], 6)
    with store.opened(tmp_path) as db:
        shown = [upcoming(db, rater) for rater in ("ann", "bob", "cid")]
        order = [question for (question,) in db.execute("SELECT question FROM asks ORDER BY id")]
        assert order == numbers[:3] and None not in shown
        assert upcoming(db, "ann") == shown[0]  # a page that is loaded again
        db.execute("UPDATE asks SET shown = shown - 3600 WHERE rater = 'ann'")  # ann went home
        fourth = upcoming(db, "dan")
        assert fourth is not None and fourth[2:5] in (shown[0][2:5], (shown[0].x, shown[0].right, shown[0].left))
        db.execute("UPDATE asks SET shown = shown + 7200 WHERE rater = 'bob'")  # the clock was set back: bob's is free too
        fifth = upcoming(db, "eve")
        assert fifth is not None and fifth[2:5] in (shown[1][2:5], (shown[1].x, shown[1].right, shown[1].left))


def test_undo_and_skip(tmp_path):
    fill(tmp_path, [spot(i) for i in range(9)], 3)
    with store.opened(tmp_path) as db:
        with pytest.raises(RefusalError, match="nothing to take back"):
            undo(db, "ann")
        first = _shown(db, "ann")
        answer(db, "ann", first.token, "left")
        assert undo(db, "ann") == "answered"
        again = _shown(db, "ann")
        assert again[1:] == first[1:] and again.token != first.token
        skip(db, "ann", again.token)
        second = _shown(db, "ann")
        assert second[2:] != first[2:]
        assert undo(db, "ann") == "skipped"
        assert _shown(db, "ann")[1:] == first[1:]
        skip(db, "ann", _shown(db, "ann").token)
        for _ in range(2):
            answer(db, "ann", _shown(db, "ann").token, "right")
        last = _shown(db, "ann")
        assert {last.left, last.right} == {first.left, first.right}  # what was skipped comes last, and comes
        answer(db, "ann", last.token, "?")
        assert upcoming(db, "ann") is None
        assert db.execute("SELECT count(*), sum(undone) FROM answers").fetchone() == (4, 1)
        assert db.execute("SELECT sum(given) FROM questions").fetchone() == (3,)


def _shown(db, rater: str) -> RaterQuestion:
    asked = upcoming(db, rater)
    assert asked is not None
    return asked


def test_a_form_is_good_for_one_act_of_one_person(tmp_path):
    fill(tmp_path, [spot(i) for i in range(9)], 3)
    with store.opened(tmp_path) as db:
        asked = _shown(db, "ann")
        for rater, token, said, status in (("bob", asked.token, "left", 404), ("ann", "x", "left", 404),
                                           ("ann", asked.token, "above", 400)):  # fmt: skip
            with pytest.raises(RefusalError) as refused:
                answer(db, rater, token, said)
            assert refused.value.status == status
        answer(db, "ann", asked.token, "left")
        for again in (lambda: answer(db, "ann", asked.token, "right"), lambda: skip(db, "ann", asked.token)):
            with pytest.raises(RefusalError) as refused:
                again()
            assert refused.value.status == 409
        assert db.execute("SELECT count(*) FROM answers").fetchone() == (1,)


def test_one_in_ten_is_asked_again_and_does_not_count(tmp_path):
    fill(tmp_path, [spot(i) for i in range(20)], 60)
    with store.opened(tmp_path) as db:
        repeats = 0
        while asked := upcoming(db, "ann"):
            answer(db, "ann", asked.token, smaller(asked))
            repeats += asked.repeat
        assert repeats == 6
        assert db.execute("SELECT count(*), sum(counted) FROM answers").fetchone() == (66, 60)
        found = progress.agreement(db, "ann", tmp_path)
        assert (found.myself, found.others.of) == ((6, 6), 0) and str(found.myself) == "100 %"
        said = [json.loads(line) for line in jsonl.text(jsonl.records(db)).splitlines()]
    again = [line for line in said if line.get("repeat")]
    assert len(again) == 6 and all(line["counted"] is False for line in again)


def test_several_people_answer_and_the_majority_counts(tmp_path):
    x, a, b = triplets(4)
    judge = people(tmp_path, each=3)
    votes = {"ann": "left", "bob": "left", "cid": "right"}
    with answering(tmp_path, "ann", say=smaller), answering(tmp_path, "bob", say=smaller), \
         answering(tmp_path, "cid", say=lambda asked: {"left": "right", "right": "left"}[smaller(asked)]):  # fmt: skip
        said = judge(x, a, b)
    np.testing.assert_array_equal(said, np.where(a.ids < b.ids, A, B))
    with store.opened(tmp_path) as db:
        assert progress.agreement(db, "ann", tmp_path).others == (4, 12)
        assert db.execute("SELECT count(DISTINCT rater) FROM answers").fetchone() == (len(votes),)


def test_what_the_search_has_used_stands(tmp_path):
    numbers = fill(tmp_path, [spot(i) for i in range(9)], 1)
    with store.opened(tmp_path) as db:
        mine = _shown(db, "ann")
        db.execute("UPDATE asks SET shown = shown - 3600")
        late = _shown(db, "bob")
        answer(db, "ann", mine.token, "left")
        assert not questions.close(db, numbers, quiet=60.0)  # ann may still take it back
        assert questions.close(db, numbers, quiet=0.0)
        with pytest.raises(RefusalError, match="learned from your last answer"):
            undo(db, "ann")
        answer(db, "bob", late.token, "right")  # stored, and used for nothing
        assert db.execute("SELECT counted FROM answers ORDER BY id").fetchall() == [(1,), (0,)]
        assert undo(db, "bob") == "answered"
        assert upcoming(db, "ann") is None and upcoming(db, "bob") is None


def test_who_comes_second_to_a_question_for_one_is_kept_in_reserve(tmp_path):
    (number,) = fill(tmp_path, [spot(i) for i in range(9)], 1)
    with store.opened(tmp_path) as db:
        mine = _shown(db, "ann")
        db.execute("UPDATE asks SET shown = shown - 3600")  # ann looks out of the window
        answer(db, "bob", _shown(db, "bob").token, "left")
        answer(db, "ann", mine.token, "right")
        assert db.execute("SELECT rater, counted FROM answers ORDER BY id").fetchall() == [("bob", 1), ("ann", 0)]
        undo(db, "bob")
        counts = "SELECT rater FROM answers WHERE counted = 1 AND undone = 0"
        assert db.execute(counts).fetchall() == [("ann",)] and questions.waiting(db, [number]).missing == 0
        answer(db, "bob", _shown(db, "bob").token, "right")
        assert db.execute(counts).fetchall() == [("ann",)] and db.execute("SELECT given FROM questions").fetchone() == (1,)


def test_many_who_open_a_store_at_once_all_get_it(tmp_path):
    failed, together = [], threading.Barrier(4)

    def work(run: Path) -> None:
        together.wait()
        try:
            with store.opened(run) as db:
                db.execute("SELECT count(*) FROM questions")
        except ValueError as error:
            failed.append(error)

    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for number in range(100):
            threads = [threading.Thread(target=work, args=(tmp_path / str(number),)) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    finally:
        sys.setswitchinterval(usual)
    assert not failed


def test_which_of_two_is_better(tmp_path):
    _, a, b = triplets(8)
    with answering(tmp_path, "ann", say=smaller):
        said = people(tmp_path).better(a, b)
    np.testing.assert_array_equal(said, np.where(a.ids < b.ids, A, B))
    recorded = RecordedAnswers(str(tmp_path / "labels/answers.jsonl"), min_share=0.0)
    np.testing.assert_array_equal(recorded.better(b, a), -said)
    assert (recorded(*triplets(8)) == CANT_TELL).all()


def test_answers_go_out_and_into_another_run_where_nobody_is_asked_again(tmp_path, capsys):
    x, a, b = triplets(15)
    one, two = tmp_path / "one", tmp_path / "two"
    with answering(one, "ann", "bob <i>", say=lambda asked: "?" if "5" in asked.left else smaller(asked)):
        said = people(one)(x, a, b)
    file = tmp_path / "answers.jsonl"
    assert command.main(["export", str(one), "--out", str(file)]) == 0
    with pytest.raises(ValueError, match="two is not the folder of a run"):
        command.main(["import", str(two), str(file)])
    assert not two.exists()
    two.mkdir()
    (two / "config.yaml").write_text("judge: {_target_: feedback.judges.similarity.people.People}\n")
    assert command.main(["import", str(two), str(file)]) == 0
    assert command.main(["import", str(two), str(file)]) == 0
    told = capsys.readouterr().out.splitlines()
    n = len(file.read_text().splitlines())
    assert told[1].startswith(f"{n} new answers in {two}") and told[2].startswith(
        f"0 new answers in {two}; it had {n} of them already"
    )
    np.testing.assert_array_equal(people(two)(x, b, a), -said)
    command.main(["export", str(two)])
    again = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert again == [json.loads(line) for line in file.read_text().splitlines()]


def test_lines_that_cannot_be_taken_are_named_and_none_is(tmp_path):
    good = {"x": 1, "a": 2, "b": 3, "answer": "b", "rater": "ann", "marks": ["aa", "bb", "cc"]}
    bad = [good, good | {"answer": "c"}, {"x": 1}, good | {"marks": None}, good | {"answer": "a"}, good | {"a": -2}]
    with store.opened(tmp_path) as db:
        told = (
            r"5 lines .*line 2: answer 'c'.*line 3: it lacks 'a'.*line 4: it lacks the marks.*line 5: ann gave another answer"
        )
        with pytest.raises(ValueError, match=told):
            jsonl.take(db, [json.dumps(line) for line in bad])
        assert db.execute("SELECT count(*) FROM questions").fetchone() == (0,)
        with pytest.raises(ValueError, match="line 1"):
            jsonl.take(db, ["{"])
        with pytest.raises(ValueError, match="line 1: \\[\\] is not an answer"):
            jsonl.take(db, ["[]"])


def test_a_dry_run_is_answered_by_lot_and_says_so():
    x, a, b = triplets(200)
    with pytest.warns(UserWarning, match="the answers are random"):
        said = People(draw)(x, a, b)
        np.testing.assert_array_equal(People(draw)(x, b, a), -said)
    assert 60 < (said == A).sum() < 140 and set(said) == {A, B}
    assert hash(People(draw)) == hash(People(draw)) and People(draw) == People(draw)


def test_the_line_says_how_many_answers_are_missing(tmp_path):
    plain = io.StringIO()
    with Line(tmp_path / "a b", plain) as line:
        for missing in (3, 3, 2):
            line.show(Wait(4, missing, 0.0))
    assert plain.getvalue().splitlines() == [
        f"qd: waiting for people: 3 answers are missing to 4 questions; type qd label '{tmp_path}/a b'"
    ]
    live = io.StringIO()
    live.isatty = lambda: True  # type: ignore[method-assign]
    with Line(tmp_path, live) as line:
        line.show(Wait(4, 1, 0.0))
        line.show(Wait(4, 0, 0.0))
        time.sleep(0.3)
    assert "1 answer is missing to 4 questions" in live.getvalue() or "all answers are in" in live.getvalue()


def test_what_cannot_be_is_named(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="each=0"):
        People(draw, each=0)
    with pytest.raises(ValueError, match="at most 8,388,608"):
        big = People(lambda solutions: [Rendering("png", bytes(9 << 20))] * len(solutions), str(tmp_path))
        big(*triplets(1))
    with pytest.raises(ValueError, match="is not the folder of a run"):
        command.main([str(tmp_path / "none")])
    with pytest.raises(ValueError, match="type a number above 0"):
        command.main([str(tmp_path), "--limit", "0"])
    (tmp_path / "bad/labels").mkdir(parents=True)
    (tmp_path / "bad/labels/labels.sqlite").write_bytes(b"not a store at all" * 100)
    with pytest.raises(ValueError, match="is not a store of answers"), store.opened(tmp_path / "bad"):
        pass
    with store.opened(tmp_path / "later") as db:
        db.execute("PRAGMA user_version = 9")
    with pytest.raises(ValueError, match="version 9"), store.opened(tmp_path / "later"):
        pass
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "uvicorn" else object())
    with pytest.raises(ValueError, match=r"needs uvicorn.*pip install 'qd-atlas\[web\]'"):
        command.main([str(tmp_path / "later")])


def test_one_sync_serves_all_who_wait_and_begins_after_they_wrote(tmp_path, monkeypatch):
    disk, begun, wrote = store.Disk(tmp_path), [], []

    def sync() -> None:
        begun.append(len(wrote))
        time.sleep(0.02)

    monkeypatch.setattr(disk, "_sync", sync)

    async def write(i: int) -> None:
        await asyncio.sleep(0.001 * i)
        wrote.append(i)
        mine = len(wrote)
        await disk.reached()
        assert any(at >= mine for at in begun)

    async def together() -> None:
        await asyncio.gather(*(write(i) for i in range(50)))

    asyncio.run(together())
    assert len(wrote) == 50 and 2 <= len(begun) <= 12


def test_the_page_imports_nothing_else_of_feedback():
    for room in sorted((HOUSE / "feedback/label").glob("*.py")):
        for node in ast.walk(ast.parse(room.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert all(not name.startswith("feedback") or name.startswith("feedback.label") for name in names), room


@pytest.mark.parametrize("damage", ["pages", "tables"])
def test_a_damaged_store_is_named(tmp_path, damage):
    fill(tmp_path, [spot(i) for i in range(9)], 60)
    file = tmp_path / "labels/labels.sqlite"
    if damage == "tables":
        with closing(sqlite3.connect(file)) as db:
            db.execute("DROP TABLE answers")
    else:
        content = file.read_bytes()
        file.write_bytes(content[:4096] + b"\x07" * (len(content) - 4096))
    message = r"labels.sqlite is not a store of answers, or is damaged .*; move it away"
    with pytest.raises(UserError, match=message), store.opened(tmp_path) as db:
        list(jsonl.records(db)), db.execute("SELECT * FROM questions").fetchall()


def test_only_the_owner_reads_the_store_and_its_secrets_stand_apart(tmp_path):
    folder = tmp_path / "labels"
    folder.mkdir()
    file = folder / "labels.sqlite"
    with sqlite3.connect(file) as db:  # a store of version 1
        for statement in re.split(r";\n(?=CREATE)", store._SCHEMA.strip()):
            db.execute(statement)
        db.executemany("INSERT INTO about VALUES (?, ?)", [("secret", "s" * 64), ("key", "k" * 22), ("words", "Which?")])
        db.execute("PRAGMA user_version = 1")
    db.close()
    file.chmod(0o644)
    with store.opened(tmp_path) as db:
        store.note(db, "seed", "3")
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.glob("labels.sqlite*")} == {0o600}
        assert dict(db.execute("SELECT name, value FROM about").fetchall()) == {"words": "Which?", "seed": "3"}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700  # with answers.jsonl and the solutions that were shown
    secrets = folder / "secrets.json"
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o600
    assert private.secret(folder, private.SESSION) == "s" * 64 and private.secret(folder, private.KEY) == "k" * 22
    assert b"s" * 64 not in file.read_bytes() and b"k" * 22 not in file.read_bytes()
    with store.opened(tmp_path / "new"):
        one = private.secret(tmp_path / "new/labels", private.KEY)
    assert len(one) >= 20 and private.secret(tmp_path / "new/labels", private.KEY) == one
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="is a link to .*remove the link"), store.opened(tmp_path):
        pass


@pytest.mark.parametrize("judge", ["null", "{_target_: feedback.judges.Oracle, feature: gripper}"])
def test_the_page_of_a_run_that_asks_nobody_is_refused_and_nothing_is_touched(tmp_path, judge):
    (tmp_path / "config.yaml").write_text(f"name: arm\njudge: {judge}\n")
    file = tmp_path.parent / f"{tmp_path.name}.jsonl"
    file.write_text('{"a": 1, "b": 2, "answer": "a", "marks": ["1", "2"]}\n')
    for words in ([str(tmp_path)], ["export", str(tmp_path)], ["import", str(tmp_path), str(file)]):
        with pytest.raises(ValueError, match="asks no raters; start one with judge=people"):
            command.main(words)
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]


def test_wrong_words_of_the_command_are_messages(tmp_path):
    (tmp_path / "config.yaml").write_text("judge: {_target_: feedback.judges.similarity.people.People}\n")
    run, file = str(tmp_path), tmp_path / "answers.jsonl"
    for words, message in (
        ([run, "--port", "0"], "--port 0 is out of range; type a port from 1 to 65535"),
        ([run, "--limit", "0"], "--limit 0 is out of range; type a number above 0"),
        (["export", run], "holds no answers yet; type qd label .*, and answer its questions"),
        (["import", run, str(file)], r"answers.jsonl cannot be read \(No such file or directory\)"),
    ):
        with pytest.raises(ValueError, match=message):
            command.main(words)
    file.write_bytes(b"\xff")
    with pytest.raises(ValueError, match="is not a text in UTF-8; type a file that qd label export wrote"):
        command.main(["import", run, str(file)])
    file.write_text("hello\n")
    with pytest.raises(ValueError, match=r"1 line cannot be imported, so none was \(line 1: it is not JSON"):
        command.main(["import", run, str(file)])


def test_a_run_that_will_ask_is_known_before_its_first_question(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(
        "descriptor: {spend: [30, 30, 30]}\njudge:\n  _target_: feedback.judges.simulated.Pool\n"
        "  judges:\n  - {_target_: feedback.judges.people.People}\n"
    )
    assert run_view.asks_raters(tmp_path) and run_view.plan(tmp_path) == (90, 1)
    config.write_text("judge: {_target_: mine.Judge, each: 2}\ndescriptor: {questions_per_fit: [3, 2]}\n")
    assert run_view.asks_raters(tmp_path) and run_view.plan(tmp_path) == (5, 2)
    config.write_text("judge: [\n")
    assert not run_view.asks_raters(tmp_path) and run_view.plan(tmp_path) is None


@pytest.mark.parametrize(
    ("words", "questions"),
    [
        ("refit: null", 5),
        ("refit: [10]", 12),
        ("refit: [0.1, 0.5, 0.7]", 21),
        ("refit: 40\nbudget: 100", 21),
        ("refit: 60\nbudget: 100", 12),
        ("refit: outside", 21),
        ("", 21),
    ],
)
def test_the_plan_counts_the_questions_of_as_many_fits_as_there_will_be(tmp_path, words, questions):
    (tmp_path / "config.yaml").write_text(f"{words}\ndescriptor: {{questions_per_fit: [5, 7, 9]}}\n")
    assert run_view.plan(tmp_path) == (questions, 1)


def test_the_evaluations_are_those_of_the_picture(tmp_path):
    """At the end of a run the last archive is there some time before its picture is drawn."""
    (tmp_path / "now").mkdir()
    for header, n in (("now/archive.json", 400), ("archive.json", 600)):
        (tmp_path / header).write_text(f'{{"evaluations": {n}}}')
    (tmp_path / "now/map.png").write_bytes(b"live")
    assert run_view.evaluations(tmp_path) == 400
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures/sheet.png").write_bytes(b"final")
    assert run_view.picture(tmp_path) == tmp_path / "figures/sheet.png" and run_view.evaluations(tmp_path) == 600


def test_a_full_disk_undoes_the_whole_transaction_and_the_store_goes_on(tmp_path):
    with store.opened(tmp_path) as db:
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count = {pages + 1}")
        with pytest.raises(sqlite3.OperationalError, match="full"), transaction(db):
            store.note(db, "words", "x" * 100_000)
        db.execute("PRAGMA max_page_count = 100000")
        with transaction(db):
            store.note(db, "words", "y")
        assert store.about(db, "words") == "y"


@pytest.mark.parametrize("content", ["[]", "null", '"session"', '{"session": 5}', "{", "\x00"])
def test_damaged_secrets_are_named(tmp_path, content):
    (tmp_path / "secrets.json").write_text(content)
    with pytest.raises(UserError, match=r"secrets\.json is damaged .*remove it"):
        private.secret(tmp_path, private.SESSION)
    with pytest.raises(UserError, match=r"secrets\.json is damaged"):
        private.keep(tmp_path, {private.KEY: "k"})
