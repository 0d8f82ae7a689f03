"""qd select: a subset that is diverse and good, the same again, and what cannot be chosen."""

import itertools
import json

import numpy as np
import pytest

from qd.archives import Grid, insert, objects
from qd.cli.main import main
from qd.diversity import vendi
from qd.report.subset import choose_balanced, choose_subset, likeness, numbers, random_subsets, shortfalls
from qd.store import archive_file
from qd.types import Rows
from tests.support.stored import BOUNDS, stored


def clumps(n: int = 200, kinds: int = 10, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit vectors of ``kinds`` kinds, half of them of the first; their kind, and how good they are."""
    rng = np.random.default_rng(seed)
    kind = np.where(np.arange(n) % 2 == 0, 0, rng.integers(1, kinds, n))
    x = np.eye(16)[kind] + 0.003 * rng.normal(size=(n, 16))
    good = rng.uniform(size=n) + 0.3 * (kind == 0)  # the common kind is the better one: the best n are all alike
    return x / np.linalg.norm(x, axis=1, keepdims=True), kind, good


def line(n: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Measures in a square, the better the nearer to a corner: the best n lie close together."""
    x = np.random.default_rng(seed).uniform(size=(n, 2))
    return x, 100 * (1 - x.sum(axis=1) / 2) + np.random.default_rng(seed + 1).normal(size=n)


def apart(x: np.ndarray) -> float:
    """The least distance between two rows."""
    return float(np.linalg.norm(x[:, None] - x, axis=2)[np.triu_indices(len(x), 1)].min())


def test_no_diversity_chooses_the_best_and_full_diversity_goes_farthest_first():
    x, good = line()
    np.testing.assert_array_equal(choose_subset(x, good, 9, 0), np.argsort(-good)[:9])
    rows = [int(good.argmax())]
    while len(rows) < 9:
        rows.append(int(np.linalg.norm(x[:, None] - x[rows], axis=2).min(axis=1).argmax()))
    np.testing.assert_array_equal(choose_subset(x, good, 9, 1), rows)


@pytest.mark.parametrize("seed", range(5))
def test_up_to_a_half_each_is_the_best_that_lies_far_enough_from_all_before(seed):
    x, good = line(seed=seed)
    reach = apart(x[choose_subset(x, good, 15, 1)])
    for diversity in (0.25, 0.5):
        rows = choose_subset(x, good, 15, diversity)
        assert apart(x[rows]) >= diversity * reach
        assert (np.diff(good[rows]) <= 0).all() and rows[0] == good.argmax()
        for i in range(1, 15):  # whatever is better lies too near to one that was chosen before
            better = np.flatnonzero(good > good[rows[i]])
            assert (np.linalg.norm(x[better][:, None] - x[rows[:i]], axis=2).min(axis=1) < diversity * reach).all()


def test_farthest_first_keeps_at_least_half_of_the_largest_distance():
    x, good = line(12)
    largest = max(apart(x[list(rows)]) for rows in itertools.combinations(range(12), 5))
    assert apart(x[choose_subset(x, good, 5, 1)]) >= largest / 2


def test_more_diversity_is_more_diverse_and_less_good():
    x, good = line(400)
    like = likeness(x)
    figures = [numbers(like, good, choose_subset(x, good, 20, diversity)) for diversity in (0, 0.5, 0.8, 1)]
    for lower, higher in itertools.pairwise(figures):
        assert higher["vendi"] > lower["vendi"] and higher["nearest"] > lower["nearest"]
        assert higher["objective"] < lower["objective"]


@pytest.mark.parametrize("n", [5, 20, 60])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kinds", [True, False], ids=["vectors", "measures"])
def test_by_default_more_diverse_and_better_than_random(kinds, seed, n):
    x, good = clumps(400, seed=seed)[::2] if kinds else line(400, seed)
    like = likeness(x)
    random = random_subsets(like, good, n, seed)
    _, rows = choose_balanced(like, good, n, random)
    figures = numbers(like, good, rows)
    assert figures["vendi"] > random["vendi"] and figures["objective"] > random["objective"]
    if kinds and n == 60:  # of ten tight clumps: whatever of the six diversities is chosen, some of a clump are neighbours
        assert shortfalls(figures, random) in ([], ["nearest"])
    else:
        assert figures["nearest"] > random["nearest"]


def test_where_neither_is_possible_the_default_is_as_good_as_random_and_says_what_it_is_not(tmp_path, capsys):
    rng = np.random.default_rng(0)  # the bad ones lie far out, all others in one point
    x = np.where(np.arange(100)[:, None] < 90, 0.0, rng.normal(size=(100, 2))).astype(np.float64)
    good = np.where(np.arange(100) < 90, 1.0, -100.0)
    like = likeness(x)
    random = random_subsets(like, good, 20, 0)
    diversity, rows = choose_balanced(like, good, 20, random)
    assert diversity == 0.5 and shortfalls(numbers(like, good, rows), random) == ["vendi", "nearest"]
    run_of(tmp_path / "run")
    assert main(["select", str(tmp_path / "run"), "--n", "8", "--by", "vector", "--diversity", "0"]) == 0
    output = capsys.readouterr().out
    assert "diversity 0 of 0" in output and "note: less diverse, closer together than random subsets are on average" in output


@pytest.mark.parametrize("n", [1, 2, 17, 200])
@pytest.mark.parametrize("diversity", [0, 0.3, 0.9, 1])
def test_so_many_are_chosen_each_once(n, diversity):
    x, _, good = clumps()
    rows = choose_subset(x, good, n, diversity)
    assert len(rows) == n == len(set(rows.tolist()))


@pytest.mark.parametrize("diversity", [0, 0.3, 1])
def test_equal_vectors_and_equal_objectives(diversity):
    rows = choose_subset(np.ones((9, 2)), np.zeros(9), 4, diversity)
    assert len(set(rows.tolist())) == 4
    assert numbers(likeness(np.ones((9, 2))), np.zeros(9), rows)["vendi"] == pytest.approx(1)


def run_of(folder, n: int = 60) -> None:
    rng = np.random.default_rng(2)
    x, _, good = clumps(n)
    rows = Rows(np.arange(n), rng.normal(size=(n, 3)), good.astype(np.float32), {"vector": x}, np.ones(n, bool))
    archive = Grid((50, 50)).open(rows, BOUNDS, ("vector",), 0)
    measures = np.stack([np.linspace(-1, 1, n), rng.uniform(0, 2, n)], 1).astype(np.float32)
    insert(archive, rows.ids, rows.solutions, rows.objective, measures, rows.features)
    folder.mkdir()
    archive_file.save(folder, archive, BOUNDS, {"seed": 0, "evaluations": n})


@pytest.mark.parametrize("by", ["measures", "vector"])
def test_a_subset_is_written_beside_what_it_is_compared_with(tmp_path, capsys, by):
    run_of(tmp_path / "run")
    assert main(["select", str(tmp_path / "run"), "--n", "8", "--by", by]) == 0
    output = capsys.readouterr().out
    rows = [json.loads(line) for line in (tmp_path / "run/selection.jsonl").read_text().splitlines()]
    report = json.loads((tmp_path / "run/selection.report.json").read_text())
    assert len({row["id"] for row in rows}) == 8 and {"solution", "objective", "measures", "vector"} <= set(rows[0])
    assert report["sets"]["selected"]["objective"] == pytest.approx(np.mean([row["objective"] for row in rows]))
    assert report["kernel"] == "cosine" if by == "vector" else report["kernel"].startswith("gaussian")
    assert report["sets"]["selected"]["vendi"] > report["sets"]["best"]["vendi"]
    assert all(word in output for word in ("selected", "random (mean)", "the best 8", f"compared by {by}"))
    assert f"\ndiversity {report['diversity']:g} of 0 (the best)" in output and "note" not in output
    if by == "vector":
        assert report["sets"]["selected"]["vendi"] == pytest.approx(vendi([row["vector"] for row in rows]), rel=1e-4)


def test_texts_are_chosen_whole(tmp_path):
    stored(tmp_path / "run", objects(["one", "two,\nthree", "<i>four</i>", "five"]))
    assert main(["select", str(tmp_path / "run"), "--n", "4", "--format", "csv", "--out", str(tmp_path / "few.csv")]) == 0
    assert "<i>four</i>" in (tmp_path / "few.csv").read_text()


def test_one_alone_has_no_neighbour(tmp_path, capsys):
    run_of(tmp_path / "run")
    assert main(["select", str(tmp_path / "run"), "--n", "1"]) == 0
    report = json.loads((tmp_path / "run/selection.report.json").read_text())
    assert report["sets"]["selected"]["nearest"] is None and report["sets"]["selected"]["vendi"] == pytest.approx(1)


def test_messages(tmp_path, capsys):
    run_of(tmp_path / "run")
    assert main(["select", str(tmp_path), "--n", "3"]) == 1
    assert "it holds no archive.json" in capsys.readouterr().err
    for args, message in [
        (["--n", "61"], "--n 61 is more than there are: "),
        (["--n", "0"], "--n 0 chooses nothing; type --n 20"),
        (["--n", "3", "--by", "vektor"], "unknown feature 'vektor' in --by; type vector or run again with keep=[vektor]"),
        (["--n", "3", "--diversity", "1.5"], "--diversity 1.5 is not from 0 (the best) to 1 (far apart); type --diversity 0.8"),
        (["--n", "3", "--diversity", "nan"], "--diversity nan is not from 0"),
    ]:
        assert main(["select", str(tmp_path / "run"), *args]) == 1
        assert message in capsys.readouterr().err
    assert main(["select", str(tmp_path / "run"), "--n", "3", "--clusters", "9"]) == 2
    assert "--clusters and --rounds are gone: type --diversity 0.8" in capsys.readouterr().err
    stored(tmp_path / "texts", objects(["a", "b"]))
    assert main(["select", str(tmp_path / "texts"), "--n", "1", "--by", "solution"]) == 1
    assert "--by solution holds no numbers" in capsys.readouterr().err
