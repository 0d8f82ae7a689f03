"""qd import and from=: solutions found elsewhere or by an older run, evaluated again."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from domains.arm import Arm
from qd import keys
from qd.archives import objects
from qd.cli.main import main
from qd.config import compose
from qd.config.settings import to_config
from qd.store import archive_file, solutions
from tests.support.toys import Words

SMALL = ["domain.joints=4", "archive.dims=[10,10]", "console=off", "renderings=0"]
pytestmark = pytest.mark.usefixtures("own_folder")


def evaluated_arms(n: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Arms, their objectives and where their grippers are."""
    arm = Arm(joints=4)
    solutions = np.asarray(arm.sample(keys.new(5), n))
    evaluation = arm.evaluate(keys.split(keys.new(0), n), solutions)
    return solutions, np.asarray(evaluation.objective), np.asarray(evaluation.features["gripper"])


def pyribs_archive():
    from ribs.archives import GridArchive

    archive = GridArchive(solution_dim=4, dims=(10, 10), ranges=[(-1, 1), (-1, 1)], dtype=np.float32)
    archive.add(*evaluated_arms())
    return archive


def the_run(name: str = "arm") -> tuple[dict, dict, dict]:
    """The only run there is of that name: columns, the event of its start, its config."""
    (path,) = Path("runs", name).iterdir()
    started = json.loads((path / "events.jsonl").read_text().splitlines()[0])
    return archive_file.load(path).columns, started, yaml.safe_load((path / "config.yaml").read_text())


def by_cell(columns) -> dict[int, bytes]:
    return {int(cell): solution.tobytes() for cell, solution in zip(columns["index"], columns["solution"], strict=True)}


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_data_frame_of_pyribs(form):
    if form == "parquet":
        pytest.importorskip("pyarrow")
    pytest.importorskip("pandas")
    archive = pyribs_archive()
    frame = archive.data(return_type="pandas")
    frame.to_csv("theirs.csv") if form == "csv" else frame.to_parquet("theirs.parquet")
    assert main(["import", f"theirs.{form}", *SMALL]) == 0
    columns, started, config = the_run()
    assert by_cell(columns) == by_cell(archive.data())
    assert (started["solutions"], started["objective_differs"], started["measures_differ"]) == (len(archive), 0, 0)
    assert config["source"] == f"theirs.{form}" and config["budget"] == len(archive)


def test_differences_to_the_claims_are_counted(capsys):
    columns = pyribs_archive().data()
    columns["objective"][:3] += 50
    rows = [[*columns["solution"][i], columns["objective"][i]] for i in range(len(columns["objective"]))]
    rows.append([0, 0, 0, 0, "nan"])
    text = ["solution_0,solution_1,solution_2,solution_3,objective", *(",".join(map(str, row)) for row in rows)]
    Path("theirs.csv").write_text("\n".join(text))
    assert main(["import", "theirs.csv", *SMALL, "console=plain"]) == 0
    output = capsys.readouterr().out
    assert "(1 empty rows left out), evaluated again: the objective of 3 (by up to 50) differ from what it claims" in output
    started = the_run()[1]
    assert started["objective_differs"] == 3 and abs(started["objective_differs_by"] - 50) < 1e-3


@pytest.mark.parametrize("prefix", ["theirs/", "theirs/map_"])
@pytest.mark.parametrize("deep", [False, True])
def test_a_saved_map_of_qdax(prefix, deep):
    solutions, objective, gripper = evaluated_arms(30)
    empty = np.arange(30) % 3 == 0
    objective = np.where(empty, np.where(np.arange(30) % 2, -np.inf, np.nan), objective)
    Path("theirs").mkdir()
    for name, column in (("genotypes", solutions), ("fitnesses", objective[:, None] if deep else objective),
                         ("descriptors", gripper), ("centroids", gripper)):  # fmt: skip
        np.save(f"{prefix}{name}.npy", column)
    assert main(["import", prefix, *SMALL]) == 0
    columns, started, _ = the_run()
    assert (started["solutions"], started["objective_differs"], started["measures_differ"]) == (20, 0, 0)
    best = {}
    for row in np.flatnonzero(~empty):
        cell = tuple(np.clip(((gripper[row] + 1) * 5).astype(int), 0, 9))
        if cell not in best or objective[row] > objective[best[cell]]:
            best[cell] = row
    assert {s.tobytes() for s in columns["solution"]} == {solutions[row].tobytes() for row in best.values()}


