"""Several objectives from outside: qd ask and qd tell, a program for each solution, tables and maps of others."""

import json
import time
from pathlib import Path

import numpy as np
import pytest

from domains.external import External
from domains.program import Program, ProgramError
from qd import keys
from qd.cli.main import main
from qd.store import archive_file
from tests.support.fronts import brute_force

pytest.importorskip("moocore", reason="needs the extra objectives")
RANGES = "[[0, 4], [-4, 0]]"
YAML = """# @package _global_
domain: {_target_: domains.external.External, dim: 3, features: {spot: 2}, objective_range: RANGES,
         objective_names: [lift, minus drag]}
domain_defaults: {feature: spot, bounds: [[-1, 1], [-1, 1]], reads: [spot], dims: [3, 3], batch_size: 20}
"""
WORDS = ["domain=wing", "archive=fronts", "emitter=front_isoline", "initial=30", "log_every=50", "renderings=0"]


@pytest.fixture(autouse=True)
def here(own_folder) -> Path:
    (own_folder / "conf/domain").mkdir(parents=True)
    (own_folder / "conf/domain/wing.yaml").write_text(YAML.replace("RANGES", RANGES))
    return own_folder


def objectives(solutions) -> np.ndarray:
    """Two that pull apart, in their ranges."""
    x, y, z = np.asarray(solutions, float).T
    return np.stack([1 + x - y**2 + z, -1 - x + y * z - z**2], axis=1)


def ask_rows(capsys, *words: str) -> list[dict]:
    capsys.readouterr()
    assert main(["ask", *words]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def results(batch: list[dict]) -> list[dict]:
    goals = objectives([row["solution"] for row in batch]).tolist()
    return [
        {"id": row["id"], "objective": goal, "features": {"spot": row["solution"][:2]}}
        for row, goal in zip(batch, goals, strict=True)
    ]


def tell(rows: list[dict], run: str) -> int:
    Path("results.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return main(["tell", run, "results.jsonl"])


def the_run(name: str = "wing") -> Path:
    (path,) = Path("runs", name).iterdir()
    return path


def test_fronts_of_results_that_another_program_reports(capsys):
    rows = results(ask_rows(capsys, *WORDS, "budget=90"))
    rows[0]["objective"], rows[1]["objective"] = None, [1.5, None]
    everything = [rows[2:]]
    run = str(the_run())
    assert tell(rows, run) == 0 and "30 results, 2 of them failures" in capsys.readouterr().out
    while not Path(run, "result.json").exists():
        everything.append(results(ask_rows(capsys, run)))
        assert tell(everything[-1], run) == 0
    archive = archive_file.load(Path(run))
    goals = {row["id"]: row["objective"] for batch in everything for row in batch}
    spots = {row["id"]: row["features"]["spot"] for batch in everything for row in batch}
    cell = {i: tuple(np.clip((np.float32(spot) + 1) * 1.5, 0, 2).astype(int)) for i, spot in spots.items()}
    fronts = {c: brute_force(np.array([goals[i] for i in goals if cell[i] == c])) for c in set(cell.values())}
    ids = archive.columns["id"].tolist()
    found = {c: {tuple(goals[i]) for i in ids if cell[i] == c} for c in set(cell.values())}
    assert found == fronts and max(map(len, fronts.values())) > 1
    assert np.allclose(archive.columns["objectives"], [goals[i] for i in ids])
    assert archive.about["objective_names"] == ["lift", "minus drag"]
    assert json.loads(Path(run, "result.json").read_text())["metrics"]["failed"] == 2


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        ([1, 2, 3], r"objective \[1, 2, 3\] has 3 numbers, and objective_range 2 pairs"),
        ([1], r"objective \[1\] has 1 numbers, and objective_range 2 pairs"),
        (1.5, r"objective 1\.5 is one number, and objective_range has 2 pairs; give \[2\]"),
        ([1, "2"], "objective '2' is no finite number"),
        ([1, float("inf")], "objective inf is no finite number"),
        ([[1], 2], r"objective \[1\] is no finite number"),
    ],
)
def test_a_result_with_other_objectives_is_named(objective, message):
    domain = External(3, (("spot", (2,)),), objective_range=((0.0, 4.0), (-4.0, 0.0)))
    assert domain.objective_of([1, 2]) == [1, 2] and np.isnan(domain.objective_of([1, None])) and domain.objectives == 2
    with pytest.raises(ValueError, match=message):
        domain.objective_of(objective)


def test_a_batch_with_another_number_of_objectives_changes_nothing(capsys):
    batch = ask_rows(capsys, *WORDS, "budget=90")
    rows, begun = results(batch), time.process_time()
    rows[7]["objective"] += [3]
    assert tell(rows, str(the_run())) == 1
    assert time.process_time() - begun < 0.5
    error = capsys.readouterr().err
    assert "nothing is changed: line 8 is malformed: objective [" in error and "has 3 numbers, and objective_range 2" in error
    assert ask_rows(capsys, str(the_run())) == batch


