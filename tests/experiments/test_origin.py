"""Rows carry the code that made them; kept rows are run again and compared; rows of different code are no pair."""

import json
from itertools import product
from pathlib import Path

import pytest

from experiments import checking, command, origin, study
from qd.report import table
from qd.support.errors import UserError

QDHF = origin.ROOT / "experiments" / "qdhf" / "study.py"


def test_the_files_of_a_study_are_those_that_it_imports_at_any_depth():
    names = {path.relative_to(origin.ROOT).as_posix() for path in origin.files(QDHF)}
    assert {"feedback/preferences/posterior.py", "qd/search.py", "qd/__init__.py", "domains/maze/controller.py"} <= names
    assert not any(name.startswith(("qd/report", "qd/plots", "qd/cli", "domains/quant")) for name in names)


def test_a_fingerprint_changes_with_the_code_and_not_with_its_words(tmp_path, monkeypatch):
    def fingerprint(text: str) -> str:
        (tmp_path / "a.py").write_text(text)
        origin.fingerprint.cache_clear()
        origin._tree.cache_clear()
        return origin.fingerprint(tmp_path / "a.py")

    monkeypatch.setattr(origin, "ROOT", tmp_path)
    first = fingerprint('"""A."""\nx = 1\n')
    assert len(first) == 12 and fingerprint('"""Words."""\nx = 1  # a comment\n') == first
    assert fingerprint('"""A."""\nx = 2\n') != first


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A study of six kept rows, and what its function returns when they are run again."""
    monkeypatch.chdir(tmp_path)
    runs = study.runs(Path("experiments/results/mine"))
    for case, method, seed in product(("a", "b"), ("ours",), range(3)):
        study.add(runs, case, method, seed, {"score": 10.0 * seed, "cpu_seconds": 1.0})
    now = {"score": 0.0}

    def main(seeds: int = 3) -> None:
        folder = study.folder("mine")
        runs = study.runs(folder)
        for key in [
            *study.missing(runs, product(("a", "b"), ("ours",), range(seeds))),
            *study.missing(runs, [("a", "ours", 0)]),
        ]:
            (folder / "figure.png").write_text("another")
            study.add(runs, *key, {"score": 10.0 * key[2] + now["score"], "cpu_seconds": 9.0})
        study.report(folder, table.summary(runs), ["score"])

    return main, now


def test_rows_run_again_are_compared_and_nothing_else_is_touched(kept, capsys):
    main, now = kept
    folder = Path("experiments/results/mine")
    before = (folder / "runs.jsonl").read_bytes()
    study.check(main, {}, 4)
    assert capsys.readouterr().out.count("equal") == 5 and len((folder / "checks.jsonl").read_text().splitlines()) == 4
    now["score"] = 0.5
    study.check(main, {"seeds": 1}, 4)
    printed = capsys.readouterr().out
    assert "score 0 kept, 0.5 now" in printed and "0 of 2 rows are equal" in printed and "seconds" not in printed
    assert (folder / "runs.jsonl").read_bytes() == before and sorted(path.name for path in folder.iterdir()) == [
        "checks.jsonl",
        "runs.jsonl",
    ]
    assert list(study.missing(study.runs(folder), [("a", "ours", 7)])) == [("a", "ours", 7)]  # the check is over
    with pytest.raises(UserError, match="none of the rows"):
        study.check(lambda: study.missing(study.runs(study.folder("mine")), [("c", "ours", 0)]), {}, 1)


def test_the_same_rows_are_drawn_each_time_from_all_methods():
    planned = list(product("ab", ("ours", "theirs"), range(5)))
    drawn = checking.draw(planned, 6)
    assert drawn == checking.draw(planned[::-1], 6) and {key[:2] for key in drawn} == set(product("ab", ("ours", "theirs")))
    assert checking.draw(planned, 100) == set(planned)


def test_rows_of_different_code_are_no_pair(tmp_path):
    runs = study.runs(tmp_path)
    for seed, (ours, theirs) in enumerate([("x", "x"), ("x", "y"), ("", ""), ("x", ""), ("", "")]):
        for method, code in (("ours", ours), ("theirs", theirs)):
            runs.add("a", method, seed, {"score": 1.0 + seed * (method == "ours")}, {"code": code} if code else {})
    assert runs.pairs("a", "ours", "theirs", "score") == [(1, 1), (3, 1), (5, 1)]
    lines = [
        {"case": "a", "method": "theirs", "seed": 3, "equal": True, "differing": {}, "code": "x"},
        {"case": "a", "method": "theirs", "seed": 4, "equal": False, "differing": {"score": [1, 2]}, "code": "x"},
    ]
    (tmp_path / "checks.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert study.runs(tmp_path).pairs("a", "ours", "theirs", "score") == [(1, 1), (3, 1), (4, 1)]


def test_rows_that_a_command_makes_carry_fingerprint_and_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(origin, "_study", [QDHF])
    study.add(study.runs(tmp_path), "a", "ours", 0, {"score": 1.0})
    line = json.loads((tmp_path / "runs.jsonl").read_text())
    assert line["code"] == origin.fingerprint(QDHF) and study.runs(tmp_path).codes["a", "ours", 0] == {line["code"]}


def test_kept_rows_were_checked_as_the_readme_says():
    results = origin.ROOT / "experiments" / "results"
    equal = {
        path.parent.name: [json.loads(line)["equal"] for line in path.read_text().splitlines()]
        for path in results.glob("*/checks.jsonl")
    }
    n, n_equal = sum(map(len, equal.values())), sum(map(sum, equal.values()))
    words = " ".join((origin.ROOT / "experiments" / "README.md").read_text(encoding="utf-8").split())
    assert n >= 20 and len(equal) >= 6
    assert f"Of {n} rows of {len(equal)} studies that were checked, {n_equal} are equal and {n - n_equal} are marked" in words
    assert all(f"{sum(rows)} of {len(rows)} of `{name}`" in words for name, rows in equal.items())


def test_the_word_check_takes_a_number():
    assert command._check(["seeds=2", "--check", "5"]) == (["seeds=2"], 5) and command._check(["seeds=2"]) == (["seeds=2"], 0)
    for words in (["--check"], ["--check", "seeds=2"], ["--check", "0"]):
        with pytest.raises(UserError, match="no number of rows"):
            command._check(words)