def test_no_foreign_code_is_run():
    class Bomb:
        def __reduce__(self):
            return (Path("boom").touch, ())

    Path("theirs").mkdir()
    for name in ("genotypes", "fitnesses", "descriptors"):
        np.save(f"theirs/{name}.npy", np.array([Bomb()], object))
    assert main(["import", "theirs", *SMALL]) == 1
    assert not Path("boom").exists()


@pytest.mark.ci
def test_a_run_starts_from_another(capsys):
    assert main(["run", "budget=600", *SMALL]) == 0
    first, _, _ = the_run()
    (path,) = Path("runs/arm").iterdir()
    assert main(["run", f"from={path}", "domain.joints=4", "archive=cvt", "archive.cells=20", "archive.samples=500",
                 "name=cvt", "budget=700", "console=off"]) == 0  # fmt: skip
    columns, started, config = the_run("cvt")
    assert config["source"] == str(path) and started["solutions"] == started["evaluations"] == len(first["id"])
    assert columns["index"].max() < 20 and len(columns["id"]) <= 20
    assert main(["run", f"from={path}", "descriptor=pca", "name=pca", "budget=1", *SMALL]) == 0
    columns, started, _ = the_run("pca")
    assert {s.tobytes() for s in columns["solution"]} <= {s.tobytes() for s in first["solution"]}
    assert started["objective_differs"] == 0
    assert main(["run", f"from={path}", "name=same", "budget=1", *SMALL]) == 0
    assert by_cell(the_run("same")[0]) == by_cell(first)
    before = (path / "archive.npz").read_bytes()
    assert main(["run", f"from={path}", "name=same", "budget=1", *SMALL]) == 0  # it is finished
    assert (path / "archive.npz").read_bytes() == before


def test_from_and_a_sweep():
    assert compose.load(["from=a"]).source == "a"
    assert "source" not in to_config(compose.load([]))
    Path("x=1,y's").touch()
    assert compose.load(["from=x=1,y's"]).source == "x=1,y's"
    assert compose.folder(compose.load(["from=a"]), ["from=a"]) == compose.folder(compose.load(["source='a'"]), ["source='a'"])
    one, other = ["from=a/b"], ["from=a/c"]
    assert compose.folder(compose.load(one), one) != compose.folder(compose.load(other), other)


