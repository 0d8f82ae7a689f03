"""qd select: a subset that is diverse and good, the same again, and what cannot be chosen."""

import json

import numpy as np
import pytest

from qd.archives import Grid, insert, objects
from qd.cli.main import main
from qd.diversity import vendi
from qd.report.subset import choose_subset, compare_sets, likeness
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


def test_each_kind_is_chosen_by_its_best():
    x, kind, good = clumps()
    picked = choose_subset(x, good, 10, 10, 4, 0)
    assert sorted(kind[picked]) == list(range(10))
    for i in picked:
        assert good[i] == good[kind == kind[i]].max()


@pytest.mark.parametrize("seed", range(5))
def test_more_diverse_than_random_and_the_best_and_better_than_random(seed):
    x, _, good = clumps(seed=seed)
    like = likeness(x)
    found = compare_sets(like, good, choose_subset(x, good, 12, 10, 4, seed), seed)
    assert like.width is None
    assert found["selected"]["vendi"] > found["random"]["vendi_high"] > found["best"]["vendi"]
    assert found["selected"]["objective"] > found["random"]["objective_high"]
    assert found["best"]["objective"] >= found["selected"]["objective"]


def test_fewer_clusters_and_reweighting_are_for_quality():
    x, _, good = clumps(400, 16)
    many, few = (np.array(choose_subset(x, good, 40, clusters, 4, 0)) for clusters in (40, 8))
    assert vendi(x[many]) > vendi(x[few]) and good[few].mean() > good[many].mean()
    once, often = (good[choose_subset(x, good, 40, 16, rounds, 0)].mean() for rounds in (1, 8))
    assert often > once


@pytest.mark.parametrize("n", [1, 2, 17, 200])
def test_so_many_are_chosen_each_once_and_the_same_again(n):
    x, _, good = clumps()
    picked = choose_subset(x, good, n, max(1, n // 2), 4, 3)
    assert len(picked) == n == len(set(picked.tolist()))
    np.testing.assert_array_equal(picked, choose_subset(x, good, n, max(1, n // 2), 4, 3))


def test_equal_vectors_and_equal_objectives_choose_all_the_same():
    assert len(choose_subset(np.ones((9, 2)), np.zeros(9), 4, 3, 2, 0)) == 4
    like = likeness(np.ones((9, 2)))
    assert compare_sets(like, np.zeros(9), np.arange(4), 0)["selected"]["vendi"] == pytest.approx(1)


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
    said = capsys.readouterr().out
    rows = [json.loads(line) for line in (tmp_path / "run/selection.jsonl").read_text().splitlines()]
    report = json.loads((tmp_path / "run/selection.report.json").read_text())
    assert len({row["id"] for row in rows}) == 8 and {"solution", "objective", "measures", "vector"} <= set(rows[0])
    assert report["sets"]["selected"]["objective"] == pytest.approx(np.mean([row["objective"] for row in rows]))
    assert report["kernel"] == "cosine" if by == "vector" else report["kernel"].startswith("gaussian")
    assert report["sets"]["selected"]["vendi"] > report["sets"]["best"]["vendi"]
    assert all(word in said for word in ("selected", "random (mean)", "the best 8", f"alike by {by}"))
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
    for args, said in [
        (["--n", "61"], "--n 61 is more than there are: "),
        (["--n", "0"], "--n 0 chooses nothing; type --n 20"),
        (["--n", "3", "--by", "vektor"], "unknown feature 'vektor' in --by; type vector or run again with keep=[vektor]"),
        (["--n", "3", "--clusters", "61"], "--clusters 61 cannot be with 60 elites; type --clusters 1 to 60"),
        (["--n", "3", "--rounds", "0"], "--rounds 0 is below 1; type --rounds 4"),
    ]:
        assert main(["select", str(tmp_path / "run"), *args]) == 1
        assert said in capsys.readouterr().err
    stored(tmp_path / "texts", objects(["a", "b"]))
    assert main(["select", str(tmp_path / "texts"), "--n", "1", "--by", "solution"]) == 1
    assert "--by solution holds no numbers" in capsys.readouterr().err
