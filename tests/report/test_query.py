"""qd query: conditions on any run's archive, by names and units, without any domain."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest

from qd.archives import Grid, insert
from qd.cli.main import main
from qd.report.query import UNMET, query
from qd.store import archive_file
from qd.types import Rows
from tests.support.stored import stored

SIZE = np.array([20.0, 40, 60, 80, 100], np.float32)  # KB
LATENCY = np.array([900.0, 1500, 1900, 2500, 1200], np.float32)  # us
OBJECTIVE = np.array([50.0, 70, 80, 95, 90], np.float32)
BOUNDS = ((0.0, 128.0), (0.0, 4000.0))


@pytest.fixture
def run(tmp_path):
    n, folder = len(SIZE), tmp_path / "run"
    features = {"size": SIZE, "latency": LATENCY, "flips": 100 - OBJECTIVE, "wide": np.stack([SIZE, LATENCY], 1)}
    rows = Rows(np.arange(n), np.arange(3 * n, dtype=np.int32).reshape(n, 3), OBJECTIVE, features, np.ones(n, bool))
    archive = Grid((16, 16)).open(rows, BOUNDS, tuple(features), 0)
    insert(archive, rows.ids, rows.solutions, OBJECTIVE, np.stack([SIZE, LATENCY], 1), features)
    folder.mkdir()
    archive_file.save(folder, archive, BOUNDS, {"seed": 0, "evaluations": n})
    return folder


@pytest.mark.parametrize(
    ("conditions", "best", "met"),
    [
        ([], 3, 5),
        (["size<=60KB"], 2, 3),
        (["size <= 0.06MB", "latency<2ms"], 2, 3),
        (["size<60KB"], 1, 2),
        (["size<=64KiB", "latency<=1500us"], 1, 2),
        (["latency<=2ms", "objective>=85"], 4, 1),
        (["flips<=25%"], 3, 3),
        (["measures[0]<=50", "wide[1]>1000"], 1, 1),
    ],
)
def test_the_best_that_meets_all_conditions(run, conditions, best, met):
    answer = query(run, conditions)
    assert (answer.rows[0]["id"], answer.met) == (best, met)


@pytest.mark.parametrize(
    ("condition", "met"),
    [
        ("share=0.3", 1), ("share>=0.7", 3), ("share>0.7", 2), ("share<=0.8", 4), ("share<0.8", 3), ("measures[1]>=0.7", 3),
        ("share<1e300", 5), ("share>=1e300", 0), ("share<=1e-300", 0), ("steps<=1.001", 1), ("latency<=1.001ms", 1),
        ("objective<0.3", 0), ("objective=0.3", 1), ("objective>=0.7", 3), ("penalty<3", 2), ("penalty>2", 3),
    ],
)  # fmt: skip
def test_numbers_are_compared_as_the_column_stores_them(tmp_path, condition, met):
    """0.7 and 0.3 are no float32; 1.001 * 1000 is no 1001; beside 1e30 a strict sign still counts."""
    share = np.array([0.3, 0.7, 0.8, 0.9, 0.6], np.float32)
    features = {
        "share": share, "latency": np.arange(1001, 1006), "steps": np.arange(1, 6),
        "penalty": np.array([1, 2, 3, 3, 1e30], np.float32),
    }  # fmt: skip
    rows = Rows(np.arange(5), np.zeros((5, 3), np.int32), share, features, np.ones(5, bool))
    bounds = ((0.0, 128.0), (0.0, 1.0))
    archive = Grid((16, 16)).open(rows, bounds, tuple(features), 0)
    insert(archive, rows.ids, rows.solutions, share, np.stack([SIZE, share], 1), features)
    (tmp_path / "run").mkdir()
    archive_file.save(tmp_path / "run", archive, bounds, {"seed": 0, "evaluations": 5})
    assert query(tmp_path / "run", [condition]).met == met


def test_the_nearest_where_none_meets_them_and_a_status_that_says_so(run, capsys):
    assert main(["query", str(run), "size<=15KB"]) == UNMET
    said = capsys.readouterr().out
    assert "no elite meets size<=15KB; the nearest:" in said and "elite 0 " in said and "size 20 KB" in said


def test_nearest_weighs_excess_by_the_spread_of_its_column(run):
    excess = {i: max(SIZE[i] - 30, 0) / 80 + max(90 - OBJECTIVE[i], 0) / 45 for i in range(5)}
    assert query(run, ["size<=30KB", "objective>=90"], top=5).rows[0]["id"] == min(excess, key=excess.get)


def test_each_measure_is_shown_once(run, tmp_path, capsys):
    assert main(["query", str(run), "latency<=2ms", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["elites"]
    assert {"size", "measures[0]", "wide[0]", "latency", "measures[1]", "wide[1]"} <= row.keys()
    for conditions, names in (
        ([], ["objective", "measures[0]", "measures[1]", "flips"]),
        (["latency<=2ms"], ["objective", "measures[0]", "latency", "flips"]),
    ):
        main(["query", str(run), *conditions])
        (line,) = re.findall(r"elite \d+ \(cell \d+\): (.*)", capsys.readouterr().out)
        assert sorted(part.split()[0] for part in line.split(", ")) == sorted(names)


def test_a_measure_is_shown_under_its_own_name(tmp_path, capsys):
    columns = stored(tmp_path / "run", np.ones((20, 2), np.float32), about={"config": {"descriptor": {"features": ["a", "b"]}}})
    main(["query", str(tmp_path / "run")])
    line = capsys.readouterr().out.splitlines()[1]
    best = int(columns["objective"].argmax())
    assert f" a {columns['measures'][best, 0]:.6g}, b {columns['measures'][best, 1]:.6g}" in line and "measures" not in line


def test_json_and_several(run, capsys):
    assert main(["query", str(run), "size<=60KB", "--top", "9", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["met"] == 3 and [row["id"] for row in said["elites"]] == [2, 1, 0]
    assert said["elites"][0]["solution"] == [6, 7, 8] and said["elites"][0]["latency"] == 1900
    assert query(run, [], top=2, by="-size").rows[1]["id"] == 1
    assert main(["query", str(run), "size<=60KB", "--by", "-latency", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["elites"][0]["id"] == 0


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("sise<=3", "unknown column 'sise'; type size or run again"),
        ("energy<=3", "run again with keep=[energy]"),
        ("deployable>=1", "export cells first"),
        ("size<=3ms", "size is in KB"),
        ("size<=3parsec", "unknown unit 'parsec' in 'size<=3parsec'; type "),
        ("objective>=3KB", "objective says no unit"),
        ("size~3", "is no condition"),
        ("size<=1.2.3", "is no number"),
    ],
)
def test_conditions_that_cannot_be(run, condition, told):
    with pytest.raises(ValueError, match=re.escape(told)):
        query(run, [condition])


def test_a_folder_that_is_no_run(tmp_path, capsys):
    assert main(["query", str(tmp_path / "none"), "size<=1"]) == 1
    assert "does not exist" in capsys.readouterr().err


def test_no_domain_is_imported(run):
    code = "import sys; from qd.cli.main import main; main(['query', sys.argv[1]]); "
    code += "print({'domains', 'feedback'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code, str(run)], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip().endswith("set()"), done.stdout + done.stderr