def test_text_and_shapes():
    Path("words.csv").write_text('objective,solution\n1,"a,\nb"\n2,12\n')
    imported = solutions.load("words.csv", Words())
    assert imported.solutions.tolist() == ["a,\nb", "12"] and imported.measures is None
    with pytest.raises(ValueError, match="are Python objects, e.g. 'a,.nb', but Arm samples numbers; type domain="):
        solutions.load("words.csv", Arm())
    Path("n.csv").write_text("objective,solution_0,solution_1\n1,0.5,2\n")
    assert solutions.load("n.csv", Arm(joints=2)).solutions.tolist() == [[0.5, 2]]
    with pytest.raises(ValueError, match=r"have shape \[2\], but Arm samples \[10\]"):
        solutions.load("n.csv", Arm())

    class Whole:
        def sample(self, key, n):
            return np.zeros((n, 2), np.int32)

    with pytest.raises(ValueError, match="Whole searches whole numbers, but n.csv holds others"):
        solutions.load("n.csv", Whole())
    Path("w.csv").write_text("objective,solution_0,solution_1\n1,5,2\n")
    assert solutions.load("w.csv", Whole()).solutions.dtype == np.int32
    assert solutions.load("w.csv", Arm(joints=2)).solutions.dtype == np.float32
    assert objects([]).shape == (0,)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("gone.csv", None, "gone.csv does not exist; name the folder of a run"),
        ("a.txt", "x", r"a.txt is of a kind that is not read \(.txt\); name the folder of a run"),
        ("a.csv", "x,y\n1,2\n", "has no column objective; it has x, y"),
        ("a.csv", "objective,x\n1,2\n", "has no columns solution_0, solution_1"),
        ("a.csv", "objective,solution_0\nhigh,2\n", "the column objective of a.csv holds something else .* 'high'"),
        ("a.csv", "objective,solution_0\n1,2\n3\n", "row 3 of a.csv has 1 cells, and its first row 2, separated by ','"),
        ("a.csv", "objective,solution_0\nnan,2\n", "holds no solutions"),
        ("a.csv", "objective,solution_0\n1,\n", "row 1 of a.csv has an objective, but its solution is not finite"),
        ("a.jsonl", '{"objective": 1, "solution": [1]}\n{"x"', "row 2 of a.jsonl is no json"),
        ("a.jsonl", '{"objective": 1, "solution": [1]}\n{"x": 1}', "row 2 of a.jsonl is no object with the keys"),
        ("a.parquet", "x", "a.parquet is no parquet file"),
    ],
)
def test_messages(name, text, message):
    if text is not None:
        Path(name).write_text(text)
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    with pytest.raises(ValueError, match=message):
        solutions.load(name, Arm(joints=1))


def test_usage(capsys):
    assert main(["import", "domain=arm", "x.csv"]) == 1
    assert "type the file first" in capsys.readouterr().err
    assert main(["import", "--help"]) == 0 and "usage: qd import FILE" in capsys.readouterr().out


SIX = [(float(i), 0.1 * i, 0.2, 0.3, -0.4) for i in range(6)]  # objective, four joints
NAMES = ["objective", *(f"solution_{i}" for i in range(4))]