def test_a_list_for_a_domain_of_one_objective_and_a_reference_point_above_all(capsys, here):
    (here / "conf/domain/wing.yaml").write_text(YAML.replace("RANGES", "[[0, 4], [50, 60]]"))
    batch = ask_rows(capsys, *WORDS, "budget=90")
    assert tell(results(batch), str(the_run())) == 1
    error = capsys.readouterr().err
    assert "reference point (0.0, 50.0) is above all 30 rows of generation 0: their best objectives" in error
    assert ask_rows(capsys, str(the_run())) == batch
    with pytest.raises(ValueError, match=r"has 2 numbers, and objective_range no pair for each: \[\[low, high\], \.\.\.\]"):
        External(3, (("spot", (2,)),), objective_range=(0.0, 1.0)).objective_of([1, 2])
    with pytest.raises(ValueError, match="objective_names=.* are 1, and objective_range has 2 pairs"):
        External(3, (("spot", (2,)),), objective_range=((0.0, 1.0), (0.0, 1.0)), objective_names=("lift",))
    begun = time.process_time()
    assert main(["ask", *WORDS, "name=other", "domain.objective_range=[[0,4],[0,-4]]"]) == 1
    assert time.process_time() - begun < 0.5
    assert "objective_range = (0, -4) is reversed" in capsys.readouterr().err
    for ranges, message in (
        ("[[0,1]]", "archive.ranges has 1 pairs, and objective_range 2"),
        ("[[0,1],[3]]", "archive.ranges[1] = [3]"),
    ):
        assert main(["ask", *WORDS, "name=other", f"archive.ranges={ranges}"]) == 1
        assert message in capsys.readouterr().err


def test_a_program_prints_several_objectives(here):
    Path("sim").write_text("""#!/bin/sh\necho '{"objective": [1.5, -2], "features": {"spot": [0, 1]}}'\n""")
    Path("other").write_text("""#!/bin/sh\necho '{"objective": [1.5, -2, 3], "features": {"spot": [0, 1]}}'\n""")
    for name in ("sim", "other"):
        Path(name).chmod(0o755)
    ranges = ((0.0, 4.0), (-4.0, 0.0))
    domain = Program(("./sim",), 3, {"spot": 2}, objective_range=ranges)  # type: ignore[arg-type]
    evaluation = domain.evaluate(keys.split(keys.new(1), 2), domain.sample(keys.new(0), 2))
    assert evaluation.objective.tolist() == [[1.5, -2], [1.5, -2]]
    with pytest.raises(ProgramError, match=r"its objective \[1\.5, -2, 3\] has 3 numbers, and objective_range 2 pairs"):
        Program(("./other",), 3, {"spot": 2}, objective_range=ranges).evaluate(  # type: ignore[arg-type]
            keys.split(keys.new(1), 1), domain.sample(keys.new(0), 1)
        )


TOY = """# @package _global_
domain: {_target_: toy.Wing}
domain_defaults: {feature: spot, bounds: [[-1, 1], [-1, 1]], reads: [spot], dims: [3, 3], batch_size: 20}
"""
MODULE = """
from dataclasses import dataclass
import numpy as np
import qd
from tests.runner.test_external_objectives import objectives

@dataclass(frozen=True)
class Wing:
    objective_range: tuple = ((0.0, 4.0), (-4.0, 0.0))
    pure: bool = False

    def sample(self, key, n):
        return qd.keys.uniform(key, (n, 3), -1, 1)

    def evaluate(self, keys, solutions):
        return qd.Evaluation(objectives(solutions), {"spot": solutions[:, :2]})
"""


def started(name: str) -> dict:
    return json.loads((the_run(name) / "events.jsonl").read_text().splitlines()[0])


@pytest.fixture
def toy(here, monkeypatch) -> tuple[np.ndarray, np.ndarray]:
    """Solutions and their objectives, of a domain that is evaluated in this process."""
    (here / "conf/domain/toy.yaml").write_text(TOY)
    (here / "toy.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(here))
    x = np.random.default_rng(0).uniform(-1, 1, (24, 3)).astype(np.float32)
    return x, objectives(x)


HEAD = "solution_0,solution_1,solution_2,objective_0,objective_1,measures_0,measures_1"


@pytest.mark.parametrize("archive", ["fronts", "grid"])
def test_a_table_of_others_is_evaluated_again_and_comes_back_from_an_export(archive, toy):
    x, goals = toy
    goals[3, 1] += 0.5  # a false claim
    np.savetxt("theirs.csv", np.column_stack([x, goals, x[:, :2]]), delimiter=",", header=HEAD, comments="")
    words = ["domain=toy", f"archive={archive}", "console=plain", "renderings=0"]
    assert main(["import", "theirs.csv", "name=csv", *words]) == 0
    event = started("csv")
    assert (event["solutions"], event["objective_differs"], event["measures_differ"]) == (24, 1, 0)
    if archive == "fronts":  # a grid keeps the own hypervolume alone
        assert event["objective_differs_by"] == pytest.approx(0.5, abs=1e-4)
        assert main(["export", str(the_run("csv")), "--format", "csv"]) == 0
        assert main(["import", str(the_run("csv") / "archive.csv"), "name=again", *words]) == 0
        assert started("again")["objective_differs"] == 0


def test_fronts_that_qdax_saved_and_what_does_not_fit(capsys, toy):
    x, goals = toy
    rows, several = np.zeros((12, 2, 3), np.float32), np.full((12, 2, 2), -np.inf)
    rows[:, 0], rows[:6, 1], several[:, 0], several[:6, 1] = x[:12], x[12:18], goals[:12], goals[12:18]
    Path("map").mkdir()
    for name, column in (("genotypes", rows), ("fitnesses", several), ("descriptors", rows[..., :2])):
        np.save(f"map/{name}.npy", column)
    words = ["domain=toy", "archive=fronts", "renderings=0"]
    assert main(["import", "map", "name=qdax", *words]) == 0
    assert (started("qdax")["solutions"], started("qdax")["objective_differs"]) == (18, 0)

    Path("three.csv").write_text(f"{HEAD},objective_2\n0,0,0,1,-1,0,0,7\n")
    begun = time.process_time()
    assert main(["import", "three.csv", "name=three", *words]) == 1
    assert time.process_time() - begun < 0.5
    assert "three.csv claims 3 objectives of each solution, and Wing has 2" in capsys.readouterr().err
    assert main(["import", "three.csv", "domain=arm", "name=one"]) == 1
    assert "three.csv has several objectives, and the domain one" in capsys.readouterr().err