def _lines(separator: str, point: str = ".") -> str:
    rows = [separator.join(str(number).replace(".", point) for number in row) for row in SIX]
    return "\n".join([separator.join(NAMES), *rows]) + "\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plain.csv", _lines(",").encode()),
        ("mark.csv", _lines(",").encode("utf-8-sig")),
        ("wide.csv", _lines(",").encode("utf-16")),
        ("semicolons.csv", _lines(";").encode()),
        ("commas.csv", _lines(";", ",").encode()),
        ("spaces.csv", _lines(", ").encode()),
        ("tabs.tsv", _lines("\t").encode()),
        ("windows.csv", _lines(",").replace("\n", "\r\n").encode()),
        ("CAPITALS.CSV", _lines(",").encode()),
        ("printed.csv", "".join(["objective,solution\n", *(f'{o},"{np.array(x)}"\n' for o, *x in SIX)]).encode()),
        ("lists.csv", "".join(["objective,solution\n", *(f'{o},"{x}"\n' for o, *x in SIX)]).encode()),
        ("mark.jsonl", "".join(json.dumps({"objective": o, "solution": x}) + "\n" for o, *x in SIX).encode("utf-8-sig")),
        ("wide.jsonl", "".join(json.dumps({"objective": o, "solution": x}) + "\n" for o, *x in SIX).encode("utf-16")),
    ],
)
def test_what_other_programs_write_is_read(name, content):
    Path(name).write_bytes(content)
    imported = solutions.load(name, Arm(joints=4))
    np.testing.assert_array_equal(imported.objective, [row[0] for row in SIX])
    np.testing.assert_array_equal(imported.solutions, np.array([row[1:] for row in SIX], np.float32))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"objective,solution_0,solution_2\n1,2,3\n", "there is a column solution_2, but none solution_1; add it"),
        ("a.csv", b"objective,solution_1\n1,2\n", "there is a column solution_1, but none solution_0"),
        ("a.csv", b"objective,objective,solution_0\n1,2,3\n", "two columns of a.csv are named 'objective'; rename one"),
        ("a.csv", "objective,solution_0\n1,2\u00e9\n".encode("latin-1"), r"a.csv is no text in UTF-8 \(byte 24 is 0xe9\)"),
        ("a.csv", b"objective,solution_0\n1_000,2\n", "holds something else than one number a row, e.g. '1_000'"),
        ("a.csv", b"objective,solution_0\n1,1e300\n", "a solution of a.csv is not finite as float32"),
        ("a.csv", b"objective;x y,solution_0\n1,2\n", "has no column objective"),
        ("a.csv", b'objective,solution\n1,"[0.1 ... 0.2]"\n', r"objects, e.g. '\[0.1 ... 0.2\]', but .*printed with \.\.\."),
        ("a.csv", b"objective,solution_0\n", "a.csv has a first line and no rows; add a row for each solution"),
        ("a.jsonl", b'{"objective": 5, "solution": [1]}\n{"objective": "high", "solution": [1]}', "a row, e.g. 'high'"),
        ("a.jsonl", b'{"objective": 1, "solution": [1]}\n\xff', "a.jsonl is no text in UTF-8"),
        ("a.jsonl", b"[" * 100_000, "row 1 of a.jsonl is no json"),
        ("a.xlsx", b"PK\x03\x04", r"a.xlsx is of a kind that is not read \(.xlsx: it looks like a zip file, e.g. npz"),
        ("a.pkl", b"\x80\x04K\x01.", "it looks like a pickle, which could run any code"),
    ],
)  # fmt: skip
def test_what_is_not_read_is_named(name, content, message):
    Path(name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        solutions.load(name, Arm(joints=1))


def _compare(objective, measures, claims, claimed_measures) -> dict:
    imported = solutions.ImportedSolutions(
        "x", np.zeros((len(claims), 1)), np.array(claims, float), np.array(claimed_measures, float)
    )
    batch = type("Batch", (), {})()
    batch.evaluation = type("Evaluation", (), {"objective": np.array(objective, np.float32)})()
    batch.status, batch.measures = np.ones(len(claims)), np.array(measures, np.float32)
    return imported.compare(batch)


def test_a_claim_of_nan_hides_no_wrong_one():
    own = [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]
    table = _compare([1, 2, 3], own, [1, 2, 3], [[0.1, 0.2], [np.nan, 0.4], [0.9, 0.6]])
    assert (table["objective_differs"], table["measures_differ"]) == (0, 2)


def test_one_huge_claim_hides_no_wrong_one():
    assert _compare([1, 2, 3], np.zeros((3, 1)), [1, 2.5, 1e30], np.zeros((3, 1)))["objective_differs"] == 2


@pytest.mark.parametrize("infeasible", [1, 60])
def test_an_infeasible_result_hides_no_wrong_claim(infeasible):
    own = np.append(np.linspace(0.1, 5, 50), np.full(infeasible, -1e9))
    claims = own + np.append(np.full(50, 0.5), np.zeros(infeasible))
    table = _compare(own, own[:, None], claims, claims[:, None])
    assert (table["objective_differs"], table["measures_differ"]) == (50, 50)
    assert table["objective_differs_by"] == pytest.approx(0.5, abs=1e-6)
    same = _compare(own, own[:, None], own, own[:, None])
    assert (same["objective_differs"], same["measures_differ"], same["objective_differs_by"]) == (0, 0, 0)


def test_a_large_offset_hides_no_wrong_claim():
    own = 50_000 + np.arange(50.0)
    assert _compare(own, own[:, None], own + 0.5, own[:, None])["objective_differs"] == 50


def test_the_arithmetic_of_another_machine_is_no_difference():
    own = np.append(np.linspace(-1, 1, 51), [1e3, -1e6])
    claims = own + np.append(np.where(np.arange(51) % 2, 1e-6, -1e-6), [1e-3, 1.0])
    assert _compare(own, own[:, None], claims, claims[:, None])["objective_differs"] == 0
    sparse = np.append(np.zeros(80), np.linspace(1, 2, 20))
    assert _compare(sparse, sparse[:, None], sparse * (1 + 1e-6), sparse[:, None])["objective_differs"] == 0


@pytest.mark.parametrize(
    ("names", "cells", "problem"),
    [
        ("measures_0", "{0}", "1 column of 2"),
        ("measures_0,measures_1,measures_2", "{0},{1},0", "3 columns of 2"),
        ("measures", '"[{0} ... {1}]"', "unreadable"),
        ("measures_0,measures_1", "{0},north", "unreadable"),
        ("measure_0,measure_1", "{0},{1}", "no columns measures_0, measures_1"),
    ],
)
def test_measures_that_are_not_compared_are_named(capsys, names, cells, problem):
    arms, objective, gripper = evaluated_arms(5)
    head = f"solution_0,solution_1,solution_2,solution_3,objective,{names}"
    rows = [",".join(map(str, [*arms[i], objective[i], cells.format(*gripper[i])])) for i in range(5)]
    Path("theirs.csv").write_text("\n".join([head, *rows]))
    assert main(["import", "theirs.csv", *SMALL, "console=plain"]) == 0
    output = capsys.readouterr().out
    assert f"every objective as it claims; measures not compared ({problem})" in output and "all as" not in output
    started = the_run()[1]
    assert started["measures_not_compared"] == problem and "measures_differ" not in started


def test_an_infinite_claim_beside_a_solution_is_wrong(capsys):
    arms, objective, gripper = evaluated_arms(5)
    rows = [",".join(map(str, [*arms[i], objective[i] if i else "inf", *gripper[i]])) for i in range(5)]
    rows.append("nan,nan,nan,nan,inf,0,0")
    head = "solution_0,solution_1,solution_2,solution_3,objective,measures_0,measures_1"
    Path("theirs.csv").write_text("\n".join([head, *rows]))
    assert main(["import", "theirs.csv", *SMALL, "console=plain"]) == 0
    output = capsys.readouterr().out
    assert (
        "5 solutions of theirs.csv (1 empty rows left out), evaluated again: the objective of 1 (by up to inf) differ" in output
    )
    started = the_run()[1]
    assert (started["solutions"], started["objective_differs"], started["objective_differs_by"]) == (5, 1, None)


def test_rounding_to_float32_is_no_difference():
    exact = [20_000_001.3, 20_000_000.7, 0.1]
    assert _compare(exact, [[x] for x in exact], exact, [[x] for x in exact])["measures_differ"] == 0
    assert _compare(exact[:1], [[0]], exact[:1], [[0]])["objective_differs"] == 0


def test_imported_objectives_keep_all_digits():
    """Of two solutions that differ beyond float32 in one cell the better one stays, as a domain on the host evaluates them."""
    Path("counting.py").write_text(COUNTING)
    Path("theirs.csv").write_text("solution_0,objective\n0,20000000\n1,20000001\n")
    Path("conf/domain").mkdir(parents=True)
    Path("conf/domain/counting.yaml").write_text(COUNTING_YAML)
    assert main(["import", "theirs.csv", "domain=counting", "archive.dims=[1]", "console=off", "renderings=0"]) == 0
    columns, started, _ = the_run("counting")
    assert columns["objective"].tolist() == [20_000_001.0] and columns["solution"].tolist() == [[1.0]]
    assert (started["solutions"], started["objective_differs"]) == (2, 0)


COUNTING = """
from dataclasses import dataclass
import numpy as np
from qd.types import Evaluation

@dataclass(frozen=True)
class Counting:
    pure: bool = False
    def sample(self, key, n):
        return np.zeros((n, 1), np.float32)
    def evaluate(self, keys, solutions):
        return Evaluation(20_000_000 + solutions[:, 0].astype(int), {"x": np.zeros((len(solutions), 1), np.float32)})
"""
COUNTING_YAML = """# @package _global_
domain: {_target_: counting.Counting}
domain_defaults: {feature: x, bounds: [[-1, 1]], reads: [x]}
"""
